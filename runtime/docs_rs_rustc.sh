#!/bin/sh
# The compiler of docs.rs is a nightly one, on which dfdx 0.13 switches on code that no longer compiles: its build script looks for the word
# in this answer. So it is left out there (`cargo-args` in Cargo.toml).
case "$*" in
*-vV*) rustc "$@" | sed 's/-nightly//' ;;
*) exec rustc "$@" ;;
esac
