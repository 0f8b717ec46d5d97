"""scripts/try-debian.sh runs commands in systems of their own, and leaves nothing: no
process, no mount, no file, however it ends. The systems here are tiny: a stand-in for
debootstrap copies a shell and a few programs of this machine into a directory."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from checks import check, equal, wait_until
from commands import finish, run, start
from tree import ROOT, scratch

SCRIPT = os.path.join(ROOT, "scripts", "try-debian.sh")
PROGRAMS = ("bash", "env", "cat", "sleep", "mkdir", "touch", "ls")
COPIED = " ".join(shutil.which(program) for program in PROGRAMS)
DEBOOTSTRAP = f"""#!/bin/bash
set -e
case "$*" in *refused*) echo "E: no such release"; exit 1 ;; esac
root=${{@: -2:1}}
mkdir -p "$root"/{{proc,dev/pts,dev/shm,etc/apt/apt.conf.d,root,tmp,usr/bin}}
ln -s usr/bin "$root/bin"
echo 99.9 >"$root/etc/debian_version"
libraries=$(ldd {COPIED} | grep -o '/[^ ]*\\.so[^ ]*' | sort -u)
for file in {COPIED}; do cp -L "$file" "$root/usr/bin/"; done
for file in $libraries; do
    mkdir -p "$root${{file%/*}}"
    cp -L "$file" "$root$file"
done
"""


class Stage:
    """A lab in a repository of its own, and a place for the systems to be unpacked."""

    def __init__(self):
        for program in ("git", "unshare", "setpriv"):
            if not shutil.which(program):
                pytest.skip(f"no {program} here")
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"]).returncode:
            pytest.skip("mounting is for root")
        self.folder = scratch()
        self.lab = os.path.join(self.folder, "lab")
        self.systems = os.path.join(self.folder, "systems")
        self.programs = os.path.join(self.folder, "programs")
        for directory in (self.systems, self.programs, f"{self.lab}/scripts"):
            os.makedirs(directory)
        with open(f"{self.programs}/debootstrap", "w", encoding="utf-8") as file:
            file.write(DEBOOTSTRAP)
        os.chmod(f"{self.programs}/debootstrap", 0o755)
        shutil.copy(SCRIPT, f"{self.lab}/scripts/")
        git = (
            "git",
            "-C",
            self.lab,
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@localhost",
        )
        run("git", "init", "-q", self.lab)
        run(*git, "add", ".")
        run(*git, "commit", "-q", "-m", "the lab")

    def start(self, *arguments):
        environment = os.environ | {"TMPDIR": self.systems}
        environment["PATH"] = f"{self.programs}:{environment['PATH']}"
        script = f"{self.lab}/scripts/try-debian.sh"
        return start(script, "--mirror", "none:", *arguments, env=environment)

    def run(self, *arguments):
        return finish(self.start(*arguments))

    def processes(self):
        """What has its root directory in one of the systems."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                root = os.readlink(f"/proc/{pid}/root")
            except OSError:
                continue
            if root.startswith(self.systems):
                found.append(int(pid))
        return found

    def nothing_left(self):
        wait_until(lambda: not self.processes(), what="the end of all processes")
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            equal([line for line in mounts if self.systems in line], [], "mounts")
        wait_until(lambda: not os.listdir(self.systems), what="no files")


def test_help_wrong_usage():
    """--help, wrong usage."""
    check("--cache" in run(SCRIPT, "--help").stdout, "usage")
    for wrong in ("--bad", "--run", "../x", "Bad name"):
        done = run(SCRIPT, wrong, check_exit=False)
        equal(done.returncode, 2, f"exit of {wrong}")
        check(wrong in done.stderr, done.stderr)


def test_commands_run_in_clone_with_proc_and_terminals():
    """Commands run in a clone, with /proc and terminals; how they end is reported."""
    stage = Stage()
    look = (
        "ls /root/lab/scripts /proc/1/status /dev/pts/ptmx && echo pid $$ >/root/seen"
    )
    status, output = stage.run("--run", look, "--run", "cat /root/seen; exit 7", "tiny")
    equal(status, 1, f"exit; {output}")
    for words in ("try-debian.sh", "/proc/1/status", "/dev/pts/ptmx", "Debian 99.9"):
        check(words in output, f"no {words} in {output}")
    check(re.search(r"^pid [2-9]$", output, re.MULTILINE), output)
    check(re.search(r"^tiny .* exit   0,", output, re.MULTILINE), output)
    check(re.search(r"^tiny .* exit   7,", output, re.MULTILINE), output)
    stage.nothing_left()


def test_cache_keeps_bare_system_not_what_was_done():
    """--cache keeps the bare system, not what was done to it."""
    stage = Stage()
    cache = os.path.join(stage.folder, "cache")
    for _turn in range(2):
        status, output = stage.run(
            *("--cache", cache, "--run", "! ls /root/mark && touch /root/mark", "tiny")
        )
        equal(status, 0, f"exit; {output}")
        equal(os.listdir(cache), ["tiny.tar"], "what is kept")
        os.remove(f"{stage.programs}/debootstrap") if _turn else None
        stage.nothing_left()


def test_release_that_cannot_be_unpacked_its_words_exit_1():
    """A release that cannot be unpacked: its words, exit 1, nothing left."""
    stage = Stage()
    status, output = stage.run("refused")
    equal(status, 1, f"exit; {output}")
    check("no such release" in output, output)
    stage.nothing_left()


def test_what_command_leaves_running_ends():
    """What a command leaves running ends with it."""
    stage = Stage()
    started = time.monotonic()
    status, output = stage.run("--run", "sleep 300 & sleep 300 & exit 0", "tiny")
    equal(status, 0, f"exit; {output}")
    check(time.monotonic() - started < 60, "it waited for what was left")
    stage.nothing_left()


def test_sigint_sigterm_or_sigkill_in_middle():
    """SIGINT, SIGTERM or SIGKILL in the middle: every process and mount is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        stage = Stage()
        process = stage.start("--run", "sleep 300 & echo here; sleep 300", "tiny")
        wait_until(
            lambda: len(stage.processes()) >= 3, what="the command in the system"
        )
        process.send_signal(number)
        expected = -9 if number == signal.SIGKILL else 128 + number
        equal(process.wait(20), expected, f"exit status after {number}")
        process.stdout.close()
        if number == signal.SIGKILL:  # Nobody is left to remove the files.
            wait_until(lambda: not stage.processes(), what="the end of all")
            shutil.rmtree(stage.systems)
            os.mkdir(stage.systems)
        stage.nothing_left()


def test_below_mount_nothing_is_removed():
    """Below a mount nothing is removed."""
    stage = Stage()
    kept = os.path.join(stage.folder, "kept")
    os.mkdir(kept)
    with open(f"{kept}/file", "w", encoding="utf-8"):
        pass
    process = stage.start("--run", "touch /root/go; sleep 300", "tiny")

    def system():
        names = os.listdir(stage.systems)
        root = os.path.join(stage.systems, names[0], "tiny") if names else ""
        return root if os.path.exists(f"{root}/root/go") else None

    root = wait_until(system, what="the system")
    run("mount", "--bind", kept, f"{root}/tmp")
    try:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
        check("is mounted below" in output, output)
        check(os.path.exists(f"{kept}/file"), "it removed files through a mount")
    finally:
        run("umount", f"{root}/tmp")
        shutil.rmtree(os.path.dirname(root))
    stage.nothing_left()
