#!/usr/bin/env bash
# Seconds of `cargo check -p convnet-models` after a model file was touched, the median of five: the macro's own budget.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo check -q -p convnet-models
TIMEFORMAT=%R
for _ in 1 2 3 4 5; do
  touch models/src/resnet.rs
  { time cargo check -q -p convnet-models 2>/dev/null; } 2>&1
done | sort -n | sed -n 3p
