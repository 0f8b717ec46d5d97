#!/usr/bin/env bash
# The walk-through of the leak lab, from nothing to a verdict: installs what is missing,
# builds, runs both servers side by side under the same load, and shows what grew.
set -euo pipefail

readonly rounds=5 # calls of each scenario on each server, after one to warm up

usage() {
    cat <<'TEXT'
usage: ./demo.sh [--keep] [--help]

Builds the lab, starts both servers, drives every scenario on both, compares their
heap profiles, and judges: does the leaky server leak what it declares, and does the
fixed one keep nothing? Everything it writes is in out/. It takes about a minute.

  --keep   leave both servers running at the end
  --help   this text

PPROF, if set, is the program that reads the dumps. Otherwise that is google-pprof, or
go tool pprof where Debian has no google-pprof any more.

Exit status: 0 if every leak was shown and every fix held, 1 if not, 2 for wrong usage.
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
        printf 'demo.sh: unknown option %s\n' "$1" >&2
        usage >&2
        exit 2
        ;;
    esac
    shift
done

cd "$(dirname "$0")"

bold='' dim='' red='' green='' plain='' terminal=no
if [[ -t 1 ]]; then
    terminal=yes
    if [[ -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
        bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
    fi
fi

# -- what was started, and its end -----------------------------------------------------

exec 3>&2  # for the last message: a signal may come while stderr goes to a file
servers=() # process ids, leaky first
step_pid=
step_name='starting'

clean_up() {
    local status=$? pid
    trap - EXIT
    trap '' INT TERM HUP PIPE
    # When the terminal has gone, printing fails: that must not end the cleaning up.
    set +e
    if [[ -n $step_pid ]]; then
        # The step runs in a session of its own, so this ends all that it started.
        kill -TERM -- "-$step_pid" 2>/dev/null || true
        wait "$step_pid" 2>/dev/null || true
    fi
    if ((status != 0)) && [[ $step_name != finished ]]; then
        printf '\n%sStopped while %s.%s\n' "$red" "$step_name" "$plain" >&3
    fi
    if [[ $keep == no || $step_name != finished ]]; then
        for pid in "${servers[@]}"; do
            kill -TERM "$pid" 2>/dev/null || true
        done
        for pid in "${servers[@]}"; do
            wait "$pid" 2>/dev/null || true
        done
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
    local status=0
    setsid "$@" </dev/null 3>&- &
    step_pid=$!
    wait "$step_pid" || status=$?
    step_pid=
    return "$status"
}

# The same, and on a terminal the seconds are counted meanwhile.
step_shown() {
    local status=0 started=$SECONDS
    setsid "$@" </dev/null 3>&- &
    step_pid=$!
    while [[ $terminal == yes ]] && kill -0 "$step_pid" 2>/dev/null; do
        printf '\r  %d s ' $((SECONDS - started)) >/dev/tty
        sleep 0.2
    done
    if [[ $terminal == yes ]]; then
        printf '\r%*s\r' 12 '' >/dev/tty
    fi
    wait "$step_pid" || status=$?
    step_pid=
    return "$status"
}

# -- telling ---------------------------------------------------------------------------

heading() {
    step_name=$2
    printf '\n%s%s%s\n' "$bold" "$1" "$plain"
}

timings=()
stage_start=0
stage_begin() {
    stage_start=${EPOCHREALTIME/./}
}
# Notes how long the stage took; its argument names it.
stage_end() {
    local tenths=$(((${EPOCHREALTIME/./} - stage_start) / 100000))
    timings+=("$(printf '  %-34s %3d.%d s' "$1" $((tenths / 10)) $((tenths % 10)))")
}

# Bytes as a person reads them: 12.3 MiB.
human() {
    awk -v bytes="$1" 'BEGIN {
        split("B KiB MiB GiB", unit)
        i = 1
        while ((bytes >= 1024 || bytes <= -1024) && i < 4) { bytes /= 1024; i++ }
        printf i == 1 ? "%d %s" : "%.1f %s", bytes, unit[i]
    }'
}

# -- the servers -----------------------------------------------------------------------

# Starts a server and waits for its start-up line, which goes to out/<name>.txt. Further
# arguments are options. Returns 1 if it ended instead.
start_server() {
    local name=$1 pid
    shift
    rm -f "out/$name.txt" # of an earlier run, or it would be taken for this one's
    # A session of its own, so that Ctrl-C reaches this script alone, which then ends
    # the server, and so that --keep leaves it running when the terminal closes.
    setsid "build/$name" --profile-dir out/profiles --max-timers 10000 "$@" \
        >"out/$name.txt" 2>"out/$name.log" </dev/null 3>&- &
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

# The address in a server's start-up line: of the lab, or of the debug port.
lab_url() {
    sed -n 's|.*listening on \(http://[^,]*\),.*|\1|p' "out/$1.txt"
}
debug_url() {
    sed -n 's|.*debug on \(http://[^,]*\),.*|\1|p' "out/$1.txt"
}

# Starts a server on its own ports or, when these are taken, on any free ones.
start_anyhow() {
    local name=$1
    if ! start_server "$name"; then
        printf '%s cannot use its own ports:\n%s\nSo it gets free ones instead.\n' \
            "$name" "$(tail -n 1 "out/$name.log" | fold -s -w 76 | sed 's/^/  /; s/ *$//')"
        start_server "$name" --port 0 --debug-port 0 ||
            fail "$name does not start: $(tail -n 3 "out/$name.log")"
    fi
    printf '%-5s  %s  debug port %s  pid %s\n' "$name" "$(lab_url "$name")" \
        "$(debug_url "$name")" "${servers[-1]}"
}

# One number out of a server's /status: the first of that name, as "limits" come last.
figure() {
    [[ $1 =~ \"$2\":\ *([0-9]+) ]] && printf '%s' "${BASH_REMATCH[1]}"
}

# Writes a heap profile and prints its path.
dump() {
    curl -sS -f -m 20 -X POST "$1/debug/heap/dump?reason=demo" |
        sed -n 's/.*"path": *"\([^"]*\)".*/\1/p'
}

# -- the load --------------------------------------------------------------------------

names=()

progress() {
    local done=$1 all=$2 text=$3 width=28 bar
    if [[ $terminal == yes ]]; then
        printf -v bar '%*s' $((done * width / all)) ''
        printf '\r  [%-*s] %2d of %d  %-24s' "$width" "${bar// /#}" "$done" "$all" "$text"
    fi
}

# Calls every scenario `count` times on both servers.
drive() {
    local count=$1 i name url
    for i in "${!names[@]}"; do
        name=${names[i]}
        progress "$i" "${#names[@]}" "$name"
        for url in "$leaky_url" "$fixed_url"; do
            if ! curl -sS -f -m 60 -o out/reply.json \
                "$url/leak/$name?id=demo&count=$count" 2>out/curl.log; then
                fail "$url/leak/$name: $(cat out/curl.log)"
            fi
        done
    done
    progress "${#names[@]}" "${#names[@]}" ''
    if [[ $terminal == yes ]]; then
        printf '\r%*s\r' 70 ''
    fi
}

# The fixed half may take a moment to give the last call's things back: waits until its
# heap is as before, for three seconds at most. Leaves its status in fixed_after.
await_rest() {
    local turn
    for ((turn = 0; turn < 30; turn++)); do
        fixed_after=$(curl -sS -f -m 20 "$fixed_url/status")
        if (($(figure "$fixed_after" alloc_bytes) <=
            $(figure "$fixed_before" alloc_bytes) + 65536)); then
            return
        fi
        sleep 0.1
    done
}

# A row of the table of figures: what it is, and leaky and fixed before and after.
figures_row() {
    printf '  %-16s %12s -> %-12s %12s -> %s\n' "$@"
}
count_row() {
    figures_row "$1" "$(figure "$leaky_before" "$2")" "$(figure "$leaky_after" "$2")" \
        "$(figure "$fixed_before" "$2")" "$(figure "$fixed_after" "$2")"
}
bytes_row() {
    figures_row "$1" "$(human "$(figure "$leaky_before" "$2")")" \
        "$(human "$(figure "$leaky_after" "$2")")" \
        "$(human "$(figure "$fixed_before" "$2")")" \
        "$(human "$(figure "$fixed_after" "$2")")"
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

# Asks pprof what grew on a server between two dumps: out/<name>.pprof.txt.
read_profile() {
    local name=$1 before=$2 after=$3
    step_shown "${pprof[@]}" --text --base="$before" "build/$name" "$after" \
        >"out/$name.pprof.txt" 2>"out/$name.pprof.log" ||
        fail "${pprof[*]} failed: $(tail -n 1 "out/$name.pprof.log")"
}

# The functions at the top of a pprof text: MiB of their own, share, name. Go's pprof
# writes a unit with each amount, while google-pprof's are all MiB.
top_of() {
    awk 'BEGIN { part["B"] = 1024 * 1024; part["kB"] = 1024; part["GB"] = 1 / 1024 }
    NF >= 6 && $1 ~ /^[0-9]/ && $2 ~ /%$/ && shown < 12 {
        amount = unit = $1
        sub(/[A-Za-z]+$/, "", amount)
        sub(/^[0-9.]+/, "", unit)
        amount /= unit in part ? part[unit] : 1
        if (amount >= 0.01) {
            printf "%7.2f %6s %s\n", amount, sprintf("%.1f%%", $2), substr($6, 1, 22)
            shown++
        }
    }
    END { if (!shown) print "        nothing grew" }' "$1"
}

# -- the verdict -----------------------------------------------------------------------

# One row a scenario, out of the judge's JSON: what a call leaves on either server, and
# the judge's word on it. cJSON writes one member a line.
verdict_table() {
    printf '\n%s%-20s  %24s  %24s\n' "$dim" '' 'leaky, per call' 'fixed, per call'
    printf '%-20s  %8s %4s %4s %5s  %8s %4s %4s %5s%s\n' '' \
        bytes thr fds timer bytes thr fds timer "$plain"
    awk -v red="$red" -v green="$green" -v plain="$plain" '
        function human(bytes,    unit, i) {
            split("B KiB MiB GiB", unit)
            for (i = 1; bytes >= 1024 && i < 4; i++) { bytes /= 1024 }
            return sprintf(i == 1 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, unit[i])
        }
        function count(number) {
            return sprintf(number == int(number) ? "%d" : "%.1f", number)
        }
        # Of the leaky server it is what the profile blames the scenario for, because
        # the threads that thread-loop left behind allocate all the time.
        function half(which,    bytes, fds) {
            bytes = which == "leaky" ? blamed[which] : grown[which, "heap_bytes"]
            fds = grown[which, "fds"]
            mark = ""
            if (resource == "descriptors" && peak[which, "fds"] > fds) {
                fds = peak[which, "fds"]
                mark = " *"
            } else if (resource == "resident set") {
                bytes = peak[which, "rss_bytes"]
                mark = " *"
            } else if (resource == "allocated") {
                bytes = blamed[which]
                mark = " **"
            }
            return sprintf("%8s %4s %4s %5s", human(bytes > 0 ? bytes : 0),
                count(grown[which, "threads"]), count(fds), count(grown[which, "timers"]))
        }
        function row(    ok, fixed) {
            ok = verdict == "proved"
            fixed = half("fixed")
            printf "%-20s  %s  %s  %s%s%s%s\n", name, half("leaky"), fixed,
                ok ? green : red, ok ? "ok" : "NO", plain, mark
        }
        { key = $1; value = $0
          gsub(/[":{]/, "", key)
          sub(/^[^:]*:[ \t]*/, "", value)
          gsub(/[",]/, "", value) }
        key == "name" {
            if (name != "") { row() }
            name = value
            delete grown; delete peak; delete blamed
        }
        key == "verdict" { verdict = value }
        key == "resource" { resource = value }
        key == "leaky" || key == "fixed" { server = key }
        key == "growth_per_call" || key == "peak" || key == "now" { object = key }
        key == "blamed_heap_bytes_per_call" { blamed[server] = value + 0 }
        key ~ /^(heap_bytes|rss_bytes|threads|fds|timers)$/ {
            if (object == "growth_per_call") { grown[server, key] = value + 0 }
            if (object == "peak" && value + 0 > peak[server, key]) {
                peak[server, key] = value + 0
            }
        }
        END { if (name != "") { row() } }
    ' "$1"
}

# -- the demo --------------------------------------------------------------------------

mkdir -p out
rm -rf out/profiles
demo_start=${EPOCHREALTIME/./}

printf '%sThe leak lab%s: one program with 29 leaks, beside its fixed twin.\n' \
    "$bold" "$plain"

heading '1. Build' 'installing packages'
stage_begin
# Not as a step: sudo may want to ask for a password on the terminal.
./scripts/setup.sh || fail 'packages are missing'
stage_end 'packages'
stage_begin
step_name='building'
if ! step make -j"$(nproc)" build >out/build.log 2>&1; then
    tail -n 20 out/build.log >&2
    fail 'the build failed; all its output is in out/build.log'
fi
stage_end 'build'
printf 'Built: build/leaky, build/fixed, and their judge build/leakcheck.\n'

heading '2. Start both servers' 'starting the servers'
stage_begin
start_anyhow leaky
start_anyhow fixed
leaky_url=$(lab_url leaky)
fixed_url=$(lab_url fixed)
mapfile -t names < <(sed -n 's/^ *X(\([a-z0-9_]*\)).*/\1/p' common/scenario.h | tr _ -)
stage_end 'start'

heading '3. Drive every scenario' 'driving the scenarios'
printf '%d scenarios, one call to warm up, then %d calls each, the same on both.\n' \
    "${#names[@]}" "$rounds"
stage_begin
drive 1
leaky_base=$(dump "$leaky_url")
fixed_base=$(dump "$fixed_url")
leaky_before=$(curl -sS -f -m 20 "$leaky_url/status")
fixed_before=$(curl -sS -f -m 20 "$fixed_url/status")
drive "$rounds"
await_rest
leaky_after=$(curl -sS -f -m 20 "$leaky_url/status")
leaky_dump=$(dump "$leaky_url")
fixed_dump=$(dump "$fixed_url")
stage_end 'load'
printf '\n%s  %-16s %28s %28s%s\n' "$dim" '' 'leaky' 'fixed' "$plain"
bytes_row 'heap in use' alloc_bytes
bytes_row 'resident memory' rss_bytes
count_row 'threads' threads
count_row 'descriptors' fds
count_row 'timers' timers

heading '4. Ask the heap profile who owns what grew' 'reading the profiles'
choose_pprof
printf '%s%s --text --base=BEFORE build/leaky AFTER%s   (MiB of its own)\n' \
    "$dim" "${pprof[*]}" "$plain"
stage_begin
read_profile leaky "$leaky_base" "$leaky_dump"
read_profile fixed "$fixed_base" "$fixed_dump"
stage_end "${pprof[*]}, twice"
columns='    MiB  share function'
printf '\n%s%-38s  %s\n%-38s  %s%s\n' "$dim" '  leaky' '  fixed' "$columns" "$columns" \
    "$plain"
paste -d '\t' <(top_of out/leaky.pprof.txt) <(top_of out/fixed.pprof.txt) |
    awk -F '\t' '{ line = sprintf("%-38s  %s", $1, $2); sub(/ +$/, "", line); print line }'

heading '5. Judge' 'judging'
printf 'Every scenario again, in rounds, on both servers: what grows with each call?\n'
stage_begin
verdict=0
step_shown build/leakcheck --report out/report.html --json out/leakcheck.json \
    "$leaky_url" "$fixed_url" >out/verdict.txt 2>out/leakcheck.log || verdict=$?
stage_end 'verdict'
if ((verdict > 1)); then
    fail "no verdict: $(tail -n 1 out/leakcheck.log)"
fi
verdict_table out/leakcheck.json
printf '%s\n' "$dim* while the call lasts; ** allocated and freed again. A few hundred bytes" \
    "on the fixed side are the C library's records of ended threads, kept for reuse.$plain"
tail -n 1 out/verdict.txt

heading 'Now try this' finished
if [[ $keep == yes ]]; then
    cat <<TEXT
Both servers are still running. Ask them, and stop them when you are done:
  curl '$leaky_url/leak/slice-prefix?id=me&count=3'
  curl '$leaky_url/status'
  curl '$leaky_url/debug/pprof/goroutine?debug=1'
  ${pprof[*]} --text $leaky_url/pprof/heap
  kill ${servers[*]}
TEXT
else
    printf 'Keep both servers running at the end, to ask them yourself:\n'
    printf '  ./demo.sh --keep\n'
fi
cat <<TEXT
Guess the bug from the profile, then look at the fix:
  ${pprof[*]} --list=payload_read --base=$leaky_base \\
    build/leaky $leaky_dump
  make lesson S=slice-prefix
Read the report, with a chart and the diff of every pair: open out/report.html
Where each scenario leaks, in plain text: out/verdict.txt
TEXT

stage_start=$demo_start
stage_end 'all'
printf '\n%sWhere the time went%s\n' "$bold" "$plain"
printf '%s\n' "${timings[@]}"

if ((verdict != 0)); then
    printf '\n%sNot every leak was shown, or not every fix held: see out/verdict.txt.%s\n' \
        "$red" "$plain"
    exit 1
fi
printf '\n%sEvery leak was shown, and every fix held.%s\n' "$green" "$plain"
