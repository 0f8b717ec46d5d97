#!/usr/bin/env bash
# How often leakcheck's trend test is right, on simulated servers: of RUNS runs each
# (1000), how many it calls a leak, how many it calls clean, and how many stay open.
set -euo pipefail

cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

gcc -std=c11 -D_GNU_SOURCE -O2 -I. -o "$scratch/trend_power" tests/bench/trend_power.c \
    leakcheck/judge/{trend,fit}.c -lm
"$scratch/trend_power" "$@"
