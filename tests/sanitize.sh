#!/usr/bin/env bash
# The engine's tests under AddressSanitizer, with every instruction set that this processor has, and the frozen networks'
# under valgrind, which knows instructions up to AVX2.
#
# It needs Debian's `valgrind`. The sanitizer is not stable:
# a variable lets the stable compiler switch it on.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/sanitize

# A test asks for more memory than there is, which is to be an error and no end of the program.
export ASAN_OPTIONS=allocator_may_return_null=1
RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address \
    cargo test --target "$target" -p convnet -p convnet-engine --lib --test alone --test limits --test engine --test predictor --test threads

program=$(cargo test -p convnet --test predictor --no-run 2>&1 | sed -n 's/.*(\(.*predictor.*\)).*/\1/p')
# Optimised code tests the bytes behind the tag of an `Option` that is `None` along with the tag, which valgrind takes for the
# use of a value that nobody has set: all that it reports of this kind is that, so it looks at addresses only.
CONVNET_ISA=avx2 valgrind --error-exitcode=1 --undef-value-errors=no --quiet "$program" --test-threads 1
