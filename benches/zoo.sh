#!/usr/bin/env bash
# Every network of the zoo: one inference and one training step on the engine, with time and peak memory.
#     benches/zoo.sh [BATCH]
set -euo pipefail
cd "$(dirname "$0")/.."
batch=${1:-2}
cargo build -q --release
models=$(target/release/convnet models --json | sed -n 's/.*"name": "\(.*\)".*/\1/p')
printf '%-16s %-6s %12s %10s\n' model mode 'ms' 'peak MB'
for model in $models; do
  for mode in infer train; do
    out=$(mktemp)
    # The resident set of a process that does only this.
    kb=$( { target/release/convnet bench "$model" --mode "$mode" --batch "$batch" --repeats 1 --json >"$out"; } 2>/dev/null;
          sed -n 's/.*"peak_rss_kb": \([0-9]*\).*/\1/p' "$out")
    ms=$(sed -n 's/.*"median_ms": \([0-9.]*\).*/\1/p' "$out")
    printf '%-16s %-6s %12.1f %10s\n' "$model" "$mode" "$ms" "$((kb / 1024))"
    rm -f "$out"
  done
done
