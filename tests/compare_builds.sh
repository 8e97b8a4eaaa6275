#!/usr/bin/env bash
# Whether two builds of the program train the same numbers: BLAKE3 digests of the weights after the default `train lenet5`, after
# three steps of ResNet-20 and after three of GoogLeNet, on AVX-512 and on AVX2, with one thread and with two.
#
#   tests/compare_builds.sh BEFORE AFTER
#
# BEFORE and AFTER are the programs as two commits make them (`cargo build --release`, then a copy of target/release/convnet).
# It is for a change that is to leave every bit as it is, such as code that moves to another place. A change that computes
# something else, or in another order, may change bits; then its commit says so, and why. So these digests are no golden values,
# nothing here is stored, and `cargo test` does not run it.
#
# Beside the toolchain it needs Python, of which it uses the standard library only. It takes about five minutes on two cores.
set -euo pipefail

if [ $# -ne 2 ]; then
    printf 'usage: %s BEFORE AFTER (two builds of the program convnet)\n' "$0" >&2
    exit 2
fi
before=$(realpath "$1")
after=$(realpath "$2")
for program in "$before" "$after"; do
    [ -x "$program" ] || { printf '%s is no program\n' "$program" >&2; exit 2; }
done

cd "$(dirname "$0")/.."
cargo build --quiet -p convnet-tests --bin digest
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
digest=$target/debug/digest
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# 48 small images in colour, by a generator of numbers that is written out here, and two lists of them: with the ten classes of
# ResNet-20 and with the thousand of GoogLeNet. Each class needs an image, and an image may be in several.
python3 - << 'PYTHON'
import struct
import zlib

SIDE, IMAGES = 24, 48


def png(rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


state = 1
for image in range(IMAGES):
    rows = []
    for _ in range(SIDE):
        row = bytearray()
        for _ in range(3 * SIDE):
            state = (state * 1103515245 + 12345) % 2**31
            row.append(state >> 16 & 255)
        rows.append(bytes(row))
    with open(f"{image}.png", "wb") as file:
        file.write(png(rows))
for classes in (10, 1000):
    lines = [f"{i % IMAGES}.png,{i % classes},train" for i in range(max(IMAGES, classes))]
    with open(f"{classes}.csv", "w") as file:
        file.write("\n".join(["path,label,split", *lines, "0.png,0,test", ""]))
PYTHON

# Arguments of `train`, by the name of the network.
arguments() {
    case $1 in
        lenet5) printf '%s\n' train lenet5 ;;
        # 48 images in batches of 16, and 12 in batches of 4, are three steps.
        resnet20) printf '%s\n' train resnet20 --data 10.csv --limit 48 --batch 16 --epochs 1 ;;
        googlenet) printf '%s\n' train googlenet --data 1000.csv --limit 12 --batch 4 --epochs 1 ;;
    esac
}

# The instruction sets of the engine, with what it asks the processor for.
has() {
    local flag
    for flag in "$@"; do
        grep -qw "$flag" /proc/cpuinfo 2> /dev/null || return 1
    done
}
sets=()
if has avx2 fma f16c avx512f; then sets+=(avx512); else printf 'left out: avx512, which this processor does not have\n'; fi
if has avx2 fma f16c; then sets+=(avx2); else printf 'left out: avx2, which this processor does not have\n'; fi
if [ ${#sets[@]} -eq 0 ]; then
    printf 'nothing was compared\n' >&2
    exit 2
fi

# Trains by one program and prints the digest of the weights.
trained() {
    local program=$1 isa=$2 threads=$3 network=$4 words steps
    mapfile -t words < <(arguments "$network")
    rm -rf run out.safetensors
    CONVNET_ISA=$isa "$program" "${words[@]}" --threads "$threads" --device cpu --quiet --run run --out out.safetensors \
        > said 2>&1 || { printf '%s %s failed:\n%s\n' "$program" "${words[*]}" "$(cat said)" >&2; return 1; }
    steps=$(grep -c '"event":"step"' run/log.jsonl)
    [ "$network" = lenet5 ] || [ "$steps" -eq 3 ] || { printf '%s: %s steps, not 3\n' "$network" "$steps" >&2; return 1; }
    "$digest" out.safetensors
}

different=0
for isa in "${sets[@]}"; do
    for threads in 1 2; do
        for network in resnet20 googlenet lenet5; do
            one=$(trained "$before" "$isa" "$threads" "$network")
            two=$(trained "$after" "$isa" "$threads" "$network")
            verdict=equal
            if [ "$one" != "$two" ]; then
                verdict=DIFFERENT
                different=$((different + 1))
            fi
            printf '%-7s %s thread(s)  %-9s  before %s  after %s  %s\n' "$isa" "$threads" "$network" "$one" "$two" "$verdict"
        done
    done
done
if [ "$different" -ne 0 ]; then
    printf '%s of the weights differ\n' "$different"
    exit 1
fi
printf 'all weights are equal\n'
