#!/usr/bin/env bash
# Fuzzes what the judge reads from servers, and what the listener reads from clients
# (libFuzzer, AddressSanitizer, UBSan), each fuzzer for SECONDS (60). An input that
# breaks one is kept in out/fuzz/.
set -euo pipefail

cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
usage: scripts/fuzz.sh [SECONDS]

Fuzzes what the judge reads from servers, and what the listener reads from
clients, each fuzzer for SECONDS (60). An input that breaks one is kept in
out/fuzz/.

Exit status: 0 if none broke, 1 if one did, 2 for wrong usage.
TEXT
}

seconds=${1:-60}
if [[ $* == --help ]]; then
    usage
    exit 0
elif [[ ! $seconds =~ ^[1-9][0-9]{0,5}$ ]] || (($# > 1)); then
    usage >&2
    exit 2
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p out/fuzz
judge=(base/{arena,failure,number,wrapper_names}.c
    leakcheck/judge/{blame,blame_frame,held,library_code,wrappers}.c
    leakcheck/measure/{gunzip,parse_{heap,proto,threads},profile,profile_text}.c
    leakcheck/measure/{json,locks_reply,proto_{mappings,tables,values,wire},replies,resource}.c)

for source in tests/fuzz/*_fuzz.c; do
    name=$(basename "$source" _fuzz.c)
    parts=("${judge[@]}")
    [[ $name != listener ]] || parts=(base/{buffer,distance,number,utf8}.c probe/http/*.c)
    clang -std=c11 -D_GNU_SOURCE -I. -O1 -g -fsanitize=fuzzer,address,undefined,integer \
        -fno-sanitize-recover=undefined,integer -o "$scratch/$name" "$source" "${parts[@]}" \
        -lcjson -lz -lm
    # New inputs go to a directory of this run; the seeds are only read.
    mkdir "$scratch/corpus-$name"
    printf '%s: %s s\n' "$name" "$seconds"
    if ! "$scratch/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -max_len=65536 -print_final_stats=1 -artifact_prefix="out/fuzz/$name-" \
        "$scratch/corpus-$name" "tests/fuzz/seeds/$name" >"$scratch/log" 2>&1; then
        tail -n 40 "$scratch/log" >&2
        printf '%s: FAILED, the input is in out/fuzz/\n' "$name" >&2
        exit 1
    fi
    grep -E 'number_of_executed_units' "$scratch/log"
done
rmdir --ignore-fail-on-non-empty out/fuzz out
