#!/usr/bin/env bash
# Prints what the layer and other crates add to the build of an axum app, as Markdown tables: crates, seconds of a cold
# build, bytes of the binary. The apps are in tests/build-cost. Needs a quarter of an hour, with all other work stopped.
#
#   tests/build-cost.sh         builds each app twice, from nothing
#   tests/build-cost.sh crates  counts crates only, which takes seconds
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root="$PWD" target="$(rustc -vV | sed -n 's/^host: //p')"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export CARGO_TERM_COLOR=never
unset CARGO_TARGET_DIR
builds=yes
[ "${1-}" != crates ] || builds=''

# Prints the packages that are compiled for an app, one a line.
tree() {
    cargo tree -q -e normal,build --target "$target" --prefix none --no-dedupe "$@" |
        sed -E 's/ \(.*//' | grep -v '^hello ' | sort -u
}

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
    cp "$root/tests/build-cost/$1.rs" "$work/$1/src/main.rs"
    (cd "$work/$1" && tree >"../$1.crates")
}

# cold APP [OPTION] builds from nothing and sets `seconds`.
cold() {
    local start="$EPOCHREALTIME"
    cargo build --quiet --locked -j 2 --timings --manifest-path "$work/$1/Cargo.toml" --target-dir "$work/target" "${@:2}" >&2
    seconds="$(awk "BEGIN { printf \"%.0f\", $EPOCHREALTIME - $start }")"
}

# Saves the seconds of each package in the last build, as `name vVERSION|seconds`.
save_timings() {
    awk '
        /^const UNIT_DATA/ { on = 1 }
        on && /^\];/ { exit }
        on && match($0, /^    "(name|version|duration)": /) {
            value = substr($0, RSTART + RLENGTH); gsub(/[",]/, "", value)
            if (/"name"/) name = value; else if (/"version"/) version = value; else print name " v" version "|" value
        }' "$work/target/cargo-timings/cargo-timing.html" >"$work/timings"
    [ -s "$work/timings" ] || { echo "cargo's page of timings has another form now." >&2; exit 1; }
}

# took PACKAGES prints how long these packages took in the saved build.
took() {
    [ -e "$work/timings" ] || return 0
    awk -F '|' 'NR == FNR { its[$0]; next } $1 in its { sum += $2 } END { printf "%.1f", sum }' "$1" "$work/timings"
}

# row APP TITLE [AIM] prints a row of the first table.
row() {
    local crates added aim="${3-}" debug='' release='' size=''
    crates="$(wc -l <"$work/$1.crates")"
    added=$((crates - $(wc -l <"$work/axum.crates")))
    if [ "$aim" ]; then
        [ "$added" -le "$aim" ] && aim="≤ $aim" || aim="≤ $aim, missed"
    fi
    if [ "$builds" ] && [ -e "$work/$1/src" ]; then
        cold "$1"
        debug="$seconds"
        [ "$1" != osc-auth-layer ] || save_timings
        cold "$1" --release
        release="$seconds"
        strip -o "$work/stripped" "$work/target/release/hello"
        size="$(stat -c %s "$work/stripped")"
        rm -r "$work/target"
        [ "$1" != axum ] || plain=("$debug" "$release" "$size")
        debug="$(awk "BEGIN { printf \"%d (%.1f)\", $debug, $debug / ${plain[0]} }")"
        release="$(awk "BEGIN { printf \"%d (%.1f)\", $release, $release / ${plain[1]} }")"
        size="$(awk "BEGIN { printf \"%.1f (+%.1f)\", $size / 1e6, ($size - ${plain[2]}) / 1e6 }")"
    fi
    echo "| $2 | $crates | $added | $aim | $debug | $release | $size |"
}

peers="$root/tests/peers/Cargo.lock"
app axum "$root/Cargo.lock"
app osc-auth-layer "$root/Cargo.lock" "osc-auth-layer = { path = \"$root/osc-auth-layer\", features = [\"axum\"] }"
app axum-oidc "$peers" $'axum-oidc = "0.6"\ntower = "0.5"\ntower-sessions = "0.14"'
app axum-oidc-client "$peers" 'axum-oidc-client = "0.7"'
app axum-login "$peers" $'axum-login = "0.18"\ntower-sessions = "0.14"'

# An app may choose the Unicode tables of `url` in its own lock file.
cp -r "$work/osc-auth-layer" "$work/small" && rm -r "$work/small/src"/*
(cd "$work/small" && touch src/lib.rs && cargo update -q -p idna_adapter --precise 1.1.0 && tree >../small.crates && rm -r src)

echo '| app | crates | added | aim | debug build, s (axum = 1) | release build, s (axum = 1) | release binary, MB (added) |'
echo '|---|---|---|---|---|---|---|'
row axum 'axum alone'
row osc-auth-layer 'with osc-auth-layer' 100
row small "the same, with \`idna_adapter\` 1.1"
row axum-oidc 'with axum-oidc 0.6'
row axum-oidc-client 'with axum-oidc-client 0.7'
row axum-login 'with axum-login 0.18 and tower-sessions, without OAuth'

# brought NAME@VERSION prints the packages that a dependency brings and an axum app lacks.
brought() { (cd "$work/osc-auth-layer" && tree -p "$1" | comm -13 "$work/axum.crates" -); }

mkdir "$work/brought"
(cd "$work/osc-auth-layer" && cargo tree -q -p osc-auth-layer -e normal --target "$target" --depth 1 --prefix none) |
    awk 'NR > 1 && $1 != "axum" { print $1 "@" substr($2, 2) }' |
    while read -r package; do brought "$package" >"$work/brought/$package"; done
sort "$work/brought"/* | uniq -u >"$work/once"

echo
echo '| dependency of the layer | crates that an axum app lacks | s | of these, no other dependency brings | s |'
echo '|---|---|---|---|---|'
for file in "$work/brought"/*; do
    [ -s "$file" ] || continue
    package="${file##*/}"
    comm -12 "$file" "$work/once" >"$work/alone"
    echo "| ${package/@/ } | $(wc -l <"$file") | $(took "$file") | $(wc -l <"$work/alone") | $(took "$work/alone") |"
done | sort -t '|' -k 3 -rn
# The costly ones that dependencies bring in turn.
for package in aws-lc-rs idna_adapter time; do
    brought "$package" >"$work/within"
    by="$(cd "$work/osc-auth-layer" && cargo tree -q -i "$package" --target "$target" --prefix none |
        sed -nE 's/^([^ ]+) v([^ ]+).*/\1@\2/p' | grep -xF -f <(ls "$work/brought") | sort -u | sed 's/@.*//' | paste -sd, | sed 's/,/, /g')"
    echo "| within $by: $package | $(wc -l <"$work/within") | $(took "$work/within") |  |  |"
done
grep '^osc-auth-layer ' "$work/osc-auth-layer.crates" >"$work/own"
echo "| the layer itself | 1 | $(took "$work/own") |  |  |"
