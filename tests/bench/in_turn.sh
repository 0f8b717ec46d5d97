# For measurements that compare the request rates of two servers, to be sourced: both run
# at once and are asked in turn, so that a machine that is busy for a while slows both
# down. Needs `measured`, the name in messages. Makes the directory `scratch`, which goes
# at the end with the servers whose process ids are in `started`.
# shellcheck shell=bash disable=SC2154 # `measured` is set by the script that sources it

# shellcheck disable=SC2034 # the scripts use the first one
readonly rounds=5 seconds=2 connections=4

source scripts/lib/end-all.sh

# Ends the measurement if a program is missing.
need() {
    local program
    for program in "$@"; do
        if ! command -v "$program" >/dev/null; then
            printf '%s: this needs %s: scripts/setup.sh --tests installs it\n' \
                "$measured" "$program" >&2
            exit 1
        fi
    done
}

scratch=$(mktemp -d)
started=()
# shellcheck disable=SC2317 # It is reached: through the trap.
clean_up() {
    end_all "${started[@]}"
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Starts a program that writes its port as its first line, and runs until its standard
# input ends; sets `other_port`. The input ends with this script.
start_other() {
    local until
    mkfifo "$scratch/until"
    "$1" <"$scratch/until" >"$scratch/other.out" &
    started+=($!)
    exec {until}>"$scratch/until"
    other_port=$(first_line "$scratch/other.out")
}

# Starts the leaky server; sets `leaky_port`.
start_leaky() {
    "${BUILD:-build}/leaky" --port 0 --debug-port 0 --profile-dir "$scratch/profiles" \
        >"$scratch/leaky.out" 2>/dev/null </dev/null &
    started+=($!)
    leaky_port=$(first_line "$scratch/leaky.out" |
        sed -n 's|^leaky: listening on http://[0-9.]*:\([0-9]*\),.*|\1|p')
}

# Waits until a server has written its first line to a file, and prints the line.
first_line() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        if [[ -s $1 ]]; then
            head -n 1 "$1"
            return
        fi
        sleep 0.05
    done
    printf '%s: no server after 10 s\n' "$measured" >&2
    return 1
}

# Requests per second of a path on a port.
rate() {
    wrk -t 1 -c "$connections" -d "${seconds}s" "http://127.0.0.1:$1$2" |
        awk '/^Requests\/sec:/ { print $2 } /Non-2xx|Socket errors/ { exit 1 }'
}

# The middle one of the numbers in a file.
median() {
    sort -n "$1" | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}
