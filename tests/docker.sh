#!/usr/bin/env bash
# Runs the build stage of the sample's Dockerfile in a plain folder, and checks that the program behaves as
# Open Source Cloud requires. It needs no container engine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dockerfile=samples/axum/Dockerfile
target="${CARGO_TARGET_DIR:-$PWD/target}"
app="$(mktemp -d)"
process=
trap '[ -z "$process" ] || kill "$process" 2>/dev/null; rm -rf "$app"' EXIT

passed=0
pass() { passed=$((passed + 1)); echo "ok: $1"; }
fail() { echo "failed: $1" >&2; printf '\ntest result: FAILED. %s passed; 1 failed; 0 ignored;\n' "$passed"; exit 1; }

# The same as `COPY . .`: git tracks no file that .dockerignore excludes.
git ls-files -z | xargs -0 cp --parents -t "$app"
sed -n '/^FROM .* AS build/,/^FROM debian/p' "$dockerfile" | sed -n 's/^RUN //p' >"$app/steps"
[ -s "$app/steps" ] || fail "the Dockerfile has a build stage"
# An optimized build would take minutes and check nothing more. Everything else in a step is unchanged.
(
    cd "$app"
    export CARGO_TARGET_DIR="$target/docker" CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_DEBUG=0
    sed "s#target/release/#$CARGO_TARGET_DIR/release/#; s#/out/#$app/out/#" steps >steps.here
    bash -e steps.here
) >"$app/log" 2>&1 || { cat "$app/log" >&2; fail "the build stage runs"; }
pass "the build stage runs"
grep -q "Compiling mock-osc" "$app/log" && fail "the mock is not built"
pass "the mock is not built"
grep -Eq '^USER [1-9]' "$dockerfile" || fail "the app does not run as root"
pass "the app does not run as root"

without_client="$(env -i PORT=0 OSC_HOSTNAME=abc.apps.osaas.io "$app/out/app" 2>&1 || true)"
grep -q "CLIENT_ID is not set" <<<"$without_client" || fail "without CLIENT_ID it refuses to start: $without_client"
pass "without CLIENT_ID it refuses to start"

env -i PORT=0 OSC_HOSTNAME=abc.apps.osaas.io CLIENT_ID=osc_x CLIENT_SECRET=a-secret-of-more-than-32-characters \
    "$app/out/app" >"$app/out/log" 2>&1 &
process=$!
port=
for _ in $(seq 200); do
    port="$(sed -nE 's#^Open http://localhost:([0-9]+)$#\1#p' "$app/out/log")"
    [ -n "$port" ] && break
    kill -0 "$process" 2>/dev/null || break
    sleep 0.05
done
[ -n "$port" ] || { cat "$app/out/log" >&2; fail "it listens on PORT"; }
pass "it listens on PORT"
[ "$(curl -s "http://127.0.0.1:$port/healthz")" = ok ] || fail "it answers"
pass "it answers"
listens="$(printf ' 00000000:%04X ' "$port")"
grep -q "$listens" /proc/net/tcp || fail "it listens on every address"
pass "it listens on every address"
grep -q '^ENV PORT=8080$' "$dockerfile" || fail "its port in the image is 8080"
pass "its port in the image is 8080"
location="$(curl -s -o /dev/null -w '%{redirect_url}' -H 'Host: abc.apps.osaas.io' -H 'X-Forwarded-Proto: https' \
    -H 'X-Forwarded-Host: abc.apps.osaas.io' "http://127.0.0.1:$port/auth/signin")"
case "$location" in
    *redirect_uri=https%3A%2F%2Fabc.apps.osaas.io%2Fauth%2Fcallback*) pass "OSC_HOSTNAME makes the redirect URI" ;;
    *) fail "OSC_HOSTNAME makes the redirect URI: $location" ;;
esac
printf '\ntest result: ok. %s passed; 0 failed; 0 ignored;\n' "$passed"
