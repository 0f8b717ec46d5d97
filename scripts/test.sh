#!/usr/bin/env bash
# Installs what is missing, builds, and runs the tests: those that measure time or load by
# themselves, after all others. The last line says "N passed, N failed"; exits 1 unless
# all passed, and some did.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/test.sh [--quick | --long] [--seed N] [WORD]...

Runs the tests. With WORDs, only those whose path or name contains one of
them, such as routes_test or test_leaves.

  --quick   leave out what is slow: for daily work
  --long    run every case of all proofs, for as long as it takes
  --seed N  choose the same cases as the run that printed this seed
  --help    this text

BUILD=DIR keeps and reuses a build; LAB_SEED=N means --seed N.
TEXT
}

wrong_usage() {
    printf 'test.sh: %s\n' "$1" >&2
    usage >&2
    exit 2
}

options=()
depth=
seed=${LAB_SEED:-$RANDOM}
while (($# > 0)); do
    case $1 in
    --quick | --long)
        [[ -z $depth || $depth == "$1" ]] || wrong_usage "$depth and $1 exclude each other"
        depth=$1
        ;;
    --seed)
        seed=${2:-}
        shift
        ;;
    --help)
        usage
        exit 0
        ;;
    -*) wrong_usage "unknown option $1" ;;
    *) options+=(--word "$1") ;;
    esac
    shift || wrong_usage '--seed needs a number'
done
[[ $seed =~ ^[0-9]{1,9}$ ]] || wrong_usage "no seed: '$seed'"
options+=(--seed "$seed" ${depth:+"$depth"})

cd "$(dirname "$0")/.."
source scripts/lib/end-all.sh
started=$SECONDS
./scripts/setup.sh --tests

passed=0
failed=0
skipped=0
scratch=$(mktemp -d)
running= # the process that is waited for

# However the run ends, the last line says how many passed.
# shellcheck disable=SC2317 # It is reached: through the trap.
finish() {
    local status=$?
    trap '' INT TERM HUP
    if [[ -n $running ]]; then
        # Ending pytest ends every test and what the tests started.
        end_all "$running"
    fi
    rm -rf "$scratch"
    if ((status != 0)); then
        printf 'ended early\n'
        failed=$((failed + 1))
    elif ((passed == 0 && failed == 0)); then
        printf 'no test was run\n'
        status=1
    elif ((failed > 0)); then
        status=1
    fi
    printf 'seed %s, %d s\n' "$seed" $((SECONDS - started))
    printf '%d passed, %d failed%s\n' "$passed" "$failed" \
        "$( ((skipped == 0)) || printf ', %d skipped' "$skipped")"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

export PYTHONDONTWRITEBYTECODE=1
export BUILD=${BUILD:-$scratch/build}
# The run must not depend on what the caller's shell has set.
unset NO_COLOR MAKEFLAGS MAKELEVEL MAKEOVERRIDES PYTEST_ADDOPTS
export LC_ALL=C.UTF-8

# Runs a command in the background, so that this script handles a signal at once.
run() {
    local status=0
    "$@" </dev/null &
    running=$!
    wait "$running" || status=$?
    running=
    return "$status"
}

# Runs pytest with these options, and adds what it counted.
run_tests() {
    local status=0 counts=$scratch/counts one=0 two=0 three=0
    rm -f "$counts"
    run /usr/bin/python3 -m pytest -q --counts "$counts" "${options[@]}" "$@" tests ||
        status=$?
    if [[ -e $counts ]]; then
        read -r one two three <"$counts"
    fi
    # Status 5: none of the tests is for this run. Any other failure counts, even if
    # no failed test was counted.
    if ((two == 0 && status != 0 && status != 5)) || [[ ! -e $counts ]]; then
        printf 'pytest ended with %d\n' "$status"
        two=1
    fi
    passed=$((passed + one))
    failed=$((failed + two))
    skipped=$((skipped + three))
}

printf 'building\n'
if ! run make -s -j"$(nproc)" build unit-programs >"$scratch/build.log" 2>&1; then
    cat "$scratch/build.log"
    printf 'the build failed\n'
    exit 1
fi
printf 'built in %d s, seed %s\n' $((SECONDS - started)) "$seed"
# Some tests run others in a copy of the tree, where a path from here leads elsewhere.
BUILD=$(realpath "$BUILD")

# More tests at a time than cores, because many of them wait most of the time.
run_tests -n 5 --dist loadgroup -m 'not alone'
run_tests -n 1 -m alone
