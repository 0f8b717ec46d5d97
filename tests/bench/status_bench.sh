#!/usr/bin/env bash
# How often /status answers, with every allocation profiled, against a page of a Go
# program that replies with runtime.MemStats as JSON. Both run at once and are asked in
# turn, so that a machine that is busy for a while slows both down. The Go program reads
# its figures for every reply; the lab has more of them, which are at most 10 ms old.
set -euo pipefail

readonly rounds=5 seconds=2 connections=4 bound=1.0

cd "$(dirname "$0")/../.."
for program in wrk go; do
    if ! command -v "$program" >/dev/null; then
        printf 'status: this needs %s: scripts/setup.sh --tests installs it\n' \
            "$program" >&2
        exit 1
    fi
done

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
    printf 'status: no server after 10 s\n' >&2
    return 1
}

# Requests per second of a path on a port.
rate() {
    wrk -t 1 -c "$connections" -d "${seconds}s" "http://127.0.0.1:$1$2" |
        awk '/^Requests\/sec:/ { print $2 } /Non-2xx|Socket errors/ { exit 1 }'
}

# The middle one of the numbers on standard input.
median() {
    sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

GOCACHE=$scratch/cache go build -o "$scratch/memstats" tests/bench/memstats/main.go
mkfifo "$scratch/until"
"$scratch/memstats" <"$scratch/until" >"$scratch/memstats.out" &
started+=($!)
exec {until}>"$scratch/until"
"${BUILD:-build}/leaky" --port 0 --debug-port 0 --profile-dir "$scratch/profiles" \
    >"$scratch/leaky.out" 2>/dev/null </dev/null &
started+=($!)

go_port=$(first_line "$scratch/memstats.out")
leaky_port=$(first_line "$scratch/leaky.out" |
    sed -n 's|^leaky: listening on http://[0-9.]*:\([0-9]*\),.*|\1|p')

# The first round is not counted: it warms both up.
for ((round = 0; round <= rounds; round++)); do
    go_rate=$(rate "$go_port" /status)
    status=$(rate "$leaky_port" /status)
    metrics=$(rate "$leaky_port" /metrics)
    if ((round > 0)); then
        printf '%s\n' "$go_rate" >>"$scratch/go.rates"
        printf '%s\n' "$status" >>"$scratch/status.rates"
        printf '%s\n' "$metrics" >>"$scratch/metrics.rates"
    fi
done
exec {until}>&-

awk -v go="$(median <"$scratch/go.rates")" -v status="$(median <"$scratch/status.rates")" \
    -v metrics="$(median <"$scratch/metrics.rates")" -v bound="$bound" \
    -v rounds="$rounds" 'BEGIN {
    ratio = status / go
    printf "status: MemStats page of a Go program %8.0f /s\n", go
    printf "status: /status, exact profiling      %8.0f /s (medians of %d)\n", status, rounds
    printf "status: /metrics, exact profiling     %8.0f /s\n", metrics
    printf "status: ratio %.2f, at least %.2f wanted: %s\n", ratio, bound, \
        (ratio >= bound ? "ok" : "TOO SLOW")
    exit !(ratio >= bound)
}'
