#!/usr/bin/env bash
# What the lab costs, measured: runs each tests/bench/*_bench.* in turn. Each prints its
# figures, and fails when one is over its limit. BUILD=DIR says where the servers are.
set -euo pipefail

cd "$(dirname "$0")/.."
BUILD=$(realpath "${BUILD:-build}")
export BUILD
failed=0
for bench in tests/bench/*_bench.*; do
    "$bench" || failed=1
done
exit "$failed"
