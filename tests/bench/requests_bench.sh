#!/usr/bin/env bash
# The request rate of /healthz with every allocation profiled, against a bare civetweb
# handler without a profiler. Both run at once and are asked in turn, so that a machine
# that is busy for a while slows both down.
set -euo pipefail

readonly rounds=5 seconds=2 connections=4 bound=0.85

cd "$(dirname "$0")/../.."
if ! command -v wrk >/dev/null; then
    printf 'requests: this needs wrk: scripts/setup.sh --tests installs it\n' >&2
    exit 1
fi

scratch=$(mktemp -d)
started=()
# shellcheck disable=SC2317 # It is reached: through the trap.
clean_up() {
    local pid
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Waits until a server has written its first line to a file, and prints the line.
first_line() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        if [[ -s $1 ]]; then
            head -n 1 "$1"
            return
        fi
        sleep 0.05
    done
    printf 'requests: no server after 10 s\n' >&2
    return 1
}

# Requests per second of /healthz on a port.
rate() {
    wrk -t 1 -c "$connections" -d "${seconds}s" "http://127.0.0.1:$1/healthz" |
        awk '/^Requests\/sec:/ { print $2 } /Non-2xx|Socket errors/ { exit 1 }'
}

# The middle one of the numbers on standard input.
median() {
    sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

gcc -std=c11 -D_GNU_SOURCE -O2 -g -o "$scratch/bare" tests/bench/bare_handler.c -lcivetweb
mkfifo "$scratch/until"
"$scratch/bare" <"$scratch/until" >"$scratch/bare.out" &
started+=($!)
exec {until}>"$scratch/until"
"${BUILD:-build}/leaky" --port 0 --debug-port 0 --profile-dir "$scratch/profiles" \
    >"$scratch/leaky.out" 2>/dev/null </dev/null &
started+=($!)

bare_port=$(first_line "$scratch/bare.out")
leaky_port=$(first_line "$scratch/leaky.out" |
    sed -n 's|^leaky: listening on http://[0-9.]*:\([0-9]*\),.*|\1|p')

# The first round is not counted: it warms both up.
for ((round = 0; round <= rounds; round++)); do
    bare=$(rate "$bare_port")
    leaky=$(rate "$leaky_port")
    if ((round > 0)); then
        printf '%s\n' "$bare" >>"$scratch/bare.rates"
        printf '%s\n' "$leaky" >>"$scratch/leaky.rates"
    fi
done
exec {until}>&-

awk -v bare="$(median <"$scratch/bare.rates")" -v leaky="$(median <"$scratch/leaky.rates")" \
    -v bound="$bound" -v rounds="$rounds" 'BEGIN {
    ratio = leaky / bare
    printf "requests: bare civetweb handler       %8.0f /s\n", bare
    printf "requests: /healthz, exact profiling   %8.0f /s (medians of %d)\n", leaky, rounds
    printf "requests: ratio %.2f, at least %.2f wanted: %s\n", ratio, bound, \
        (ratio >= bound ? "ok" : "TOO SLOW")
    exit !(ratio >= bound)
}'
