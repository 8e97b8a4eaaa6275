#!/usr/bin/env bash
# What the macro costs: its own time for ResNet-152 (budget 0.2 s), `cargo check -p convnet-models` after a model file was
# touched (median of five; budget 10 s on two cores), and a release build of the workspace without its dependencies
# (budget 3 minutes).
set -euo pipefail
cd "$(dirname "$0")/.."
TIMEFORMAT=%R
cargo test -q --release -p convnet-macros expansion_of_resnet152 -- --nocapture | grep expansion
cargo check -q -p convnet-models
echo "cargo check after touching models/src/resnet.rs: $(
  for _ in 1 2 3 4 5; do
    touch models/src/resnet.rs
    { time cargo check -q -p convnet-models 2>/dev/null; } 2>&1
  done | sort -n | sed -n 3p) s"
cargo build -q --release --workspace
cargo clean -q --release -p convnet-macros -p convnet-language -p convnet-graph -p convnet-engine -p convnet -p convnet-models -p convnet-cli -p convnet-tests -p convnet-benches
echo "clean release build without dependencies: $( { time cargo build -q --release --workspace; } 2>&1) s"
