#!/usr/bin/env bash
# What leakprobe's recorder costs, against heaptrack in the same run: CPU time of a pair of
# malloc and free with a stack of 12 frames, alone and in several threads, and memory for
# each block in use.
set -euo pipefail

readonly threads=(1 2 8)
readonly turns=5 # of each measurement, one after the other: the median counts
readonly choices=(0 10 14) # calls on the way that are one of two: 1, 1,024, 16,384 stacks
readonly heaptrack_bound=0.5 threads_bound=2.0 memory_bound=100

cd "$(dirname "$0")/../.."
BUILD=$(realpath "${BUILD:-build}")
if ! command -v heaptrack >/dev/null; then
    printf 'recorder: this needs heaptrack: scripts/setup.sh --tests installs it\n' >&2
    exit 1
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# The objects of the library, in the program itself.
objects=("$BUILD"/pic/probe/recorder/*.o "$BUILD"/pic/base/*.o)
for name in preload/{malloc,operator,dl}_calls calls/real_function \
    process/descriptors stacks/stacks stacks/hash_table; do
    objects+=("$BUILD/pic/probe/$name.o")
done
compile() {
    gcc -std=c11 -D_GNU_SOURCE -I. -O1 -g -fno-optimize-sibling-calls \
        -fno-builtin-malloc -pthread -o "$scratch/$1" "${@:2}" tests/bench/recorder_cost.c
}
compile plain -DPLAIN
compile recorded "${objects[@]}"

median() {
    sort -n "$scratch/$1" | sed -n "$(((turns + 1) / 2))p"
}

for count in "${threads[@]}"; do
    rm -f "$scratch"/{bare,exact,sampled,other}
    for ((turn = 0; turn < turns; turn++)); do
        "$scratch/plain" bare "$count" >>"$scratch/bare"
        "$scratch/recorded" exact "$count" >>"$scratch/exact"
        "$scratch/recorded" sampled "$count" >>"$scratch/sampled"
        heaptrack -o "$scratch/heaptrack" "$scratch/plain" bare "$count" 2>&1 |
            grep -E '^[0-9.]+$' >>"$scratch/other"
    done
    bare=$(median bare)
    exact=$(median exact)
    sampled=$(median sampled)
    other=$(median other)
    printf '%s %s\n' "$count" "$exact" >>"$scratch/by_threads"
    if ((count == 1)); then
        ratio=$(awk -v ours="$exact" -v other="$other" 'BEGIN { print ours / other }')
    fi
    printf 'recorder: %d threads, CPU time of a pair: bare %.0f ns, exact %.0f ns, ' \
        "$count" "$bare" "$exact"
    printf 'sampled %.0f ns, heaptrack %.0f ns\n' "$sampled" "$other"
done

# Compares a figure with its limit.
verdict() {
    awk -v what="$1" -v value="$2" -v bound="$3" 'BEGIN {
        good = value <= bound
        printf "recorder: %s: %.2f, at most %.1f wanted: %s\n", what, value, bound,
            good ? "ok" : "TOO MUCH"
        exit !good
    }'
}

slower=$(awk 'NR == 1 { alone = $2 } $2 / alone > worst { worst = $2 / alone }
    END { print worst }' "$scratch/by_threads")
failed=0
verdict "exact against heaptrack" "$ratio" "$heaptrack_bound" || failed=1
verdict "a pair in several threads against one" "$slower" "$threads_bound" || failed=1
for count in "${choices[@]}"; do
    bytes=$("$scratch/recorded" blocks "$count")
    verdict "bytes for each of 1,000,000 blocks in use, from $((1 << count)) stacks" \
        "$bytes" "$memory_bound" || failed=1
done
exit "$failed"
