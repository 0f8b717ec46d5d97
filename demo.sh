#!/usr/bin/env bash
# The walk-through of the leak lab, from nothing to a verdict: installs what is missing,
# builds, runs both servers side by side under the same load, and shows what grew, and
# who holds it.
set -euo pipefail

readonly rounds=5 # calls of each scenario on each server, after one to warm up

usage() {
    cat <<'TEXT'
usage: ./demo.sh [--keep] [--help]

Builds the lab, starts both servers, drives every scenario on both, compares
their heap profiles, starts both again with the lab's own profiler, and judges:
does the leaky server leak what it declares, and who holds it? Does the fixed
one keep nothing, and are its answers right? It takes about a minute. What it
writes is in build/ and out/; what an earlier run wrote into out/ is replaced.

  --keep   leave both servers running at the end
  --help   this text

PPROF, if set, is the program that reads the dumps. Otherwise that is
google-pprof, or go tool pprof where Debian has no google-pprof any more.

Exit status: 0 if every leak was shown, every fix held and no answer was wrong,
1 if not, 2 for wrong usage.
TEXT
}

keep=no
while (($# > 0)); do
    case $1 in
    --keep) keep=yes ;;
    --help)
        usage
        exit 0
        ;;
    *)
        case $1 in
        -*) printf 'demo.sh: unknown option %s\n' "$1" >&2 ;;
        *) printf "demo.sh: unexpected argument '%s'\n" "$1" >&2 ;;
        esac
        usage >&2
        exit 2
        ;;
    esac
    shift
done

cd "$(dirname "$0")"
source scripts/lib/end-all.sh

bold='' dim='' red='' green='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
fi

# -- what was started, and its end -----------------------------------------------------

exec 3>&2  # for the last message: a signal may come while stderr goes to a file
servers=() # process ids, leaky first
stage=starting

clean_up() {
    local status=$? pid steps=()
    trap - EXIT
    trap '' INT TERM HUP PIPE
    # When the terminal has gone, printing fails: that must not end the cleaning up.
    set +e
    # Steps, and a server that a signal kept from being noted.
    for pid in $(jobs -pr); do
        if [[ " ${servers[*]} " != *" $pid "* ]]; then
            steps+=("$pid")
        fi
    done
    end_all "${steps[@]}"
    if [[ $stage != finished ]]; then
        printf '\n%sStopped while %s.%s\n' "$red" "$stage" "$plain" >&3
    fi
    if [[ $keep == no || $stage != finished ]]; then
        end_all "${servers[@]}"
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

fail() {
    printf '%sdemo.sh: %s%s\n' "$red" "$*" "$plain" >&2
    exit 1
}

# Runs a command in a session of its own and waits for it. The shell acts on a signal
# only between commands or while it waits, so that Ctrl-C ends the demo at once.
step() {
    setsid "$@" </dev/null 3>&- &
    wait $!
}

# -- telling ---------------------------------------------------------------------------

# A heading, and what the demo is doing from here on.
heading() {
    stage=$2
    printf '\n%s%s%s\n' "$bold" "$1" "$plain"
}

# Breaks long lines of its input for 80 columns, and indents them.
indent() {
    fold -s -w 76 | sed 's/^/  /; s/ *$//'
}

timings=()
clock=${EPOCHREALTIME/[.,]/} # microseconds; some locales write a comma
# Notes how long it took since `clock`; its argument names what.
note_time() {
    local tenths=$(((${EPOCHREALTIME/[.,]/} - clock) / 100000))
    timings+=("$(printf '  %-34s %3d.%d s' "$1" $((tenths / 10)) $((tenths % 10)))")
    clock=${EPOCHREALTIME/[.,]/}
}

# -- the servers -----------------------------------------------------------------------

declare -A url debug process # by the server's name

# Starts a server and waits for its start-up line, which goes to out/<name>.txt. Further
# arguments are options. Returns 1 if it ended instead.
start_server() {
    local name=$1 pid
    shift
    rm -f "out/$name.txt" # of the first try, if this is the second
    # A session of its own, so that Ctrl-C reaches this script alone, which then ends
    # the server, and so that --keep leaves it running when the terminal closes.
    setsid "build/$name" --profile-dir out/profiles --max-timers 10000 "$@" \
        >"out/$name.txt" 2>>"out/$name.log" </dev/null 3>&- &
    pid=$!
    servers+=("$pid")
    while [[ ! -s out/$name.txt ]]; do
        if ! kill -0 "$pid" 2>/dev/null; then
            wait "$pid" || true
            unset 'servers[-1]'
            return 1
        fi
        sleep 0.02
    done
}

# Starts a server on its own ports or, when these are taken, on any free ones.
start_anyhow() {
    local name=$1
    if ! start_server "$name"; then
        printf '%s cannot use its own ports:\n' "$name"
        tail -n 1 "out/$name.log" | indent
        printf 'So it gets free ones instead.\n'
        start_server "$name" --port 0 --debug-port 0 ||
            fail "$name does not start: $(tail -n 3 "out/$name.log")"
    fi
    tell_server "$name"
}

# Notes and prints where the server is that was started last.
tell_server() {
    local name=$1
    process[$name]=${servers[-1]}
    url[$name]=$(sed -n 's|.*listening on \(http://[^,]*\),.*|\1|p' "out/$name.txt")
    debug[$name]=$(sed -n 's|.*debug on \(http://[^,]*\),.*|\1|p' "out/$name.txt")
    printf '  %-6s %-24s debug %-24s pid %s\n' "$name" "${url[$name]}" \
        "${debug[$name]}" "${process[$name]}"
}

# Starts both servers again, on the ports that they had, with the lab's own profiler:
# gperftools' cannot say who holds a block. By now each can be told of the other, so
# that either page shows both.
start_again() {
    local name
    local -A peer=([leaky]=${url[fixed]} [fixed]=${url[leaky]})
    end_all "${servers[@]}"
    servers=()
    for name in leaky fixed; do
        start_server "$name" --profile recorder --peer "${peer[$name]}" \
            --port "${url[$name]##*:}" --debug-port "${debug[$name]##*:}" ||
            fail "$name does not start again: $(tail -n 3 "out/$name.log")"
        tell_server "$name"
    done
}

# Calls every scenario `count` times on a server. {a,b} makes curl ask for a, then b.
drive() {
    local name=$1 count=$2 all
    printf -v all ',%s' "${scenarios[@]}" # not $(...): bash may lose a Ctrl-C there
    step curl -sS --fail-early --fail-with-body -m 60 -o out/reply.json \
        "${url[$name]}/leak/{${all:1}}?id=demo&count=$count" ||
        fail "$name refused a call: $(cat out/reply.json)"
}

# Writes a heap profile: out/profiles/<server>.0001.heap, 0002 and so on.
dump() {
    curl -sS -f -m 20 -o out/reply.json -X POST \
        "${url[$1]}/debug/heap/dump?reason=demo" || fail "$1 writes no heap profile"
}

# Bytes in use, out of the first line of the heap profile:
# "heap profile: OBJECTS: BYTES [...".
heap_in_use() {
    curl -sS -f -m 20 "${url[$1]}/pprof/heap" | awk 'NR == 1 { print $4 }'
}

# "150.4 MiB", for a number of bytes.
in_units() {
    numfmt --to=iec-i --suffix=B --round=nearest --format=%.1f | sed 's/[KMGT]*i*B$/ &/'
}

# What a server uses, in the order of `labels`: its heap by the profile, all else by
# /proc.
labels=('heap in use' 'resident memory' threads descriptors timers)
figures() {
    local name=$1 pid=${process[$1]}
    heap_in_use "$name" | in_units
    awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$pid/status" | in_units
    awk '/^Threads:/ { print $2 }' "/proc/$pid/status"
    find "/proc/$pid/fd" -mindepth 1 | wc -l
    grep -c '^ID:' "/proc/$pid/timers" || true # it counts none, and says so with exit 1
}

# The fixed server gives things back a moment after a call, and its cache forgets after
# a quarter of a second: waits until its heap is the same twice, five seconds at most.
await_rest() {
    local last=0 now turn
    for ((turn = 0; turn < 10; turn++)); do
        now=$(heap_in_use fixed) || fail 'fixed does not say what its heap is'
        if ((now > last - 4096 && now < last + 4096)); then
            return
        fi
        last=$now
        sleep 0.5
    done
}

# -- the profiles ----------------------------------------------------------------------

# Sets `pprof` to the command that reads the dumps. Both programs take the options that
# are used here.
choose_pprof() {
    local command=${PPROF:-google-pprof}
    if [[ -z ${PPROF:-} ]] && ! command -v google-pprof >/dev/null; then
        command='go tool pprof'
        printf "No google-pprof here: Go's pprof reads the same dumps. Its first use may\n"
        printf 'take half a minute, as newer versions of Go compile it then.\n'
        # Go keeps what it compiles below the home directory, which may not be there.
        if [[ -z ${GOCACHE:-} && ! -w ${HOME:-} ]]; then
            export GOCACHE=$PWD/build/go-cache
        fi
    fi
    read -ra pprof <<<"$command"
}

# Asks pprof what grew on a server between its two dumps, and shows the top of that.
show_growth() {
    local name=$1
    local dumps=out/profiles/$name
    printf '%s%s --text --base=%s \\\n  build/%s %s%s\n' "$dim" "${pprof[*]}" \
        "$dumps.0001.heap" "$name" "$dumps.0002.heap" "$plain"
    step "${pprof[@]}" --text --base="$dumps.0001.heap" "build/$name" \
        "$dumps.0002.heap" >"out/$name.pprof.txt" 2>"out/$name.pprof.log" ||
        fail "${pprof[*]} failed: $(tail -n 1 "out/$name.pprof.log")"
    if [[ -s out/$name.pprof.txt ]]; then
        head -n 12 "out/$name.pprof.txt" | cut -c 1-80
    elif [[ $name == fixed ]]; then
        printf 'It prints nothing, because nothing grew.\n'
    else # there is growth, so this is no reader of profiles
        fail "${pprof[*]} prints nothing of what grew on $name"
    fi
}

# -- the end ---------------------------------------------------------------------------

suggest() {
    if [[ $keep == yes ]]; then
        cat <<TEXT
Both servers are still running. Ask them, and stop them when you are done:
  curl '${url[leaky]}/leak/slice-prefix?id=me&count=3'
  curl -s '${url[leaky]}/status' | head -n 20
  curl -s '${url[leaky]}/debug/pprof/goroutine?debug=1' | head -n 20
  curl -s '${url[leaky]}/debug/pprof/retained?debug=1' | head -n 20
  ${pprof[*]} --text ${url[leaky]}/pprof/heap | head -n 12
  kill ${process[leaky]} ${process[fixed]}
TEXT
    else
        printf 'Keep both servers running at the end, to ask them yourself:\n'
        printf '  ./demo.sh --keep\n'
    fi
    # Not so if somebody has changed the pair.
    if ! grep -q ' payload_read$' out/leaky.pprof.txt; then
        return
    fi
    printf 'The profile blames payload_read. Guess the bug, then look at the fix:\n'
    if command -v go >/dev/null; then
        # google-pprof has --list too, but it complains of each long line of the
        # disassembly, and points at the line after the right one.
        printf '  go tool pprof -list=payload_read -base=%s \\\n    build/leaky %s\n' \
            out/profiles/leaky.0001.heap out/profiles/leaky.0002.heap
    else
        printf '  grep -n -m 2 -A 3 payload_read leaky/slice_prefix.c\n'
    fi
    printf '  make lesson S=slice-prefix\n'
}

# Says what is wrong, by the lines "NO NAME: REASON" of the verdict, and where to look.
tell_failure() {
    local name
    name=$(sed -n 's/^NO \([^:]*\):.*/\1/p' out/verdict.txt | head -n 1)
    printf '%sNot every leak was shown, not every fix held, or an answer was wrong:%s\n' \
        "$red" "$plain"
    sed -n 's/^NO //p' out/verdict.txt | indent
    cat <<TEXT
Where to look first:
  grep '^$name ' out/verdict.txt
  make lesson S=$name
and, after ./demo.sh --keep, with the URLs that it prints:
  build/leakcheck --scenario $name LEAKY_URL FIXED_URL
What the servers complained of is in out/leaky.log and out/fixed.log.
TEXT
}

tell_page() {
    if [[ $keep == yes ]]; then
        printf 'The running servers have a page, with live charts and a button for each\n'
        printf 'scenario. Open it in a browser:\n'
        printf '  %s/\n' "${url[leaky]/127.0.0.1/localhost}"
    fi
}

practise() {
    printf 'Now find one yourself, without the answers:\n  ./learn.sh\n'
    printf 'Or look into a program of your own (make build; docs/take-it-home.md):\n'
    printf '  make build && build/leakprobe -- COMMAND\n'
}

tell_report() {
    printf 'The report has a chart and the diff of every pair. Open it in a browser:\n'
    if [[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]] && command -v xdg-open >/dev/null; then
        printf '  xdg-open out/report.html\n'
    else
        printf '  file://%s/out/report.html\n' "${PWD// /%20}"
    fi
    if [[ -n ${SSH_CONNECTION:-} ]]; then
        printf 'or, as it is one file, copy it from here to your own machine:\n'
        printf '  scp %s@%s:%q .\n' "$(id -un)" "$HOSTNAME" "$PWD/out/report.html"
    fi
}

# -- the demo --------------------------------------------------------------------------

begin=$clock
mkdir -p out
# What is in out/ then is of this run, also if it is interrupted.
rm -rf out/profiles out/{leaky,fixed}.{txt,log,pprof.txt,pprof.log} out/build.log \
    out/reply.json out/verdict.txt out/leakcheck.json out/report.html

printf '%sThe leak lab%s: one program full of leaks, beside its fixed twin.\n' \
    "$bold" "$plain"

heading '1. Build' 'installing packages'
# Not as a step: sudo may want to ask for a password on the terminal.
./scripts/setup.sh || fail 'packages are missing'
note_time packages
stage=building
if ! step make -j"$(nproc)" lab >out/build.log 2>&1; then
    tail -n 20 out/build.log >&2
    fail 'the build failed; all its output is in out/build.log'
fi
note_time build
printf 'Built: build/leaky, build/fixed, and their judge build/leakcheck.\n'

heading '2. Start both servers' 'starting the servers'
start_anyhow leaky
start_anyhow fixed
list=$(build/leakcheck --list "${url[leaky]}") ||
    fail 'the leaky server does not name its scenarios'
mapfile -t scenarios <<<"$list"
note_time start

heading '3. Drive every scenario' 'driving the scenarios'
printf '%d scenarios: one call of each to warm up, then %d, the same on both.\n' \
    "${#scenarios[@]}" "$rounds"
drive leaky 1
drive fixed 1
await_rest
mapfile -t leaky_before < <(figures leaky)
mapfile -t fixed_before < <(figures fixed)
dump leaky
dump fixed
drive leaky "$rounds"
drive fixed "$rounds"
await_rest
mapfile -t leaky_after < <(figures leaky)
mapfile -t fixed_after < <(figures fixed)
dump leaky
dump fixed
said=("${leaky_before[@]}" "${fixed_before[@]}" "${leaky_after[@]}" "${fixed_after[@]}")
((${#said[@]} == 4 * ${#labels[@]})) || fail 'a server does not say what it uses'
note_time load
printf '\n%s  %-16s %28s %28s%s\n' "$dim" '' leaky fixed "$plain"
for i in "${!labels[@]}"; do
    printf '  %-16s %12s -> %-12s %12s -> %s\n' "${labels[i]}" "${leaky_before[i]}" \
        "${leaky_after[i]}" "${fixed_before[i]}" "${fixed_after[i]}"
done

heading '4. Ask the heap profile who owns what grew' 'reading the profiles'
choose_pprof
show_growth leaky
show_growth fixed
note_time "${pprof[*]}, twice"

heading '5. Judge' judging
cat <<'TEXT'
Every scenario again, in rounds: what grows with each call, and who holds it?
And do both halves give the same answers, or does a fix do less of the work? On
the fixed side a few hundred bytes may be the C library's, which keeps records
of ended threads.

Both servers start again, with --profile recorder: the lab's own profiler knows
who holds a block, and which blocks are lost.
TEXT
start_again
note_time 'start again'
printf '\n'
verdict=0
step build/leakcheck --text out/verdict.txt --json out/leakcheck.json \
    --report out/report.html "${url[leaky]}" "${url[fixed]}" || verdict=$?
((verdict <= 1)) || fail 'there is no verdict'
note_time verdict

heading 'Now try this' finished
suggest
clock=$begin
note_time all
printf '\n%sWhere the time went%s\n' "$bold" "$plain"
printf '%s\n' "${timings[@]}" ''
if ((verdict == 0)); then
    printf '%sEvery leak was shown, and every fix held.%s\n' "$green" "$plain"
    # "29 of 29 answers right (...)", if there are answers in the replies.
    sed -n '/ answers right/s/$/: no fix does less./p' out/verdict.txt
else
    tell_failure
fi
tell_report
tell_page
practise
if ((verdict != 0)); then
    exit 1
fi
