#!/usr/bin/env bash
# The picture of a service that leaks: it climbs, dies at its memory limit, is restarted,
# and climbs again. Runs one server under a limit and a supervisor, with a steady load,
# and draws its memory over the time, in the terminal and as an SVG.
set -euo pipefail

readonly look_seconds=0.05 # between two looks at the resident memory
readonly sample_ms=200     # between two rows of the table
readonly restart_ms=500    # from the end of a server to the start of the next one

usage() {
    cat <<'TEXT'
usage: scripts/sawtooth.sh [OPTION]...

Runs the leaky server with a steady load and a limit of its resident memory.
When the server passes the limit, it is killed, and half a second later it is
started again: the sawtooth of a service that leaks. The end is a drawing here,
and out/sawtooth.svg with the table out/sawtooth.csv. For --half fixed the names
are sawtooth-fixed.

  --half HALF      leaky or fixed (leaky)
  --limit SIZE     of resident memory, 32M to 16G (96M)
  --rate N         calls a second, one after the other, 1 to 500 (10); the end
                   says how many there were
  --seconds N      how long, 5 to 3600 (60)
  --scenario NAME  what is called (slice-prefix)
  --bytes SIZE     main size of a call (slice-prefix: 1M; others: their own)
  --help           this text

This script enforces the limit itself, which needs no privileges: it looks at
/proc/PID/statm every 50 ms, and sends SIGKILL, as the kernel does to a process
in a container. What the server allocates between two looks comes on top.
BUILD=DIR says where the servers are: make build builds them.

Exit status: 0 after the whole time, 1 if the server does not start or stay up,
2 for wrong usage.
TEXT
}

wrong_usage() {
    printf 'sawtooth.sh: %s\n' "$1" >&2
    usage >&2
    exit 2
}

fail() {
    printf 'sawtooth.sh: %s\n' "$*" >&2
    exit 1
}

# -- options ---------------------------------------------------------------------------

# Sets `number` to the whole number in $2, or ends with the usage. $3 and $4 are the
# least and the most.
take_number() {
    if [[ ! $2 =~ ^[1-9][0-9]{0,5}$ ]] || (($2 < $3 || $2 > $4)); then
        wrong_usage "$1 takes a number from $3 to $4, not '$2'"
    fi
    number=$2
}

# Sets `kib` to the size in $2, "96M", in KiB. $3 and $4 are the least and the most.
take_size() {
    local unit=
    [[ $2 =~ ^([1-9][0-9]{0,7})([KMG])$ ]] || wrong_usage "$1 takes a size like 96M, not '$2'"
    unit=${BASH_REMATCH[2]}
    case $unit in
    K) kib=${BASH_REMATCH[1]} ;;
    M) kib=$((BASH_REMATCH[1] * 1024)) ;;
    G) kib=$((BASH_REMATCH[1] * 1024 * 1024)) ;;
    esac
    ((kib >= $3 && kib <= $4)) ||
        wrong_usage "$1 takes $(($3 / 1024))M to $(($4 / 1024))M, not '$2'"
}

half=leaky
limit=$((96 * 1024)) # KiB, as every size in here
rate=10
seconds=60
scenario=slice-prefix
bytes=
while (($# > 0)); do
    case $1 in
    --help)
        usage
        exit 0
        ;;
    --half | --limit | --rate | --seconds | --scenario | --bytes)
        (($# > 1)) || wrong_usage "$1 needs a value"
        case $1 in
        --half)
            [[ $2 =~ ^(leaky|fixed)$ ]] || wrong_usage "--half is leaky or fixed, not '$2'"
            half=$2
            ;;
        --limit)
            take_size --limit "$2" $((32 * 1024)) $((16 * 1024 * 1024))
            limit=$kib
            ;;
        --rate)
            take_number --rate "$2" 1 500
            rate=$number
            ;;
        --seconds)
            take_number --seconds "$2" 5 3600
            seconds=$number
            ;;
        --scenario) scenario=$2 ;;
        --bytes)
            take_size --bytes "$2" 1 $((1024 * 1024))
            bytes=$2
            ;;
        esac
        shift
        ;;
    -*) wrong_usage "unknown option $1" ;;
    *) wrong_usage "unexpected argument '$1'" ;;
    esac
    shift
done

cd "$(dirname "$0")/.."
source scripts/lib/end-all.sh
[[ $scenario =~ ^[a-z-]+$ && $scenario != variant && -f leaky/${scenario//-/_}.c ]] ||
    wrong_usage "no scenario named '$scenario'"
if [[ -z $bytes && $scenario == slice-prefix ]]; then
    bytes=1M
fi
BUILD=${BUILD:-build}
[[ -x $BUILD/$half ]] || fail "$BUILD/$half is not there: run make build first"
name=sawtooth
[[ $half == leaky ]] || name=sawtooth-$half
# Not only after the run.
mkdir -p out || fail "no directory $PWD/out"
[[ -w out ]] || fail "cannot write to $PWD/out"

# -- what was started, and its end -----------------------------------------------------

scratch=$(mktemp -d)
server= # process id; empty: not running
load=

# Ends a process, and takes its exit status. Bash's message about that goes nowhere.
end() {
    local sign=$1 pid=$2
    kill "-$sign" "$pid" 2>/dev/null || true
    { wait "$pid" || true; } 2>/dev/null
}

# shellcheck disable=SC2317 # It is reached: through the trap.
clean_up() {
    local status=$?
    trap - EXIT
    trap '' INT TERM HUP PIPE
    set +e
    [[ -z $load ]] || end_all "$load"
    [[ -z $server ]] || end_all "$server"
    rm -rf "$scratch"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# -- time and sizes --------------------------------------------------------------------

# Sets `ms` to the milliseconds since `began`.
began=0
note_time() {
    ms=$((${EPOCHREALTIME/[.,]/} / 1000 - began))
}

# "9.4" for 9400: seconds of milliseconds.
in_seconds() {
    printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100))
}

# "96.4 MiB" for a number of KiB.
in_mib() {
    printf '%d.%d MiB' $(($1 / 1024)) $(($1 % 1024 * 10 / 1024))
}

# -- the server ------------------------------------------------------------------------

# Sets `resident` to the server's resident memory in KiB: 0 when it has ended.
page_kib=$(($(getconf PAGESIZE) / 1024))
look() {
    local pages=0
    read -r _ pages _ 2>/dev/null <"/proc/$server/statm" || true
    resident=$((pages * page_kib))
}

# Starts the server and its load. The server's own ceiling is far above the limit: it
# would refuse calls instead of dying. Both end with this script even if it is killed,
# and what a killed server leaves in its directory for temporary files goes with
# `scratch`.
start_server() {
    local url count=$((rate * seconds)) query=
    rm -f "$scratch/started"
    TMPDIR=$scratch setpriv --pdeathsig KILL "$BUILD/$half" --port 0 --debug-port 0 \
        --profile-dir "$scratch/profiles" --max-heap "$((2 * limit / 1024 + 512))M" \
        >"$scratch/started" 2>"$scratch/log" </dev/null &
    server=$!
    note_time
    started=$ms
    starts=$((starts + 1))
    while [[ ! -s $scratch/started ]]; do
        note_time
        if ! kill -0 "$server" 2>/dev/null || ((ms - started > 10000)); then
            fail "$half does not start: $(tail -n 3 "$scratch/log")"
        fi
        sleep "$look_seconds"
    done
    url=$(sed -n 's|.*listening on \(http://[^,]*\),.*|\1|p' "$scratch/started")
    debug=$(sed -n 's|.*debug on \(http://[^,]*\),.*|\1|p' "$scratch/started")
    [[ -z $bytes ]] || query="&bytes=$bytes"
    setpriv --pdeathsig KILL curl -s -m "$seconds" --rate "$rate/s" -o /dev/null \
        -w '%{stderr}%{http_code}\n' "$url/leak/$scenario?id=[1-$count]$query" \
        2>>"$scratch/calls" </dev/null &
    load=$!
}

# Adds a row to the table: the time, resident memory, in use (from /status, if $1 is
# yes), and the process id.
sampled=0
note_row() {
    local in_use='' reply=
    if [[ $1 == yes ]]; then
        reply=$(curl -s -m 1 "$debug/status" || true)
        if [[ $reply =~ \"alloc_bytes\":[[:space:]]*([0-9]+) ]]; then
            in_use=${BASH_REMATCH[1]}
        fi
    fi
    printf '%d.%03d,%d,%s,%d\n' $((ms / 1000)) $((ms % 1000)) $((resident * 1024)) \
        "$in_use" "$server" >>"$scratch/table"
    sampled=$ms
}

starts=0
ends=0
kills=0 # of them, after a SIGKILL
up_ms=0 # how long a server was there
short=0 # lives of less than a second, in a row
peak=0

# Takes in how the server has ended, and says so: $1 is its exit status.
note_end() {
    local how="ended with exit status $1" life=$((ms - started))
    if (($1 > 128)); then
        how="killed by SIG$(kill -l "$1") at $(in_mib "$resident")"
    fi
    kills=$(($1 == 137 ? kills + 1 : kills))
    end TERM "$load"
    load=
    ends=$((ends + 1))
    up_ms=$((up_ms + life))
    printf '%6s s  end %d: pid %s %s after %s s\n' "$(in_seconds "$ms")" "$ends" \
        "$server" "$how" "$(in_seconds "$life")"
    server=
    short=$((life < 1000 ? short + 1 : 0))
    ((short < 3)) ||
        fail "three servers in a row lived for less than a second:" \
            "raise --limit, or lower --rate"
}

# Looks at the server once: kills it above the limit, and notices if it ends otherwise.
supervise() {
    local status=0 last=$resident
    look
    note_time
    ((resident <= peak)) || peak=$resident
    if ((resident > limit)); then
        note_row no
        kill -KILL "$server" 2>/dev/null || true
    elif ((resident > 0)); then
        ((ms - sampled < sample_ms)) || note_row yes
        return
    else
        resident=$last
    fi
    { wait "$server" || status=$?; } 2>/dev/null
    note_end "$status"
}

run() {
    local down=$((-restart_ms)) # when the last server ended
    began=$((${EPOCHREALTIME/[.,]/} / 1000))
    resident=0
    note_time
    while ((ms < seconds * 1000)); do
        if [[ -n $server ]]; then
            supervise
            [[ -n $server ]] || down=$ms
        elif ((ms - down >= restart_ms)); then
            start_server
        fi
        sleep "$look_seconds"
        note_time
    done
    # The run ends, and the last server with it: no restart.
    lasted=$server
    [[ -z $load ]] || end TERM "$load"
    load=
    if [[ -n $server ]]; then
        up_ms=$((up_ms + ms - started))
        end TERM "$server"
        server=
    fi
}

# Sets what became of the calls, and `measured`, how many a second there were while a
# server was there: a slow one, or a slow machine, does not manage what --rate asks for.
count_calls() {
    answered=$(grep -c '^200$' "$scratch/calls" || true)
    refused=$(grep -c '^[45]' "$scratch/calls" || true)
    broken=$(grep -c '^000$' "$scratch/calls" || true)
    measured=$(((answered + refused + broken) * 10000 / (up_ms > 0 ? up_ms : 1)))
    measured=$((measured / 10)).$((measured % 10))
}

# "once", "3 times".
times() {
    if (($1 == 1)); then
        printf 'once'
    else
        printf '%d times' "$1"
    fi
}

# What became of the server.
tell_ends() {
    local how=ended
    ((kills < ends)) || how='killed by SIGKILL'
    if ((ends == 0)); then
        printf 'never ended'
    else
        printf '%s %s, started again %s' "$how" "$(times "$ends")" \
            "$(times $((starts - 1)))"
    fi
}

# -- the drawings ----------------------------------------------------------------------

# Draws the table as bars: each column is the most that was resident in its time.
draw_terminal() {
    local utf8=0 red='' plain=''
    [[ $(locale charmap 2>/dev/null) != UTF-8 ]] || utf8=1
    if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
        red=$'\e[31m' plain=$'\e[0m'
    fi
    LC_ALL=C awk -F, -v limit=$((limit * 1024)) -v seconds="$seconds" -v utf8="$utf8" \
        -v red="$red" -v plain="$plain" -v lasted="$lasted" -v width=60 -v height=12 '
        BEGIN {
            split(utf8 ? "▁ ▂ ▃ ▄ ▅ ▆ ▇ █" : ". . . : : : # #", part, " ")
            mark = utf8 ? "▲" : "^"
            rule = utf8 ? "┄" : "-"
        }
        NR > 1 {
            column = int($1 / seconds * width)
            if (column >= width) column = width - 1
            # The time since the last row of this process belongs to it.
            for (between = last + 1; pid == $4 && between < column; between++)
                most[between] = $2 + 0
            if ($2 + 0 > most[column] + 0) most[column] = $2 + 0
            if ($2 + 0 > top) top = $2 + 0
            if (pid != "" && pid != $4) ends[last] = 1
            pid = $4
            last = column
        }
        END {
            if (pid != lasted) ends[last] = 1
            if (limit > top) top = limit
            for (row = height; row >= 1; row--) {
                low = (row - 1) / height * top
                high = row / height * top
                here = limit > low && limit <= high
                line = ""
                for (column = 0; column < width; column++) {
                    eighths = int((most[column] - low) / (high - low) * 8 + 0.5)
                    if (eighths > 8) eighths = 8
                    if (eighths >= 1) line = line part[eighths]
                    else line = line (here ? red rule plain : " ")
                }
                label = (row == height || row == height / 2) ? \
                    sprintf("%6.0f MiB", high / 1048576) : ""
                sub(/ +$/, "", line)
                printf "%10s |%s%s\n", label, line, here ? red " limit" plain : ""
            }
            line = ""
            for (column = 0; column < width; column++)
                line = line ((column in ends) ? red mark plain : "-")
            printf "%10s +%s\n", "0", line
            printf "%10s  0%*s\n", "", width - 1, seconds " s"
        }' "$scratch/table"
}

# Draws the table as an SVG: one line of resident memory and one of in use for each
# process, and a mark where one ended.
draw_svg() {
    LC_ALL=C awk -F, -v limit=$((limit * 1024)) -v seconds="$seconds" -v half="$half" \
        -v scenario="$scenario" -v rate="$measured" -v story="$(tell_ends)" \
        -v ends="$ends" -v lasted="$lasted" '
        function x(time) { return left + time / seconds * (right - left) }
        function y(bytes) { return bottom - bytes / top * (bottom - upper) }
        # The step of an axis: 1, 2 or 5 times a power of ten, in about `count` steps.
        function step_of(range, count,    step) {
            step = 1
            while (range / step > count) {
                if (range / (step * 2) <= count) return step * 2
                if (range / (step * 5) <= count) return step * 5
                step *= 10
            }
            return step
        }
        function text(kind, at, height, words) {
            printf "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", kind, at, height, words
        }
        function line(kind, x1, y1, x2, y2) {
            printf "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", \
                kind, x1, y1, x2, y2
        }
        function legend(kind, at, words) {
            line(kind, at, 54, at + 24, 54)
            text("note", at + 30, 58, words)
        }
        BEGIN { left = 76; right = 940; upper = 76; bottom = 380; lives = 0 }
        NR > 1 {
            if ($4 != pid) {
                pid = $4
                lives++
                process[lives] = $4
            }
            last[lives] = $1
            final[lives] = $2
            points[lives] = points[lives] " " $1 ":" $2
            if ($3 != "") used[lives] = used[lives] " " $1 ":" $3
            if ($2 + 0 > peak) peak = $2 + 0
        }
        # The points of a life as a polyline.
        function draw(kind, values,    count, i, list, pair) {
            count = split(values, list, " ")
            printf "<polyline class=\"%s\" points=\"", kind
            for (i = 1; i <= count; i++) {
                split(list[i], pair, ":")
                printf "%.1f,%.1f ", x(pair[1]), y(pair[2])
            }
            print "\"/>"
        }
        END {
            mib = 1048576
            step = step_of((peak > limit ? peak : limit) * 1.05 / mib, 6)
            top = step * mib
            while (top < (peak > limit ? peak : limit) * 1.05) top += step * mib
            what = sprintf("%s under a memory limit of %.0f MiB", half, limit / mib)
            how = sprintf("%s calls of %s a second, %d s", rate, scenario, seconds)
            print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 440\" " \
                "width=\"960\" height=\"440\" role=\"img\" aria-labelledby=\"title desc\">"
            printf "<title id=\"title\">%s</title>\n", what
            printf "<desc id=\"desc\">Memory over the time, with %s. ", how
            printf "The most that was resident is %.1f MiB. ", peak / mib
            printf "The server: %s.</desc>\n", story
            print "<style>"
            print "text { font: 13px sans-serif; fill: #1f2328 }"
            print ".back { fill: #ffffff }"
            print ".title { font-size: 17px; font-weight: 600 }"
            print ".y { text-anchor: end } .x { text-anchor: middle }"
            print ".end-number { text-anchor: middle; font-size: 12px }"
            print ".grid { stroke: #d8dee4; stroke-width: 1 }"
            print "polyline { fill: none; stroke-linejoin: round }"
            print ".resident { stroke: #0969da; stroke-width: 2.5 }"
            print ".in-use { stroke: #8250df; stroke-width: 1.5; stroke-dasharray: 2 2 }"
            print ".limit { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 8 4 }"
            print ".end { stroke: #cf222e; stroke-width: 2.5 }"
            print "@media (prefers-color-scheme: dark) {"
            print "text { fill: #e6edf3 } .back { fill: #0d1117 } .grid { stroke: #30363d }"
            print ".resident { stroke: #58a6ff } .in-use { stroke: #bc8cff }"
            print ".limit, .end { stroke: #ff7b72 } }"
            print "</style>"
            print "<rect class=\"back\" width=\"960\" height=\"440\"/>"
            text("title", left, 28, what ", " how)
            legend("resident", left, "resident memory")
            legend("in-use", left + 170, "heap in use")
            legend("limit", left + 310, "limit")
            if (ends > 0) {
                line("end", left + 395, 49, left + 405, 59)
                line("end", left + 395, 59, left + 405, 49)
                text("note", left + 414, 58, story)
            } else {
                text("note", left + 390, 58, story)
            }
            for (value = 0; value * mib <= top; value += step) {
                line("grid", left, y(value * mib), right, y(value * mib))
                text("y", left - 8, y(value * mib) + 4, value " MiB")
            }
            step = step_of(seconds, 10)
            for (value = 0; value <= seconds; value += step) {
                line("grid", x(value), bottom, x(value), bottom + 5)
                text("x", x(value), bottom + 22, value)
            }
            text("x", (left + right) / 2, bottom + 44, "seconds")
            line("limit", left, y(limit), right, y(limit))
            for (i = 1; i <= lives; i++) {
                draw("in-use", used[i])
                draw("resident", points[i])
                if (process[i] == lasted) continue
                at = x(last[i])
                line("end", at - 5, y(final[i]) - 5, at + 5, y(final[i]) + 5)
                line("end", at - 5, y(final[i]) + 5, at + 5, y(final[i]) - 5)
                if (ends <= 40) text("end-number", at, y(final[i]) - 9, i)
            }
            print "</svg>"
        }' "$scratch/table"
}

# -- the run ---------------------------------------------------------------------------

printf '%s: at most %s calls of %s a second%s, for %s s.\n' "$half" "$rate" \
    "$scenario" "${bytes:+, bytes=$bytes}" "$seconds"
printf 'Limit: %s resident. This script enforces it: it looks every 50 ms, and\n' \
    "$(in_mib "$limit")"
printf 'sends SIGKILL.\n'
printf 'seconds,resident_bytes,in_use_bytes,pid\n' >"$scratch/table"
: >"$scratch/calls"
run
count_calls
printf '\n'
draw_terminal
draw_svg >"$scratch/picture"
cp "$scratch/table" "out/$name.csv"
cp "$scratch/picture" "out/$name.svg"

printf '\n%s %s; at most %s\n' "$half" "$(tell_ends)" "$(in_mib "$peak")"
printf '%s calls answered, %s refused, %s broke off: %s a second while it ran\n' \
    "$answered" "$refused" "$broken" "$measured"
if ((ends == 0)) && [[ $half == leaky ]]; then
    printf 'The limit was not reached: raise --rate or --seconds, or lower --limit.\n'
fi
printf 'out/%s.svg, out/%s.csv\n' "$name" "$name"
