#!/usr/bin/env bash
# What the lab costs, measured: runs each tests/bench/*_bench.* in turn. Each prints its
# figures, and fails when one is over its limit. BUILD=DIR says where the servers are.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/bench.sh

Measures what the lab costs. Each measurement has a bound.
BUILD=DIR says where the servers are: make bench builds them first.

Exit status: 0 if none is past its bound, 1 if one is, 2 for wrong usage.
TEXT
}

if [[ $* == --help ]]; then
    usage
    exit 0
elif (($# > 0)); then
    usage >&2
    exit 2
fi

cd "$(dirname "$0")/.."
BUILD=$(realpath "${BUILD:-build}")
export BUILD
failed=0
for bench in tests/bench/*_bench.*; do
    "$bench" || failed=1
done
exit "$failed"
