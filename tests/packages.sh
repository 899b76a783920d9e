#!/usr/bin/env bash
# Builds both packages as crates.io would have them: from their archives alone, in an empty folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
alone="$(mktemp -d)"
trap 'rm -rf "$alone"' EXIT

cargo package --quiet --locked --no-verify --allow-dirty -p mock-osc -p osc-auth-layer
version="$(sed -nE '/^\[workspace.package\]/,/^\[/s/^version = "(.*)"/\1/p' Cargo.toml)"
for package in mock-osc osc-auth-layer; do
    tar -xzf "$CARGO_TARGET_DIR/package/$package-$version.crate" -C "$alone"
done

cd "$alone/mock-osc-$version"
echo "mock-osc $version"
cargo build --quiet

# The mock is not on crates.io before the first release. The examples use it.
cd "$alone/osc-auth-layer-$version"
echo "osc-auth-layer $version"
cargo build --quiet --all-features --config "patch.crates-io.mock-osc.path='../mock-osc-$version'"
cargo check --quiet --all-features --examples --config "patch.crates-io.mock-osc.path='../mock-osc-$version'"
