#!/usr/bin/env bash
# Watches the lab as a team would: Debian's Prometheus with the configuration, the rules
# and the page of monitoring/. Starts both servers if they are not there, and ends all
# that it started.
set -euo pipefail

readonly default_urls=(http://localhost:8080 http://localhost:8081)
readonly most_data=512MB # Prometheus removes the oldest data beyond that

usage() {
    cat <<'TEXT'
usage: scripts/monitor.sh [OPTION]... [URL]...

Watches servers with Prometheus until Ctrl-C: those of the URLs, such as
http://localhost:8080 or any debug port. Without a URL these are leaky and
fixed on their own ports, and the one that is not there is started.

  --fast          what takes minutes in real life takes as many seconds: an
                  alert half a minute after a leak began
  --port N        where Prometheus listens, on 127.0.0.1 (9090; 0: any free
                  port)
  --data DIR      configuration and data (out/monitor), a directory of its
                  own; what was measured there before is kept, 512 MB at most
  --targets FILE  whom to watch: a file of targets, as Prometheus reads them
                  (.json or .yml), or a pattern in quotes: 'class/*.json'
  --help          this text

Prometheus is unpacked, not installed: into build/prometheus, or the directory
that PROMETHEUS names if it is set. BUILD=DIR says where the servers are.

Exit status: 0 after Ctrl-C or SIGTERM, 1 if it cannot run, 2 for wrong usage.
TEXT
}

wrong_usage() {
    printf 'monitor.sh: %s\n' "$1" >&2
    usage >&2
    exit 2
}

fail() {
    printf 'monitor.sh: %s\n' "$*" >&2
    exit 1
}

fast=no
port=9090
data=
targets=
urls=()
while (($# > 0)); do
    case $1 in
    --fast) fast=yes ;;
    --port | --data | --targets)
        [[ -n ${2:-} ]] || wrong_usage "$1 needs a value"
        case $1 in
        --port) port=$2 ;;
        --data) data=$2 ;;
        --targets) targets=$2 ;;
        esac
        shift
        ;;
    --help)
        usage
        exit 0
        ;;
    -*) wrong_usage "unknown option $1" ;;
    *) urls+=("$1") ;;
    esac
    shift
done
if ! [[ $port =~ ^[0-9]{1,5}$ ]] || ((10#$port > 65535)); then
    wrong_usage "no port: '$port'"
fi
for url in "${urls[@]}"; do
    [[ $url =~ ^http://[A-Za-z0-9._-]+(:[0-9]{1,5})?/?$ ]] ||
        wrong_usage "no URL of a server, http://HOST:PORT: '$url'"
done
if [[ -n $targets ]]; then
    ((${#urls[@]} == 0)) || wrong_usage '--targets and URLs exclude each other'
    [[ $targets =~ \.(json|ya?ml)$ ]] ||
        wrong_usage "neither .json nor .yml: '$targets'"
    compgen -G "$targets" >/dev/null || fail "no such file: $targets"
    # Prometheus reads a path that is not absolute from where its configuration is.
    [[ $targets == /* ]] || targets=$PWD/$targets
    [[ $targets != *[\'\"\\]* ]] || wrong_usage "quotes or backslashes in '$targets'"
fi
[[ -z $data || $data == /* ]] || data=$PWD/$data

cd "$(dirname "$0")/.."
source scripts/lib/end-all.sh
build=${BUILD:-build}
data=${data:-out/monitor}
programs=${PROMETHEUS:-$build/prometheus}

# -- what was started, and its end -----------------------------------------------------

started=() # process ids

# shellcheck disable=SC2317 # It is reached: through the trap.
clean_up() {
    local status=$?
    trap - EXIT
    trap '' INT TERM HUP PIPE
    set +e
    end_all "${started[@]}"
    exit "$status"
}
trap clean_up EXIT
# Being stopped is how it ends when all is well.
trap 'exit 0' INT TERM
trap 'exit 129' HUP

# Starts a program in a session of its own, so that Ctrl-C reaches this script alone; it
# ends with this script even if that is killed. Its output goes to DATA/<name>.log.
start() {
    local name=$1
    shift
    setsid setpriv --pdeathsig TERM "$@" >"$data/$name.log" 2>&1 </dev/null 9>&- &
    started+=("$!")
}

# Waits until a command succeeds, as long as the program that was started last runs.
await() {
    local name=$1 turn
    shift
    for ((turn = 0; turn < 600; turn++)); do
        if "$@"; then
            return
        fi
        kill -0 "${started[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    fail "$name does not start: $(tail -n 3 "$data/$name.log")"
}

# -- the servers -----------------------------------------------------------------------

answers() {
    curl -s -f -o /dev/null -m 5 "$1/healthz"
}

# Starts leaky or fixed on its own ports.
start_server() {
    [[ -x $build/$1 ]] || fail "there is no $build/$1 yet: make build"
    start "$1" "$build/$1" --profile-dir "$data/profiles"
    await "$1" answers "$2"
    printf 'Started %s: %s\n' "$1" "$2"
}

start_missing() {
    answers "${default_urls[0]}" || start_server leaky "${default_urls[0]}"
    answers "${default_urls[1]}" || start_server fixed "${default_urls[1]}"
}

# -- Prometheus ------------------------------------------------------------------------

# Copies a file of monitoring/; with --fast its minutes become seconds.
configure() {
    local change=()
    if [[ $fast == yes ]]; then
        change=(-e 's/\b5s\b/1s/' -e 's/\b([0-9]+)m\b/\1s/g')
    fi
    sed -E "${change[@]}" -e '' "monitoring/$1" >"$data/$1"
}

write_configuration() {
    local separator='' url
    rm -rf "$data/targets"
    mkdir -p "$data/targets" "$data/consoles"
    configure rules.yml
    configure prometheus.yml
    cp monitoring/consoles/*.html "$data/consoles/"
    if [[ -n $targets ]]; then
        # Of sed's own characters a path may have these.
        targets=${targets//&/\\&}
        sed -i "s|targets/\*\.json$|'${targets//|/\\|}'|" "$data/prometheus.yml"
        return
    fi
    {
        printf '[{"targets": ['
        for url in "${urls[@]}"; do
            url=${url#http://}
            url=${url%/}
            [[ $url == *:* ]] || url+=:80
            printf '%s"%s"' "$separator" "$url"
            separator=', '
        done
        printf ']}]\n'
    } >"$data/targets/urls.json"
}

# Sets `address` once Prometheus has said which port it has, and is ready.
address=
# shellcheck disable=SC2317 # await calls it.
is_ready() {
    address=$(sed -n 's/.*"Listening on".* address=\([0-9.:]*\).*/\1/p' \
        "$data/prometheus.log" | tail -n 1)
    [[ -n $address ]] && curl -s -f -o /dev/null -m 5 "http://$address/-/ready"
}

start_prometheus() {
    start prometheus "$programs/prometheus" --config.file="$data/prometheus.yml" \
        --storage.tsdb.path="$data/data" --storage.tsdb.retention.size="$most_data" \
        --web.listen-address="127.0.0.1:$port" --web.console.templates="$data/consoles" \
        --web.cors.origin=none # as it is, the page of any site could read it
    await prometheus is_ready
}

# The servers that an expression is true of, one a line.
servers_with() {
    curl -s -f -m 5 -G "http://$address/api/v1/query" --data-urlencode "query=$1" |
        grep -o '"instance":"[^"]*"' | cut -d '"' -f 4 || true
}

# Whether every server has been read once, whatever came of it.
all_are_read() {
    local states
    states=$(curl -s -f -m 5 "http://$address/api/v1/targets?state=active") || return 1
    [[ $states == *'"health":'* && $states != *'"health":"unknown"'* ]]
}

# Says how many servers answer, and which do not. The first reading of each takes until
# its turn comes: at most some seconds.
say_who_answers() {
    local turn up away=()
    for ((turn = 0; turn < 150; turn++)); do
        if all_are_read; then
            break
        fi
        sleep 0.1
    done
    up=$(servers_with 'up == 1' | wc -l)
    mapfile -t away < <(servers_with 'up == 0')
    printf 'Servers that answer: %s\n' "$up"
    ((${#away[@]} == 0)) || printf 'Does not answer: %s\n' "${away[@]}"
}

# -- the work --------------------------------------------------------------------------

for command in curl flock setpriv; do
    command -v "$command" >/dev/null || fail "$command is not there: scripts/setup.sh"
done
if [[ -n $(ls -A "$data" 2>/dev/null) && ! -e $data/monitor.lock ]]; then
    # It would write over what has the same name.
    fail "$data has files of others: --data needs a directory of its own"
fi
mkdir -p "$data" || fail "no directory $data"
exec 9>"$data/monitor.lock"
flock -n 9 || fail "another monitor.sh uses $data: give this one --data DIR"
./scripts/prometheus-unpack.sh "$programs" || fail 'there is no Prometheus'
if [[ -z $targets ]] && ((${#urls[@]} == 0)); then
    start_missing
    urls=("${default_urls[@]}")
fi
write_configuration
"$programs/promtool" check config "$data/prometheus.yml" >"$data/check.log" 2>&1 ||
    fail "$(cat "$data/check.log")"
start_prometheus

printf 'Prometheus: http://%s/consoles/lab.html watches %s\n' "$address" \
    "${targets:-${urls[*]}}"
cat <<TEXT
Alerts there: InUseClimbs, ThreadsClimb, RestartsInARow, and of the heap, threads,
descriptors and timers ...NearLimit. ServerAway, HeapNotMeasured and NobodyWatched
say what cannot be seen. End with Ctrl-C.
TEXT
say_who_answers
# The shell handles a signal at once while it waits.
wait "${started[-1]}" || true
fail "Prometheus has ended: $(tail -n 3 "$data/prometheus.log")"
