#!/usr/bin/env bash
# How often /status answers, with every allocation profiled, against a page of a Go
# program that replies with runtime.MemStats as JSON. The Go program reads its figures
# for every reply; the lab has more of them, which are at most 10 ms old.
set -euo pipefail

readonly measured=status bound=1.0

cd "$(dirname "$0")/../.."
# shellcheck source=tests/bench/in_turn.sh
source tests/bench/in_turn.sh
need wrk go

GOCACHE=$scratch/cache go build -o "$scratch/memstats" tests/bench/memstats/main.go
start_other "$scratch/memstats"
start_leaky

# The first round is not counted: it warms both up.
for ((round = 0; round <= rounds; round++)); do
    go_rate=$(rate "$other_port" /status)
    status=$(rate "$leaky_port" /status)
    metrics=$(rate "$leaky_port" /metrics)
    if ((round > 0)); then
        printf '%s\n' "$go_rate" >>"$scratch/go.rates"
        printf '%s\n' "$status" >>"$scratch/status.rates"
        printf '%s\n' "$metrics" >>"$scratch/metrics.rates"
    fi
done

awk -v go="$(median "$scratch/go.rates")" -v status="$(median "$scratch/status.rates")" \
    -v metrics="$(median "$scratch/metrics.rates")" -v bound="$bound" \
    -v rounds="$rounds" 'BEGIN {
    ratio = status / go
    printf "status: MemStats page of a Go program %8.0f /s\n", go
    printf "status: /status, exact profiling      %8.0f /s (medians of %d)\n", status, rounds
    printf "status: /metrics, exact profiling     %8.0f /s\n", metrics
    printf "status: ratio %.2f, at least %.2f wanted: %s\n", ratio, bound, \
        (ratio >= bound ? "ok" : "TOO SLOW")
    exit !(ratio >= bound)
}'
