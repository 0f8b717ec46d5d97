# Sourced by the scripts that start processes: how these are ended.
# shellcheck shell=bash

# Ends processes, and waits until they have ended; what is there after 20 seconds is
# killed. Not by `wait`: if a signal ended one wait while its process was ending, bash's
# next wait for that process may never return (4 of 100 times, bash 5.2).
end_all() {
    local pid turn
    for pid in "$@"; do
        # A leader of a session is ended with all that it started there.
        kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
    done
    for ((turn = 0; turn < 1000; turn++)); do
        # True as long as one of them is there. bash reaps them while it waits for sleep.
        kill -0 "$@" 2>/dev/null || return 0
        sleep 0.02
    done
    kill -KILL "$@" 2>/dev/null || true
}
