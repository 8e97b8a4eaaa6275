#!/usr/bin/env bash
# How wide the face of the library is: counts what rustdoc shows of `convnet`, module by module, and fails above the bound.
#
# Apart from the count are
# * `words`: its constants are pages about the language's words, which an editor shows; nobody uses them as items;
# * `prelude`: it repeats dfdx's own prelude and what is counted at home here;
# * `__private`, which is hidden and has a bound of its own: what generated code names;
# * other items that are `#[doc(hidden)]`: the program, the tests and the benchmarks of this repository share them with the library,
#   and nobody is promised that they stay.
# * `onnx`, a feature of its own, and `objective`, a chapter of its own, which have bounds of their own.
# `graph` is a crate of its own, of which the pages are counted with those of `convnet`.
set -euo pipefail
cd "$(dirname "$0")/.."

most=220
most_private=40
most_onnx=15
most_objective=35

RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps -p convnet --features read,mnist,onnx
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps -p convnet-graph
docs="${CARGO_TARGET_DIR:-target}/doc"

# The pages of a crate, as `module/kind.Name`.
pages() { grep -o '<li><a href="[^"]*\.html">' "$docs/$1/all.html" | sed -E 's/.*href="(.*)\.html">/\1/'; }

all() {
    pages convnet | grep -vE '^(words|prelude|onnx|objective)/'
    # `diagram` is among the pages of `convnet`, too.
    pages convnet_graph | grep -v '^diagram/' | sed 's,^,graph/,'
}

all | sed -E 's,/?[^/]*$,,; s,^$,(root),' | sort | uniq -c
count=$(all | wc -l)
echo "$count public items, at most $most; beside them $(pages convnet | grep -c '^words/') pages about words"

private=$(sed -n '/^pub mod __private {/,/^}/p' runtime/src/lib.rs | sed 's,//.*,,' | tr -d '\n' | grep -o 'pub use [^;]*' |
    sed -E 's/.*\{(.*)\}/\1/; t; s/.*:://' | tr ',' '\n' | grep -c '[A-Za-z]')
echo "$private names in __private, at most $most_private"

onnx=$(pages convnet | grep -c '^onnx/')
echo "$onnx items in onnx, at most $most_onnx"
objective=$(pages convnet | grep -c '^objective/')
echo "$objective items in objective, at most $most_objective"

[ "$count" -le "$most" ] && [ "$onnx" -le "$most_onnx" ] &&
    [ "$objective" -le "$most_objective" ] && [ "$private" -le "$most_private" ]
