#!/usr/bin/env bash
# Prints what the layer adds to the build of an axum app, as Markdown tables: crates, seconds of a cold build, bytes of the binary.
# Stop all other work on the machine first.
#
#   tests/build-cost.sh         builds an app with and without the layer, from nothing, and counts the crates of others
#   tests/build-cost.sh crates  counts crates only, which takes seconds
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root="$PWD" target="$(rustc -vV | sed -n 's/^host: //p')"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export CARGO_TERM_COLOR=never
unset CARGO_TARGET_DIR

# app NAME LOCK [DEPENDENCY] writes an axum app whose versions are those of a lock file.
app() {
    mkdir -p "$work/$1/src"
    cat >"$work/$1/Cargo.toml" <<END
[package]
name = "hello"
version = "0.0.0"
edition = "2024"
[workspace]
[dependencies]
axum = "0.8"
tokio = { version = "1", features = ["macros", "net", "rt-multi-thread"] }
${3-}
END
    cp "$2" "$work/$1/Cargo.lock"
    cat >"$work/$1/src/main.rs"
    (cd "$work/$1" && cargo tree -q -e normal,build --target "$target" --prefix none --no-dedupe) |
        sed -E 's/ \(.*//' | grep -v '^hello ' | sort -u >"$work/$1.crates"
}

number() { wc -l <"$work/$1.crates"; }
added() { comm -13 "$work/axum.crates" "$work/$1.crates" | wc -l; }

# cold NAME [OPTION] builds from nothing and prints the seconds.
cold() {
    local start="$EPOCHREALTIME"
    cargo build --quiet --locked -j 2 --manifest-path "$work/$1/Cargo.toml" --target-dir "$work/$1/${2-debug}" "${@:2}" >&2
    awk "BEGIN { printf \"%.0f\", $EPOCHREALTIME - $start }"
}

size() { strip -o "$work/stripped" "$work/$1/--release/release/hello" && stat -c %s "$work/stripped"; }

plain='
#[tokio::main]
async fn main() {
    let app = axum::Router::new().route("/", axum::routing::get(async || "hello"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    axum::serve(listener, app).await.unwrap();
}'
signed_in='
use osc_auth_layer::{OscAuthLayer, OscToken};

#[tokio::main]
async fn main() {
    let auth = OscAuthLayer::builder_from_env().unwrap().build().unwrap();
    let page = async |token: OscToken| if token.user().is_some() { "hello" } else { "hello, you" };
    let app = axum::Router::new().route("/", axum::routing::get(page)).layer(auth);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    axum::serve(listener, app).await.unwrap();
}'
ours="osc-auth-layer = { path = \"$root/osc-auth-layer\", features = [\"axum\"] }"
peers="$root/tests/peers/Cargo.lock"

app axum "$root/Cargo.lock" <<<"$plain"
app layer "$root/Cargo.lock" "$ours" <<<"$signed_in"
app oidc "$peers" 'axum-oidc = "0.6"' <<<"$plain"
app client "$peers" 'axum-oidc-client = { version = "0.7", default-features = false, features = ["moka-cache"] }' <<<"$plain"
app login "$peers" $'axum-login = "0.18"\ntower-sessions = "0.14"' <<<"$plain"

# An app may choose the Unicode tables of `url` in its own lock file.
cp -r "$work/layer" "$work/small"
(cd "$work/small" && cargo update -q -p idna_adapter --precise 1.1.0 &&
    cargo tree -q -e normal,build --target "$target" --prefix none --no-dedupe) |
    sed -E 's/ \(.*//' | grep -v '^hello ' | sort -u >"$work/small.crates"

echo '| app | crates | added | aim |'
echo '|---|---|---|---|'
verdict='≤ 100'
[ "$(added layer)" -le 100 ] || verdict='≤ 100, missed'
echo "| axum alone | $(number axum) |  |  |"
echo "| with osc-auth-layer | $(number layer) | $(added layer) | $verdict |"
echo "| the same, with \`idna_adapter\` 1.1 in the app's lock file | $(number small) | $(added small) |  |"
echo "| with axum-oidc 0.6 | $(number oidc) | $(added oidc) |  |"
echo "| with axum-oidc-client 0.7 | $(number client) | $(added client) |  |"
echo "| with axum-login 0.18 and tower-sessions, without OAuth | $(number login) | $(added login) |  |"

echo
echo '| dependency of the layer | crates that an axum app lacks |'
echo '|---|---|'
cargo tree -q -p osc-auth-layer -e normal --target "$target" --depth 1 --prefix none | tail -n +2 | awk '{ print $1, substr($2, 2) }' |
    while read -r name version; do
        # Counted with what each brings in turn, so a crate that two of them need counts twice.
        brought="$(cd "$work/layer" && cargo tree -q -p "$name@$version" -e normal,build --target "$target" --prefix none --no-dedupe |
            sed -E 's/ \(.*//' | sort -u | comm -13 "$work/axum.crates" - | wc -l)"
        [ "$brought" -eq 0 ] || echo "| $name $version | $brought |"
    done | sort -t '|' -k 3 -rn

[ "${1-}" != crates ] || exit 0
echo
echo '| app | debug build, s | release build, s | release binary, bytes |'
echo '|---|---|---|---|'
for name in axum layer; do
    echo "| $name | $(cold "$name") | $(cold "$name" --release) | $(size "$name") |"
done
