#!/usr/bin/env bash
# The request rate of /healthz with every allocation profiled, against a bare civetweb
# handler without a profiler.
set -euo pipefail

readonly measured=requests bound=0.85

cd "$(dirname "$0")/../.."
# shellcheck source=tests/bench/in_turn.sh
source tests/bench/in_turn.sh
need wrk

gcc -std=c11 -D_GNU_SOURCE -O2 -g -o "$scratch/bare" tests/bench/bare_handler.c -lcivetweb
start_other "$scratch/bare"
start_leaky

# The first round is not counted: it warms both up.
for ((round = 0; round <= rounds; round++)); do
    bare=$(rate "$other_port" /healthz)
    leaky=$(rate "$leaky_port" /healthz)
    if ((round > 0)); then
        printf '%s\n' "$bare" >>"$scratch/bare.rates"
        printf '%s\n' "$leaky" >>"$scratch/leaky.rates"
    fi
done

awk -v bare="$(median "$scratch/bare.rates")" -v leaky="$(median "$scratch/leaky.rates")" \
    -v bound="$bound" -v rounds="$rounds" 'BEGIN {
    ratio = leaky / bare
    printf "requests: bare civetweb handler       %8.0f /s\n", bare
    printf "requests: /healthz, exact profiling   %8.0f /s (medians of %d)\n", leaky, rounds
    printf "requests: ratio %.2f, at least %.2f wanted: %s\n", ratio, bound, \
        (ratio >= bound ? "ok" : "TOO SLOW")
    exit !(ratio >= bound)
}'
