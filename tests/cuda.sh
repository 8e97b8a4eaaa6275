#!/usr/bin/env bash
# Builds the program with CUDA for real, with neither a GPU nor a driver nor CUDA's toolkit, and looks at what it says where one of these is
# missing. By hand: it downloads 620 MB, takes 3 GB and some ten minutes.
#
#   tests/cuda.sh [TOOLKIT]     TOOLKIT: the folder that the toolkit is laid out in (target/cuda/toolkit)
#
# It needs pip, unzip, Python and a C++ compiler that nvcc 13.0 takes (GCC 15 or older).
#   CUDA_COMPUTE_CAP   the oldest GPU that can run it, 90 (H100) unless said otherwise; 80 (A100) and newer only
#   PROFILE            release, the default, or dev
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/cuda
mkdir -p "${1:-$CARGO_TARGET_DIR/toolkit}"
toolkit=$(realpath "${1:-$CARGO_TARGET_DIR/toolkit}")
root=$toolkit/nvidia/cu13
export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90}
# 13.0 and not newer: drivers of CUDA 13.0 (580) refuse what nvcc 13.1 makes.
cuda=13.0.88 cublas=13.0.2.14 cccl=13.0.85

# CUDA's toolkit from PyPI's wheels, laid out as an installed one.
lay_out() {
    local wheels
    wheels=$(mktemp -d)
    # crt: headers of nvcc; nvvm: its compiler; runtime: cuda.h; cccl: nv/target
    pip download --quiet --no-deps --only-binary=:all: --dest "$wheels" \
        "nvidia-cuda-nvcc==$cuda" "nvidia-cuda-crt==$cuda" "nvidia-nvvm==$cuda" "nvidia-cuda-runtime==$cuda" \
        "nvidia-cuda-nvrtc==$cuda" "nvidia-cuda-cccl==$cccl" "nvidia-cublas==$cublas"
    for wheel in "$wheels"/*.whl; do unzip -qo "$wheel" -d "$toolkit"; done
    rm -r "$wheels"
    # Wheels keep no modes, and have no names without a version, by which cudarc links.
    chmod +x "$root"/bin/* "$root"/nvvm/bin/*
    for lib in nvrtc cublas cublasLt; do ln -sf "lib$lib.so.13" "$root/lib/lib$lib.so"; done
}

# stand_in FOLDER DEVICES: libraries in the place of NVIDIA's driver and of cuBLAS, with so many devices (0 or 1), which compute nothing.
stand_in() {
    local sys
    mkdir -p "$1"
    # The functions that cudarc names, but for those that are written out.
    sys=$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/cudarc-0.9.15/src | head -n 1)
    names() { grep -ohE "pub fn $2[A-Za-z0-9_]+" "$sys/$1/sys.rs" | sed 's/pub fn //' | sort -u; }
    names driver cu | grep -vxF "$(grep -oE 'cu[A-Za-z0-9_]+\(' tests/cuda/driver.c | tr -d '(')" |
        sed 's/.*/int &(void) { return DEVICES ? 0 : NO_DEVICE; }/' > "$1/others.h"
    cc -shared -fPIC -DDEVICES="$2" -I "$1" -Wl,-soname,libcuda.so.1 -o "$1/libcuda.so.1" tests/cuda/driver.c
    names cublas cublas | sed 's/.*/int &(void) { return 0; }/' |
        cc -shared -fPIC -Wl,-soname,libcublas.so.13 -x c -o "$1/libcublas.so.13" -
}

# With the libraries of FOLDER in the driver's place, the program answers `ARGUMENTS` with this exit code and with these words, and does not
# panic: expect CODE WORDS FOLDER ARGUMENTS...
expect() {
    local code=$1 words=$2 folder=$3 found=0
    shift 3
    (cd "$runs" && LD_LIBRARY_PATH=$folder:$root/lib "$program" "$@") > "$runs/said" 2>&1 || found=$?
    if [ $found != "$code" ] || ! grep -qF "$words" "$runs/said" || grep -q panicked "$runs/said"; then
        printf 'convnet %s: exit code %s, not %s with "%s":\n' "$*" "$found" "$code" "$words"
        cat "$runs/said"
        exit 1
    fi
    printf 'as it should be: convnet %s: %s\n' "$*" "$(grep -F -m 1 "$words" "$runs/said")"
}

cargo fetch --quiet --locked
[ -x "$root/bin/nvcc" ] || lay_out
stand_in "$toolkit/no-device" 0
stand_in "$toolkit/one-device" 1
# Something to link with.
[ -e "$root/lib/libcuda.so" ] || ln -sf "$toolkit/no-device/libcuda.so.1" "$root/lib/libcuda.so"
# dfdx asks nvidia-smi, whatever it is told.
mkdir -p "$toolkit/shim"
printf '#!/bin/sh\nprintf "compute_cap\\n%s\\n"\n' "${CUDA_COMPUTE_CAP%?}.${CUDA_COMPUTE_CAP: -1}" > "$toolkit/shim/nvidia-smi"
chmod +x "$toolkit/shim/nvidia-smi"

export CUDA_PATH=$root CUDA_ROOT=$root
case ${PROFILE:-release} in dev) profile=() folder=debug ;; *) profile=(--release) folder=release ;; esac
PATH=$toolkit/shim:$root/bin:$PATH cargo build --locked -p convnet-cli --features cuda "${profile[@]}"
program=$CARGO_TARGET_DIR/$folder/convnet
readelf -d "$program" | grep NEEDED

runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
train=(train lenet5 --limit 128 --epochs 1)
if ldconfig -p | grep -q 'libcuda\.so\.1'; then
    echo "there is a driver here: that the program does not start without one is not tried"
else
    expect 127 'libcuda.so.1: cannot open shared object file' "$root/lib" devices
fi
expect 0 'not usable: cuda:0 does not answer: no CUDA-capable device is detected' "$toolkit/no-device" devices
expect 1 'cuda:0 does not answer: no CUDA-capable device is detected' "$toolkit/no-device" "${train[@]}" --device cuda
expect 0 'test accuracy' "$toolkit/no-device" "${train[@]}" --device auto
expect 1 'cuda:7 does not answer: invalid device ordinal' "$toolkit/one-device" "${train[@]}" --device cuda:7
# Its kernels were compiled by NVRTC here and now, and then nothing ran.
expect 1 'it adds up to 0 what is 20' "$toolkit/one-device" "${train[@]}" --device cuda
LOADING=209 expect 1 'the program was built for a newer GPU' "$toolkit/one-device" "${train[@]}" --device cuda
LOADING=222 expect 1 'a newer CUDA than the driver' "$toolkit/one-device" "${train[@]}" --device cuda
mv "$root/include" "$root/elsewhere"
trap 'mv "$root/elsewhere" "$root/include"; rm -rf "$runs"' EXIT
expect 1 'have to be where they were then' "$toolkit/one-device" "${train[@]}" --device cuda
