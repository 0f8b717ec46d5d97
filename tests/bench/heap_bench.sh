#!/usr/bin/env bash
# What a heap profile costs. It must not depend on the number of live objects, must grow
# in step with the number of stacks, and may cost little more than gperftools' own text,
# which it is made from.
set -euo pipefail
shopt -s extglob

readonly objects=(1000 10000 100000 1000000) few=100
readonly stacks=(500 1000 2000) many=100000
readonly bound=1.2 flat_bound=2.0 linear_bound=1.5

cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# Compiled as the lab is, so that each call has a frame of its own.
gcc -std=c11 -D_GNU_SOURCE -I. -Icommon -Og -g -fno-inline -fno-omit-frame-pointer \
    -fno-optimize-sibling-calls -fno-builtin-malloc -pthread -o "$scratch/heap_cost" \
    tests/bench/heap_cost.c "$BUILD"/objects/probe/heap/!(*_libc|*_preload).o \
    "$BUILD"/objects/probe/{process,proto,recorder,stacks,symbols}/*.o \
    "$BUILD"/objects/base/*.o -ldw -lelf -ltcmalloc

# Measures one case and keeps its row: objects, stacks, GetHeapProfile, first, later.
measure() {
    local row
    row="$1 $2 $("$scratch/heap_cost" "$1" "$2")"
    printf '%s\n' "$row" >>"$scratch/$3"
    awk '{ printf "heap: %7d objects, %4d stacks: GetHeapProfile %5d us, profile.proto " \
        "first %5d us, later %5d us (%.2f times)\n", $1, $2, $3, $4, $5, $5 / $3 }' \
        <<<"$row"
}

for count in "${objects[@]}"; do
    measure "$count" "$few" by_objects
done
for count in "${stacks[@]}"; do
    measure "$many" "$count" by_stacks
done

# Compares a figure with its limit.
verdict() {
    awk -v what="$1" -v value="$2" -v bound="$3" 'BEGIN {
        good = value <= bound
        printf "heap: %s: %.2f, at most %.1f wanted: %s\n", what, value, bound,
            good ? "ok" : "TOO SLOW"
        exit !good
    }'
}

flat=$(awk 'NR == 1 { low = high = $5 } { if ($5 < low) low = $5; if ($5 > high) high = $5 }
    END { print high / low }' "$scratch/by_objects")
linear=$(awk 'NR == 1 { each = $5 / $2 } END { print $5 / $2 / each }' "$scratch/by_stacks")
worst=$(awk '$5 / $3 > worst { worst = $5 / $3 } END { print worst }' \
    "$scratch/by_objects" "$scratch/by_stacks")
failed=0
verdict "slowest against fastest, by live objects" "$flat" "$flat_bound" || failed=1
verdict "time per stack, most against fewest stacks" "$linear" "$linear_bound" || failed=1
verdict "a later profile.proto against GetHeapProfile" "$worst" "$bound" || failed=1
exit "$failed"
