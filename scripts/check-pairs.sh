#!/usr/bin/env bash
# Checks the pair rule: leaky/<name>.c and fixed/<name>.c are the same program
# and differ only by the fix. Prints one line for each violation; exits 1 if any.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/check-pairs.sh [DIR]

Checks the pair rule in this tree, or in DIR: leaky/NAME.c and fixed/NAME.c
are one program, told twice, that differs only by the fix.

Exit status: 0 if every pair keeps it, 1 if not, 2 for wrong usage.
TEXT
}

case ${1:-} in
--help)
    usage
    exit 0
    ;;
-*)
    usage >&2
    exit 2
    ;;
esac

readonly changed_max=30 # lines that the fix may touch
readonly length_max=220 # lines of a file

root=${1:-$(dirname "$0")/..}
cd "$root"

violations=0
violation() {
    printf 'check-pairs: %s\n' "$*" >&2
    violations=$((violations + 1))
}

# The scenarios in the list, one a line.
listed() {
    sed -n 's/^ *X(\([a-z0-9_]*\)).*$/\1/p' common/scenario.h
}

# The scenarios that have a file in either half, one a line.
on_disk() {
    local file
    for file in leaky/*.c fixed/*.c; do
        basename "$file" .c
    done | sort -u | grep -vx variant || true
}

# Everything up to the last include: header comment and includes.
preamble() {
    awk '{ text = text $0 "\n" } /^#include/ { upto = text } END { printf "%s", upto }' "$1"
}

# Macros and types: every #define, with its continuation lines, and every struct, enum,
# union or typedef that is not a variable.
types() {
    awk '
        !inside && /^#define/ { inside = 1 }
        !inside && /^(typedef|struct|enum|union)[^=(]*[;{]$/ { inside = 2 }
        inside { print }
        inside == 1 && !/\\$/ { inside = 0 }
        inside == 2 && /^[^ \t].*;$/ { inside = 0 }
    ' "$1"
}

# The descriptor, which is the last thing in the file.
descriptor() {
    awk -v start="const struct scenario $2_scenario = {" '
        $0 == start { inside = 1 }
        inside { print }
    ' "$1"
}

# The names of the static functions. A static variable has no parenthesis before its
# first "=" or ";".
functions() {
    awk '
        /^static / {
            line = $0
            sub(/[=;].*/, "", line)
            if (match(line, /[A-Za-z_0-9]+\(/)) {
                print substr(line, RSTART, RLENGTH - 1)
            }
        }
    ' "$1" | sort -u
}

# Lines that define something which other files can see: at the left margin, and neither
# static nor a type, a preprocessor line, a comment, a brace or a label.
exported() {
    awk '
        /^\/\*/ { comment = 1 }
        comment { if (/\*\//) comment = 0; next }
        !/^[A-Za-z_]/ { next }
        /^(static|_Static_assert|typedef)[^A-Za-z_0-9]/ { next }
        /^[a-z_0-9]+:$/ { next }
        /^(struct|enum|union) [A-Za-z_0-9]+( \{|;)$/ { next }
        /^(struct|enum|union)( [A-Za-z_0-9]+)? \{([^()]*\};)?$/ { next }
        { print FNR ": " $0 }
    ' "$1" | grep -vE "^[0-9]+: const struct scenario $2_scenario = \{$" || true
}

# Includes that a scenario must not have: it does not use the servers or the profiler.
foreign_includes() {
    grep -nE '^#include' "$1" | grep -E 'civetweb|gperftools|cJSON|cjson|"\.\.|server/|probe/' ||
        true
    grep -nE '^#include "' "$1" | grep -vE '"(scenario\.h|runtime/[a-z_]+\.h)"' || true
}

check_same() {
    local name=$1 what=$2 part=$3
    shift 3
    local leaky fixed
    leaky=$("$part" "leaky/$name.c" "$@")
    fixed=$("$part" "fixed/$name.c" "$@")
    if [[ $leaky != "$fixed" ]]; then
        violation "$name: $what differ between leaky/$name.c and fixed/$name.c:"
        diff <(printf '%s\n' "$leaky") <(printf '%s\n' "$fixed") | sed -n '2,9s/^/    /p' >&2
    fi
}

# Checks that `file` says `mark` once, as a comment with a reason, and `other` never.
check_mark() {
    local file=$1 mark=$2 other=$3 count
    count=$(grep -c "$mark:" "$file" || true)
    if ((count != 1)) || ! grep -qE "/\* $mark: [^ ]" "$file"; then
        violation "$file: exactly one comment '/* $mark: why */' is needed, found $count"
    fi
    if grep -q "$other:" "$file"; then
        violation "$file: '$other:' belongs in the other half"
    fi
}

check_half() {
    local half=$1 name=$2 file=$1/$2.c lines others field
    lines=$(wc -l <"$file")
    if ((lines > length_max)); then
        violation "$file: $lines lines, at most $length_max are allowed"
    fi
    others=$(exported "$file" "$name" | sed 's/^/    line /')
    if [[ -n $others ]]; then
        violation "$file: only ${name}_scenario may be exported; make this static:"
        printf '%s\n' "$others" >&2
    fi
    others=$(foreign_includes "$file" | sed 's/^/    line /')
    if [[ -n $others ]]; then
        violation "$file: a scenario includes only scenario.h, runtime/ and its library:"
        printf '%s\n' "$others" >&2
    fi
    if ! grep -qF ".name = \"${name//_/-}\"," "$file"; then
        violation "$file: the descriptor's name must be \"${name//_/-}\", like the file's"
    fi
    others=$(descriptor "$file" "$name")
    for field in bytes_default bytes_min bytes_max bytes_meaning; do
        if ! grep -q "^    \.$field = [^0]" <<<"$others"; then
            violation "$file: no .$field: every scenario has a main size"
        fi
    done
    if [[ $(tail -n 1 "$file") != "};" ]] ||
        ! grep -qxF "const struct scenario ${name}_scenario = {" "$file"; then
        violation "$file: must end with 'const struct scenario ${name}_scenario = {...};'"
    fi
}

check_pair() {
    local name=$1 renamed changed
    check_half leaky "$name"
    check_half fixed "$name"
    check_same "$name" "header comment or includes" preamble
    check_same "$name" "macros or types" types
    check_same "$name" "descriptors" descriptor "$name"
    check_mark "leaky/$name.c" LEAK FIX
    check_mark "fixed/$name.c" FIX LEAK
    renamed=$(comm -23 <(functions "leaky/$name.c") <(functions "fixed/$name.c") | xargs)
    if [[ -n $renamed ]]; then
        violation "$name: the fix removes or renames: $renamed"
    fi
    changed=$(diff "leaky/$name.c" "fixed/$name.c" | grep -c '^[<>]' || true)
    if ((changed == 0)); then
        violation "$name: both halves are the same"
    elif ((changed > changed_max)); then
        violation "$name: $changed changed lines, at most $changed_max are allowed"
    fi
}

# A profile shows function names only, so a name must say which scenario it belongs to.
check_unique_functions() {
    local half=$1 name shared
    shift
    shared=$(for name in "$@"; do functions "$half/$name.c"; done | sort | uniq -d | xargs)
    if [[ -n $shared ]]; then
        violation "$half/: functions of the same name in more than one scenario: $shared"
    fi
}

for file in leaky/* fixed/*; do
    if [[ $file != *.c ]]; then
        violation "$file: only scenarios and variant.c belong here"
    fi
done

pairs=()
for name in $({ listed; on_disk; } | awk '!seen[$0]++'); do
    complete=yes
    for file in "leaky/$name.c" "fixed/$name.c"; do
        if [[ ! -f $file ]]; then
            violation "$file: missing"
            complete=no
        fi
    done
    if [[ $complete == yes ]]; then
        pairs+=("$name")
    fi
done
for name in $(comm -13 <(listed | sort) <(on_disk)); do
    violation "$name: not in SCENARIO_LIST of common/scenario.h"
done

for name in "${pairs[@]}"; do
    check_pair "$name"
done
check_unique_functions leaky "${pairs[@]}"
check_unique_functions fixed "${pairs[@]}"

if ((violations > 0)); then
    printf 'check-pairs: %d violations of the pair rule\n' "$violations" >&2
    exit 1
fi
printf 'check-pairs: %d pairs, all by the rule\n' "${#pairs[@]}"
