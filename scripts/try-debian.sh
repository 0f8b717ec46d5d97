#!/usr/bin/env bash
# Tries the lab on other releases of Debian: unpacks a bare system of each, clones what is
# committed here into it, and runs the demo or the tests there before anything else.
# All of it runs in its own namespaces, so that its processes and mounts end with it.
set -euo pipefail

readonly all_suites=(bookworm trixie sid) # Debian 12, 13 and unstable

usage() {
    cat <<'TEXT'
usage: scripts/try-debian.sh [OPTION]... [SUITE]...

Runs the lab in a bare Debian of each SUITE: bookworm, trixie and sid, if none
is named. It takes what is committed. Needs root, and what scripts/setup.sh
--debian installs.

  --demo         run ./demo.sh (the default)
  --tests        run ./scripts/test.sh
  --run COMMAND  run any other command
  --cache DIR    keep the bare systems as DIR/SUITE.tar, and take them from
                 there
  --mirror URL   where Debian's packages are; otherwise where apt takes them
                 from here
  --help         this text

These three can be given more than once. They run in the given order on the
same system, so that --demo --demo shows the time without and with the packages.
Systems are unpacked in TMPDIR, or else in /var/tmp: about 1 GB each, one at a
time, and removed.

Exit status: 0 if every command on every system exited 0, 1 if not, 2 for wrong
usage.
TEXT
}

wrong_usage() {
    printf 'try-debian.sh: %s\n' "$1" >&2
    usage >&2
    exit 2
}

fail() {
    printf 'try-debian.sh: %s\n' "$*" >&2
    exit 1
}

suites=()
commands=()
cache=
mirror=
while (($# > 0)); do
    case $1 in
    --demo) commands+=(./demo.sh) ;;
    --tests) commands+=(./scripts/test.sh) ;;
    --run | --cache | --mirror)
        [[ -n ${2:-} ]] || wrong_usage "$1 needs a value"
        case $1 in
        --run) commands+=("$2") ;;
        --cache) cache=$2 ;;
        --mirror) mirror=$2 ;;
        esac
        shift
        ;;
    --help)
        usage
        exit 0
        ;;
    -*) wrong_usage "unknown option $1" ;;
    *)
        [[ $1 =~ ^[a-z][a-z0-9-]*$ ]] || wrong_usage "not the name of a release: '$1'"
        suites+=("$1")
        ;;
    esac
    shift
done
if ((${#suites[@]} == 0)); then
    suites=("${all_suites[@]}")
fi
if ((${#commands[@]} == 0)); then
    commands=(./demo.sh)
fi

((EUID == 0)) || fail 'this needs root, to unpack a system and to mount in it.'
for program in debootstrap git unshare setpriv tar; do
    command -v "$program" >/dev/null ||
        fail "this needs $program: run scripts/setup.sh --debian"
done

source_directory=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d -p "${TMPDIR:-/var/tmp}" try-debian-XXXXXX)
running= # the process that waits for the one in the namespaces

# Ends everything in the namespaces: when their first process is killed, the kernel
# kills all others with it, and the mounts end with the last.
# shellcheck disable=SC2317 # It is reached: through the trap.
end_running() {
    local first=
    if [[ -n $running ]]; then
        read -r first _ 2>/dev/null <"/proc/$running/task/$running/children" || true
        kill -KILL "${first:-$running}" 2>/dev/null || true
        # Not `wait`, which may never return after a signal ended an earlier one.
        while kill -0 "$running" 2>/dev/null; do
            sleep 0.05
        done
        running=
    fi
}

# Removes a directory below the scratch directory. No mount is ever made outside of the
# namespaces, and rm would not cross one; but this removes whole systems, so it checks.
remove() {
    if [[ -e $1 ]] && grep -qF " $1/" /proc/self/mountinfo; then
        printf 'try-debian.sh: something is mounted below %s: it stays.\n' "$1" >&2
        return 1
    fi
    rm -rf --one-file-system "$1"
}

# shellcheck disable=SC2317 # It is reached: through the trap.
clean_up() {
    local status=$?
    trap - EXIT
    trap '' INT TERM HUP
    end_running
    remove "$scratch" || true
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Runs a command with processes and mounts of its own, which end with this script even if
# it is killed. It runs in the background, so that this script handles signals at once.
in_namespaces() {
    local status=0
    setpriv --pdeathsig KILL \
        unshare --mount --pid --fork --kill-child -- "$@" </dev/null &
    running=$!
    wait "$running" || status=$?
    running=
    return "$status"
}

# Where apt takes Debian's main archive from: the security archive alone is not enough.
find_mirror() {
    # shellcheck disable=SC2016 # apt-get expands these.
    apt-get indextargets --format '$(LABEL) $(COMPONENT) $(REPO_URI)' \
        'Created-By: Packages' | awk '$1 == "Debian" && $2 == "main" { print $3; exit }'
}

# Unpacks a bare system.
make_system() {
    local suite=$1 root=$2 log=$scratch/debootstrap.log kept=
    if [[ -n $cache ]]; then
        kept=$cache/$suite.tar
    fi
    mkdir "$root"
    if [[ -n $kept && -e $kept ]]; then
        tar -C "$root" -xf "$kept"
        return
    fi
    if ! in_namespaces debootstrap --force-check-gpg --variant=minbase "$suite" \
        "$root" "$mirror" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "debootstrap of $suite failed"
    fi
    if [[ -n $kept ]]; then
        tar --one-file-system --numeric-owner -C "$root" -cf "$kept.part" .
        mv "$kept.part" "$kept"
    fi
}

# Lets apt in the new system reach what it reaches here: the mirror, through the same
# proxy, with the same certificates and the same checks of an archive's dates.
connect_system() {
    local suite=$1 root=$2 certificates=/etc/ssl/certs/ca-certificates.crt
    local settings=$root/etc/apt/apt.conf.d/99from-outside
    printf 'deb %s %s main\n' "$mirror" "$suite" >"$root/etc/apt/sources.list"
    apt-config dump | grep -E '^Acquire::(https?::([^ ]*::)?Proxy|Check-[A-Za-z-]*) ' \
        >"$settings" || true
    if [[ $mirror == https:* && -e $certificates ]]; then
        cp "$certificates" "$root/etc/apt/from-outside.crt"
        printf 'Acquire::https::CaInfo "/etc/apt/from-outside.crt";\n' >>"$settings"
    fi
    cp /etc/hosts /etc/resolv.conf "$root/etc/"
}

# The first process in the namespaces: mounts what a system needs, and waits for the
# command. It stays (no exec), because it has to reap processes whose parent has ended.
# shellcheck disable=SC2016 # It is bash in the namespaces that expands these.
readonly inside='
set -eu
root=$1
shift
mount -t proc proc "$root/proc"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
status=0
chroot "$root" /usr/bin/env -i "$@" || status=$?
exit "$status"
'

# Runs one command in the clone. It gets only the proxies and the terminal's settings of
# this environment.
run_inside() {
    local root=$1 command=$2 name environment=()
    for name in http_proxy https_proxy no_proxy TERM NO_COLOR; do
        if [[ -n ${!name:-} ]]; then
            environment+=("$name=${!name}")
        fi
    done
    in_namespaces bash -c "$inside" bash "$root" HOME=/root \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        "${environment[@]}" bash -c "cd /root/lab && $command"
}

results=()
failed=0

# Runs the commands on a new system of the suite, and notes how they ended.
try_suite() {
    local suite=$1 root=$scratch/$1 command status started
    printf '== %s: unpacking a bare system\n' "$suite"
    make_system "$suite" "$root"
    connect_system "$suite" "$root"
    git clone -q --no-hardlinks "$source_directory" "$root/root/lab"
    for command in "${commands[@]}"; do
        printf '\n== %s (Debian %s): %s\n' "$suite" \
            "$(cat "$root/etc/debian_version")" "$command"
        status=0
        started=$SECONDS
        run_inside "$root" "$command" || status=$?
        results+=("$(printf '%-10s %-24s exit %3d, %4d s' "$suite" "$command" \
            "$status" $((SECONDS - started)))")
        if ((status != 0)); then
            failed=1
        fi
    done
    remove "$root"
}

if [[ -z $mirror ]]; then
    mirror=$(find_mirror)
    [[ -n $mirror ]] || fail 'apt knows no archive of Debian here: run apt-get update' \
        'first, or name one with --mirror'
fi
if [[ -n $cache ]]; then
    mkdir -p "$cache"
fi
if [[ -n $(git -C "$source_directory" status --porcelain) ]]; then
    printf 'try-debian.sh: changes that are not committed are not tried.\n'
fi
for suite in "${suites[@]}"; do
    try_suite "$suite"
done
printf '\n'
printf '%s\n' "${results[@]}"
exit "$failed"
