#!/usr/bin/env bash
# Training over MPI, with two processes on this machine: the weights of one process, the same bits each time, one run folder,
# an interrupted run that goes on, and a process that is killed.
#
# Beside the toolchain it needs, of Debian: apt-get install libopenmpi-dev openmpi-bin libclang-dev procps
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${PROFILE:-release}
cargo build --profile "$profile" -p convnet-cli --features mpi
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
convnet=$target/${profile/#dev/debug}/convnet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Of Open MPI: a container's user is often root, and its cores may be fewer than processes.
two=(mpirun --allow-run-as-root --oversubscribe -n 2)
options=(train lenet5 --epochs 1 --batch 100 --threads 1 --seed 3 --checkpoint-every 20 --quiet)

digest() { sha256sum "$1" | cut -d' ' -f1; }
say() { printf '%s\n' "$*"; }
die() { say "FAILED: $*"; exit 1; }

"$convnet" "${options[@]}" --run one --out one.safetensors --json > one.json
for run in a b; do
    "${two[@]}" "$convnet" "${options[@]}" --run "$run" --out "$run.safetensors" --json > "$run.json"
done
[ "$(digest a.safetensors)" = "$(digest b.safetensors)" ] || die "two runs of two processes differ"
[ "$(grep -c '"event":"epoch"' a/log.jsonl)" = 1 ] || die "not one epoch in the log"
accuracy() { sed -n 's/.*"test_accuracy": \([0-9.]*\).*/\1/p' "$1"; }
say "accuracy of one process $(accuracy one.json), of two $(accuracy a.json)"
awk -v a="$(accuracy one.json)" -v b="$(accuracy a.json)" 'BEGIN { d = a - b; exit !(d < 0.002 && d > -0.002) }' \
    || die "two processes learn something else than one"

# The launcher passes SIGTERM on; the run saves, and goes on to the same weights.
"${two[@]}" "$convnet" "${options[@]}" --run c --out c.safetensors > c.log 2>&1 &
launcher=$!
until ls c/checkpoints/step-* > /dev/null 2>&1; do sleep 0.05; kill -0 $launcher || die "$(cat c.log)"; done
pkill -TERM -P $launcher || true
wait $launcher && die "an interrupted run ends well"
grep -q "interrupted after step" c.log || die "no word of the interruption: $(cat c.log)"
"${two[@]}" "$convnet" train --resume --run c --out c.safetensors --threads 1 --quiet > c.log 2>&1 || die "$(cat c.log)"
[ "$(digest a.safetensors)" = "$(digest c.safetensors)" ] || die "a run that went on has other weights"

# A process that dies takes the run with it, soon, and leaves what was saved.
"${two[@]}" "$convnet" "${options[@]}" --run d --out d.safetensors > d.log 2>&1 &
launcher=$!
until ls d/checkpoints/step-* > /dev/null 2>&1; do sleep 0.05; kill -0 $launcher || die "$(cat d.log)"; done
kill -KILL "$(pgrep -P $launcher | tail -1)"
start=$SECONDS
wait $launcher && die "a run without one of its processes ends well"
[ $((SECONDS - start)) -le 20 ] || die "the run hung for $((SECONDS - start)) s"
grep -q "rank 1" d.log && grep -q "signal 9" d.log || die "no word of the process that died: $(cat d.log)"
"${two[@]}" "$convnet" train --resume --run d --out d.safetensors --threads 1 --quiet > d.log 2>&1 || die "$(cat d.log)"
[ "$(digest a.safetensors)" = "$(digest d.safetensors)" ] || die "the run that lost a process has other weights"

# What is wrong is said once, by a process that does not wait for the others.
"${two[@]}" "$convnet" train lenet5 --data nowhere > e.log 2>&1 && die "no data, no error"
[ "$(grep -c "error on rank" e.log)" = 1 ] || die "not one message: $(cat e.log)"
RANK=0 WORLD_SIZE=3 "$convnet" train > f.log 2>&1 && die "a rank of nobody trains"
grep -q "mpirun -n 3" f.log || die "no way out: $(cat f.log)"
say "ok"
