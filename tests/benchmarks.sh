#!/usr/bin/env bash
# Measures every figure in BENCHMARKS.md and writes that file. Takes about an hour, and the builds before it. Stop all other work on
# the machine first. Needs the programs that tests/run.sh installs.
#
# It installs Apache with mod_auth_openidc, which it compares with.
#
#   tests/benchmarks.sh                 writes BENCHMARKS.md
#   tests/benchmarks.sh storm redis     prints these sections only
#   MINUTES=1 tests/benchmarks.sh soak  soaks for one minute instead of ten
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
export CARGO_TERM_COLOR=never NO_COLOR=1
minutes="${MINUTES:-10}"

sections=(machine refresh storm request flow peers server signin stores life memory redis soak scale build gaps)

# Runs a program and keeps the rows of Markdown tables from its output.
rows() { "$@" | grep -oE '\|.*\|$'; }

# Runs scenarios one after another, so that they do not slow each other down.
scenarios() {
    rows cargo test --quiet -p osc-tests --all-features --test scenarios --test databases -- --nocapture --test-threads=1 "$@"
}

bench() { rows cargo bench --quiet -p osc-auth-layer --all-features --bench cost -- "$@"; }

compare() { install_apache; rows cargo run --quiet --locked --release --manifest-path tests/peers/Cargo.toml -- "$1"; }

# The comparison starts an Apache with a folder and a port of its own. Debian's package may start its service too.
install_apache() {
    if [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ] || ! command -v apt-get >/dev/null; then return; fi
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        apache2 libapache2-mod-auth-openidc >&2
}

row() { printf '| %s | %s |\n' "$1" "$2"; }

machine() {
    install_apache
    cat <<END
## Machine

END
    row property value
    row --- ---
    row date "$(date -u '+%Y-%m-%d %H:%M UTC')"
    row commit "$(git describe --always --dirty 2>/dev/null || echo unknown)"
    row processor "$(lscpu | sed -nE 's/^Model name: *//p' | head -n 1), $(nproc) cores"
    row memory "$(awk '/^MemTotal/ { printf "%.0f GB", $2 * 1024 / 1e9 }' /proc/meminfo)"
    row system "$(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r | cut -d- -f1)"
    row Rust "$(rustc --version | cut -d' ' -f2)"
    row PostgreSQL "$(/usr/lib/postgresql/*/bin/postgres --version | sed -E 's/.*\) ([^ ]*).*/\1/')"
    row Redis "$(redis-server --version | sed -E 's/.*v=([^ ]*).*/\1/')"
    row mod_auth_openidc "$(dpkg-query -W -f '${Version}' libapache2-mod-auth-openidc 2>/dev/null || echo 'not installed')"
    row Valgrind "$(valgrind --version | sed 's/^valgrind-//')"
    row 'load before the run' "$(cut -d' ' -f1 /proc/loadavg) (1 minute)"
}

refresh() {
    cat <<END
## A session survives its refresh

All requests arrive when the access token has expired. The mock provider rotates refresh tokens, and revokes the grant if one is used twice.

The aim is 0 refused requests and one grant per session at each expiry. The scenarios \`s40_\` of the topic \`refresh\` assert both.
They are a debug build. Nodes are sample apps in processes of their own, which share a Redis.

| setting | expiries | requests at each | refused | grants at each | session afterwards | latency |
|---|---|---|---|---|---|---|
END
    scenarios single_flight::s40_ processes::refresh::s40_
}

storm() {
    cat <<END
## The same with other crates

\`tests/peers\` sends 200 requests of one session, half a second after its token has expired. Its provider answers after 50 ms, rotates
refresh tokens, and revokes the grant if one is used twice. The aim for the layer is 0 refused, 1 grant and an alive session.

Newer versions of mod_auth_openidc survive this on one server. Its
[ChangeLog](https://github.com/OpenIDC/mod_auth_openidc/blob/master/ChangeLog) names a lock for refreshes in 2.4.14.4, and a cache of a
refresh's result for parallel requests in 2.4.15.3.

END
    compare storm
}

request() {
    cat <<END
## What a request costs

The benchmark \`cost\` sends signed-in requests with a fresh token, ten headers and three cookies. Contenders alternate for 100 rounds.
Ratios are medians over the rounds, so they are reliable on a busy machine too; times in nanoseconds are not.

- The *minimum* is written by hand: it scans the cookies, looks up the session, clones an \`Arc\` and inserts an extension. It checks
  no expiry, idle timeout, clock or public path.
- *bare* is the app without anything in front of it.
- Callgrind counts the instructions.
- Half of all rounds are between the *quartiles*.
- A *server on loopback* is an axum server. It has a thread of its own, whose processor time counts. It serves one connection, with
  one request at a time. All threads share one processor, because the time depends on where the system wakes them.

END
    bench time public growth threads allocations instructions redis loopback
}

flow() {
    cat <<END
## What a sign-in and a refresh cost

The benchmark \`cost\` measures processor time of the app alone. The provider is another process, and its connections stay open.

- A sign-in is the redirect to the provider, the callback, and the exchange of the code. The visitor opens a connection to an axum
  server for it. Its *minimum* sends the same token request and answers with redirects of similar size, but checks nothing.
- A refresh is a request in the process itself whose token has expired. The *call* is the same token request, sent by a reqwest client
  with its defaults, which reads the answer but does not parse it.
- Of 1,000 refreshes at once, both send 64 at a time. Each is a task of its own.
- The instructions are those of the process alone, without the kernel's. SHA-256 has no hardware support there.

END
    bench sign_in renewal
}

peers() {
    cat <<END
## What a request costs with other crates

\`tests/peers\` measures the processor time of a request from one of 1,000 users. *Relative* is relative to the layer, and *net* is without
the bare app. The aim is to stay close to the hand-written minimum. [Its page](tests/peers/README.md) describes the contenders.

END
    compare cost
}

server() {
    cat <<END
## What a request costs a server

\`tests/peers\` sends signed-in requests over loopback, and measures the processor time of the server's process. The figure to compare is
the time beyond that of the same server without authentication. [Its page](tests/peers/README.md#server-and-signin) describes the
contenders.

END
    compare server
}

signin() {
    cat <<END
## What a sign-in costs

\`tests/peers\` signs users in: the redirect to the provider, the callback and the exchange of the code. The time is the processor time of
the app's process. [Its page](tests/peers/README.md#server-and-signin) describes the contenders.

END
    compare signin
}

stores() {
    cat <<END
## What a request costs with the session in a store

\`tests/peers\` measures the wall time of a request whose session is in SQLite, PostgreSQL or Redis, and counts the questions to the
store. A *warm* node has seen the session before. The aim is no question of a warm node, and one question of a cold one.
[Its page](tests/peers/README.md#stores) describes the contenders.

END
    compare stores
}

life() {
    cat <<END
## Start-up, cold and warm sessions, full tables

The benchmark \`cost\` measures these. Milliseconds are of processor time.

- *From \`build()\` to the first answer*: the request has a session cookie that nobody knows, so the layer asks the store. Each start is a
  process of its own; the figure is the median of eleven. Nothing is sent to the provider. Callgrind counts 86 % of the instructions in
  reading the system's root certificates. The layer reads them in \`build()\`, so that a system without any fails at the start.
- *Questions*: all operations of the store, counted between the layer and the store.
- *Requests that ask the store*: between two requests of a session, other nodes write as many records as they do in that time. A node
  remembers about 500,000 changes, so a session that was unused for longer is read again. The row of Redis runs in real time.
- *Longest stall*: the longest processor time between two polls of a task, on a runtime with one thread. *A listener* is a function of
  \`on_session_event\`.

END
    bench startup cold warm stalls
}

memory() {
    cat <<END
## What a session costs

An access token has 900 characters and a refresh token 64. The benchmark \`cost\` counts allocations for the first row. For the others, a
process of its own signs in a million users, and its resident memory (or Redis' \`used_memory\`) grows by this much.

END
    bench memory resident
    cat <<END

By calculation: with tokens of one hour, a session in use is refreshed after 57 minutes on average. For a million such sessions, all nodes
together refresh 290 a second. A node runs at most 64 refreshes at a time, which is 640 a second if the provider answers in 100 ms.
END
}

redis() {
    cat <<END
## Several nodes with Redis

The scenarios \`redis::notified\` and \`redis::warm\` measure nodes that share a Redis on loopback, in a debug build. A round trip is one script
in Redis. Without notifications means that Redis refuses \`CLIENT TRACKING\`, or that its notifications are lost.

| figure | measured | aim |
|---|---|---|
END
    scenarios redis::notified:: redis::warm::
}

soak() {
    cat <<END
## Under load and failures

\`soak\` runs the axum sample for $minutes minutes with tokens of ten seconds and 600 visitors. The mock provider fails in every way that it can:
it is slow, loses answers, answers nonsense, hangs up and goes away. A flood of anonymous requests follows.

END
    rows cargo run --quiet -p osc-tests --release --bin soak -- --minutes "$minutes"
}

scale() {
    cat <<END
## A million users on three nodes

\`cargo run -p osc-tests --release --bin scale\` simulates them with the layer's own code, in virtual time, once for each kind of store. Users
send a request a minute each, at random. Tokens last an hour, and the provider answers a refresh after 100 ms. Each user of the
simulation stands for 64. A node's limit of 64 refreshes at a time, and the changes that it remembers, are divided by 64 too.

The phases: an hour of sign-ins, half a steady hour, a rolling deploy (each node is away for ten seconds, one every five minutes), an
outage of the provider of an hour, and two hours after it. Without a store the deploy is the last phase. *On paper* is the same figure by
calculation.

The program fails if a session is lost where none may be, if a refresh token is spent twice or before it is due, if a node exceeds its
limit, or if requests are refused while the provider works. Refused requests in the hours after an outage are allowed.

END
    cargo run --quiet -p osc-tests --release --bin scale
}

build() {
    cat <<END
## What the layer adds to a build

\`tests/build-cost.sh\` builds small axum apps from nothing, one after another: two jobs, no cache, the crates already downloaded. It
counts the crates that are compiled, build scripts' included. The app with the layer is the example \`hello_axum\` without its mock. Those
with other crates use them as their documentation does, with default features, so that the linker keeps their code. The binary is stripped.

The second table is from the debug build of the app with the layer. Two crates compile at a time, so the seconds of crates add up to more
than the build took. A crate that two dependencies bring counts in both rows, and in no row of the last two columns.

END
    tests/build-cost.sh
    cat <<END

Cut:

- the private jar of tower-cookies, which brought AES and an older generation of RustCrypto. The layer seals what it keeps with the newer one.
- HTTP/2, character sets and the system's proxy settings, which reqwest has by default
- base64-simd, which decoded the id of a session. A session is found by the text of its cookie now.
- tokio-util: its counted tasks and its cancellation are a few lines with tokio's own channel
- the crate errno, which rustix needs when libc reads the clock

Kept:

- aws-lc-rs, which is reqwest's default. ring has no post-quantum key exchange. Where both are compiled, rustls has no default any more, so
  crates that rely on one panic until the app installs it.
- ICU's tables of \`url\`, which reqwest needs too. Only an app can replace them, and the guide says how.
- tower-cookies, although it brings \`time\`; two versions of tower-http, of which the older one is reqwest's
- rustix, which reads the kernel's coarse clock once a request, in a fraction of the time of a precise reading
END
}

gaps() {
    cat <<END
## Not measured

- machines with more than two cores
- Redis over a network
END
}

if [ $# -gt 0 ]; then
    for section in "$@"; do
        if [[ " ${sections[*]} " != *" $section "* ]]; then
            echo "There is no section $section. The sections are: ${sections[*]}" >&2
            exit 1
        fi
        "$section"
        echo
    done
    exit
fi

page="$(mktemp)"
trap 'rm -f "$page"' EXIT
cat >"$page" <<END
# Benchmarks

\`tests/benchmarks.sh\` took these measurements and wrote this file. To change a text, edit the script. *Aim* is the limit that the project
sets itself. A missed aim is marked.
END
for section in "${sections[@]}"; do
    echo "== $section" >&2
    echo >>"$page"
    "$section" >>"$page"
done
cat "$page" >BENCHMARKS.md
