#!/usr/bin/env bash
# Checks the oldest versions of Rust that osc-auth-layer promises: no dependency asks for a newer one, and where rustup can install them,
# they build the package. Clippy holds the layer's own use of the standard library to the version in Cargo.toml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"

# Fails if a dependency of the layer with these features asks for a newer Rust.
check_dependencies() {
    cargo tree --locked -p osc-auth-layer --no-default-features --features "$2" -e normal,build --prefix none -f '{p}' |
        awk '{ sub(/^v/, "", $2); print $1, $2 }' | sort -u >"$wanted"
    cargo metadata --locked --format-version 1 | python3 -c '
import json, sys
most, wanted = sys.argv[1], {tuple(line.split()) for line in open(sys.argv[2])}
number = lambda version: [int(part) for part in version.split(".")][:2]
packages = [p for p in json.load(sys.stdin)["packages"] if (p["name"], p["version"]) in wanted]
newer = [p for p in packages if number(p["rust_version"] or "1.0") > number(most)]
for p in newer:
    print(p["name"], p["version"], "needs Rust", p["rust_version"])
print(f"{len(packages)} packages need at most Rust {most}" if not newer else f"The layer promises Rust {most}.")
sys.exit(1 if newer or not packages else 0)' "$1" "$wanted"
}

check() {
    check_dependencies "$1" "$2"
    if ! rustup run "$1" rustc --version >/dev/null 2>&1 && ! timeout 60 rustup toolchain install "$1" --profile minimal --no-self-update >/dev/null 2>&1; then
        echo "rustup cannot install Rust $1 here, so nothing was built with it."
        return
    fi
    cargo "+$1" check --quiet --locked -p osc-auth-layer --no-default-features --features "$2"
}

wanted="$(mktemp)"
trap 'rm -f "$wanted"' EXIT
check "$(sed -nE 's/^rust-version = "(.*)"/\1/p' Cargo.toml)" axum,client,outbound,redis,test-util
# sqlx needs a newer one.
check 1.94 axum,client,outbound,postgres,redis,sqlite,test-util
