#!/usr/bin/env bash
# Puts Debian's prometheus and promtool into a directory, without installing the
# packages: that would start a service. The two programs need no other file.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/prometheus-unpack.sh DIR

Puts Debian's prometheus and promtool into DIR, if they are not there yet.
Prints nothing unless it fails. Needs no root, unless apt does not know the
package yet: then it runs apt-get update, as root or through sudo.

Exit status: 0 if both are there, 1 if not, 2 for wrong usage.
TEXT
}

fail() {
    printf 'prometheus-unpack.sh: %s\n' "$@" >&2
    exit 1
}

if [[ $* == --help ]]; then
    usage
    exit 0
elif (($# != 1)) || [[ $1 == '' || $1 == -* ]]; then
    usage >&2
    exit 2
fi
directory=$1

is_there() {
    [[ -x $directory/prometheus && -x $directory/promtool ]]
}

is_offered() {
    [[ $(apt-cache policy "$1" 2>/dev/null) == *Candidate:\ [0-9]* ]]
}

# Runs a command; its output is shown only if it fails.
quietly() {
    local output
    if ! output=$("$@" </dev/null 2>&1); then
        printf '%s\n' "$output" >&2
        return 1
    fi
}

# Has apt read its sources, if this user may. sudo must not ask for a password.
update() {
    local as_root=()
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
            fail 'apt does not know the package prometheus: run apt-get update as root'
        fi
        as_root=(sudo -n)
    fi
    quietly "${as_root[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update ||
        fail 'apt-get update failed: is there a network?'
}

if is_there; then
    exit 0
fi
for command in apt-get apt-cache dpkg; do
    command -v "$command" >/dev/null ||
        fail "this needs Debian's $command; or put prometheus and promtool into $directory"
done
if ! is_offered prometheus; then
    update
    is_offered prometheus || fail "apt's sources have no package prometheus"
fi

mkdir -p "$directory" || fail "no directory $directory"
# Everything is unpacked beside the result and then renamed: another run at the same
# time never sees half of a program.
scratch=$(mktemp -d "$directory/.unpack.XXXXXX") || fail "cannot write to $directory"
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
packages=(prometheus)
# From Debian 13 on promtool has a package of its own.
if is_offered promtool; then
    packages+=(promtool)
fi
(cd "$scratch" && quietly apt-get -q download "${packages[@]}") ||
    fail 'the package prometheus cannot be downloaded: is there a network?' \
        "if its version is gone, apt-get update renews apt's lists"
for package in "$scratch"/*.deb; do
    quietly dpkg -x "$package" "$scratch/tree" || fail "$package cannot be unpacked"
done
for program in prometheus promtool; do
    [[ -x $scratch/tree/usr/bin/$program ]] || fail "no package has $program"
    mv -f "$scratch/tree/usr/bin/$program" "$directory/$program"
done
is_there || fail "$directory has not got both programs"
