#!/usr/bin/env bash
# Installs the Debian packages that the lab needs; nothing else in the lab installs
# anything. It asks dpkg first, so it takes only a moment when all is there. No package
# name here has a version in it: the same lists serve Debian 12, 13 and unstable.
set -euo pipefail

# What building, running and walking through the lab needs, except for a reader of heap
# profiles: see profile_reader. google-pprof is a Perl script that calls nm and
# addr2line (binutils) and curl; without file(1) it takes this machine for another
# system and shows no lines.
readonly lab_packages=(
    binutils
    curl
    file
    gcc
    libc6-dev
    libcivetweb-dev
    libcjson-dev
    libcurl4-openssl-dev
    libdw-dev
    libelf-dev
    libgoogle-perftools-dev
    libjs-chart.js
    libsqlite3-dev
    make
    node-d3-hierarchy
    uthash-dev
)

# What ./learn.sh needs in addition.
readonly learn_packages=(
    python3
)

# What the tests need in addition: a second compiler, checkers, and clients.
readonly test_packages=(
    chromium
    chromium-driver
    clang
    clang-format
    clang-tidy
    cppcheck
    g++
    gdb
    golang-go
    graphviz
    heaptrack
    libclang-rt-dev
    libcmocka-dev
    man-db
    python3
    python3-pytest
    python3-pytest-timeout
    python3-pytest-xdist
    python3-selenium
    shellcheck
    valgrind
    wrk
)

usage() {
    cat <<'TEXT'
usage: scripts/setup.sh [--learn] [--tests] [--debian]

Installs the Debian packages that the lab needs, as root or through sudo.

  --learn   also what ./learn.sh needs
  --tests   also what the tests need
  --debian  also what scripts/try-debian.sh needs
  --help    this text
TEXT
}

# What scripts/try-debian.sh needs.
readonly debian_packages=(
    debootstrap
    git
)

# Prints those of the named packages that are not installed. dpkg-query fails when it
# does not know a name at all, which is no failure here.
missing_of() {
    local name known installed
    known=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    installed=" $(sed -n 's/^installed //p' <<<"$known" | tr '\n' ' ') "
    for name in "$@"; do
        if [[ $installed != *" $name "* ]]; then
            printf '%s\n' "$name"
        fi
    done
}

# Succeeds if apt knows a version of this package that it can install.
is_offered() {
    local policy
    policy=$(apt-cache policy "$1" 2>/dev/null)
    [[ $policy == *Candidate:* && $policy != *'Candidate: (none)'* ]]
}

# Prints the package with a program that reads heap profiles: google-pprof or, where the
# release no longer has it (Debian unstable), Go's pprof, a much larger download.
profile_reader() {
    # Before the first apt-get update apt knows no package at all. So Go's pprof is
    # chosen only if apt knows a package that every release has.
    if [[ -n $(missing_of google-perftools) ]] &&
        is_offered libgoogle-perftools-dev && ! is_offered google-perftools; then
        printf 'golang-go\n'
    else
        printf 'google-perftools\n'
    fi
}

# Sets `missing` to what is wanted and not installed.
find_missing() {
    mapfile -t missing < <(missing_of "${wanted[@]}" "$(profile_reader)" | sort -u)
}

wanted=("${lab_packages[@]}")
while (($# > 0)); do
    case $1 in
    --learn) wanted+=("${learn_packages[@]}") ;;
    --tests) wanted+=("${test_packages[@]}") ;;
    --debian) wanted+=("${debian_packages[@]}") ;;
    --help)
        usage
        exit 0
        ;;
    *)
        printf 'setup.sh: unknown option %s\n' "$1" >&2
        usage >&2
        exit 2
        ;;
    esac
    shift
done

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    printf 'setup.sh: this needs Debian, 12 or later (apt-get and dpkg-query).\n' >&2
    exit 1
fi

find_missing
if ((${#missing[@]} == 0)); then
    printf 'setup.sh: all packages are installed.\n'
    exit 0
fi

run_as_root=()
if ((EUID != 0)); then
    # Without a terminal nobody can type a password, so sudo must not ask for one.
    sudo_options=()
    if [[ ! -t 0 ]]; then
        sudo_options=(-n)
    fi
    if ! command -v sudo >/dev/null || ! sudo "${sudo_options[@]}" true; then
        printf 'setup.sh: packages are missing. As root, run this, then try again:\n\n' >&2
        printf '  apt-get update && apt-get install -y --no-install-recommends %s\n' \
            "${missing[*]}" >&2
        exit 1
    fi
    run_as_root=(sudo "${sudo_options[@]}")
fi

# On a fresh machine another apt may be running: wait for its lock.
apt_get=("${run_as_root[@]}" env DEBIAN_FRONTEND=noninteractive
    apt-get -q -y -o DPkg::Lock::Timeout=300)

# Runs one apt-get command, quietly; its output is shown when it fails.
apt_quietly() {
    local output
    if ! output=$("${apt_get[@]}" "$@" </dev/null 2>&1); then
        printf '%s\nsetup.sh: apt-get %s failed.\n' "$output" "$1" >&2
        return 1
    fi
}

started=$SECONDS
# The update fails if one source is out of reach. Another one may have all packages.
apt_quietly update || printf 'setup.sh: continuing with the old package lists.\n' >&2
find_missing
printf 'setup.sh: installing %d packages and what they need: %s\n' "${#missing[@]}" \
    "${missing[*]}" | fold -s -w 80 | sed 's/ *$//'
apt_quietly install --no-install-recommends "${missing[@]}"
printf 'setup.sh: installed in %d s.\n' $((SECONDS - started))
