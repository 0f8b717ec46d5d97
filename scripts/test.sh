#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test. The last line says
# "N passed, N failed"; exits 1 unless all passed. With words as arguments it runs only
# the test programs whose path contains one of them. BUILD=DIR keeps and reuses a build.
set -euo pipefail

cd "$(dirname "$0")/.."
started=$SECONDS
./scripts/setup.sh --tests

scratch=$(mktemp -d)
runner=
# shellcheck disable=SC2317 # It is reached: through the trap.
clean_up() {
    # Ending the runner ends every test and what the tests started.
    if [[ -n $runner ]] && kill -TERM "$runner" 2>/dev/null; then
        wait "$runner" || true
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Tests write their own temporary files in there too, so that nothing is left behind.
export TMPDIR=$scratch
export PYTHONDONTWRITEBYTECODE=1
export BUILD=${BUILD:-$scratch/build}
# The run must not depend on what the caller's shell has set.
unset NO_COLOR MAKEFLAGS MAKELEVEL MAKEOVERRIDES
export LC_ALL=C.UTF-8

printf 'building\n'
if ! make -s -j"$(nproc)" build unit-programs >"$scratch/build.log" 2>&1; then
    cat "$scratch/build.log"
    printf 'the build failed\n0 passed, 1 failed\n'
    exit 1
fi
printf 'built in %d s\n' $((SECONDS - started))

programs=()
for program in tests/e2e/*_test.* "$BUILD"/tests/unit/*_test; do
    if (($# == 0)); then
        programs+=("$program")
    fi
    for word in "$@"; do
        if [[ $program == *"$word"* ]]; then
            programs+=("$program")
        fi
    done
done

# In the background, so that this script handles a signal at once.
tests/run.py "${programs[@]}" </dev/null &
runner=$!
failed=0
wait "$runner" || failed=1
runner=
exit "$failed"
