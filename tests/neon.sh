#!/usr/bin/env bash
# The engine's tests for 64-bit ARM, with every instruction set that it has there, on another processor by emulation.
#
# Beside the toolchain it needs the target and, of Debian, a linker, a C library and an emulator:
#
#   rustup target add aarch64-unknown-linux-gnu
#   apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
#
# Arguments go to the tests, such as the name of one.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"

# Most tests go through all instruction sets by themselves, the others take this one. One starts its own program again, which
# the system cannot do without the emulator.
for isa in portable neon; do
    CONVNET_ISA=$isa cargo test --target aarch64-unknown-linux-gnu -p convnet -p convnet-engine --lib --test alone --test limits --test engine -- --skip quietly "$@"
done
