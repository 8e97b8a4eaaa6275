#!/usr/bin/env bash
# Seconds of `cargo check -p convnet-models` after a model file was touched: the macro's own budget.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo check -q -p convnet-models
for _ in 1 2 3 4 5; do
  touch models/src/resnet.rs
  start=$(date +%s.%N)
  cargo check -q -p convnet-models
  echo "$(date +%s.%N) - $start" | bc
done | sort -n | sed -n 3p
