#!/usr/bin/env bash
# What would be published: each crate is packed and built from its package alone (`tests/packages.sh dry-run` ends here); then a stranger's
# program is built and run on the packages, and the program `convnet` out of its package writes a crate of its own, which trains. Nothing is uploaded.
#
# cargo-deny and cargo-semver-checks look at licences and at the library's face where they are installed.
set -euo pipefail
cd "$(dirname "$0")/.."
# A stranger's build has none of the profiles of this workspace, like those of tests/outside.rs: they share what they compile.
target=$PWD/target/tests/outside
export CARGO_TARGET_DIR=$target
# Cargo believes that a published version never changes: without this it would build from what it unpacked and compiled the last time.
forget() {
    rm -rf "$target/package" "$target"/debug/{.fingerprint,deps,incremental}/{,lib}convnet* \
        "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/convnet*
}

forget
packages=$(mktemp -d)
trap 'rm -rf "$packages"; forget' EXIT
cargo publish --workspace --dry-run --allow-dirty --quiet
for crate in "$target"/package/tmp-crate/*.crate; do
    size=$(wc -c < "$crate")
    echo "$(basename "$crate"): $size bytes"
    [ "$size" -le 10485760 ] || { echo "$crate is larger than 10 MiB, the most that crates.io takes"; exit 1; }
    tar -xzf "$crate" -C "$packages"
done
# CI has no time for more: the rest is run before a release.
[ "${1:-}" != dry-run ] || exit 0

# A manifest's dependencies on our crates are the unpacked ones.
on_packages() {
    printf '\n[patch.crates-io]\n'
    for folder in "$packages"/convnet*; do
        printf '%s = { path = "%s" }\n' "$(sed -n 's/^name = "\(.*\)"/\1/p' "$folder/Cargo.toml" | head -n 1)" "$folder"
    done
}

# Built by the same compiler as everything here.
cp rust-toolchain.toml "$packages"
mkdir "$packages/packaged"
cp -r tests/outside/packaged/src "$packages/packaged"
{ cat tests/outside/packaged/manifest.toml; on_packages; } > "$packages/packaged/Cargo.toml"
cp Cargo.lock "$packages/packaged"
(cd "$packages/packaged" && cargo run --quiet)

"$target/debug/convnet" new "$packages/digits" --from lenet5
on_packages >> "$packages/digits/Cargo.toml"
cp Cargo.lock "$packages/digits"
(cd "$packages/digits" && cargo run --quiet -- train --limit 640 --epochs 1)

unset CARGO_TARGET_DIR
if command -v cargo-deny > /dev/null; then
    # Advisories are in a database on the internet, so that a check of them can fail without a change (RELEASING.md).
    cargo deny check licenses bans sources
else
    echo "no cargo-deny here: licences of dependencies are not looked at"
fi
last=$(git tag --list 'v*' --sort=-version:refname 2> /dev/null | head -n 1)
if ! command -v cargo-semver-checks > /dev/null; then
    echo "no cargo-semver-checks here: the library's face is not compared with the last release"
elif [ -z "$last" ]; then
    echo "no release to compare the library's face with"
else
    # Not all features: `cuda` and `mpi` need what is not everywhere, and change nothing of the face.
    cargo semver-checks -p convnet --only-explicit-features --features read,mnist --baseline-rev "$last"
    cargo semver-checks -p convnet-models -p convnet-cli --default-features --baseline-rev "$last"
fi
