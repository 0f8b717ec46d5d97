"""Waits in a foreign program while its threads are profiled again and again: none ends
early, every stack is whole, and the program keeps its signals. The profiles are taken by
a small library that is preloaded, with the same wrappers as leakprobe's; see
tests/programs/wait_profiler.c."""

import os
import re
import subprocess

import pytest

import programs
from checks import check, equal, wait_until
from commands import run
from tree import BUILD, ROOT
from waiting_program import WaitingProgram

LIBRARY = f"{BUILD}/tests/wait_profiler.so"
LIMIT = 120  # seconds, for programs that need a few


@pytest.fixture(name="library", scope="module")
def profiler_library():
    """The library to be preloaded."""
    run("make", "-s", f"BUILD={BUILD}", LIBRARY, cwd=ROOT, limit=280)
    return LIBRARY


def compiled(directory, name, *options):
    """Compiles one of the programs; returns its path."""
    program = str(directory / name)
    source = f"{ROOT}/tests/programs/{name}.c"
    flags = ("-D_GNU_SOURCE", "-g", "-rdynamic", "-pthread")
    run("gcc", *flags, *options, "-o", program, source)
    return program


def summary(errors):
    """What the profiler has counted: a dictionary."""
    lines = [line for line in errors.splitlines() if line.startswith("profiles ")]
    equal(len(lines), 1, errors)
    return {name: int(n) for name, n in re.findall(r"(\w+) (\d+)", lines[0])}


def started(library, profiles, *command):
    """Starts a program under the profiler."""
    environment = os.environ | {"LD_PRELOAD": library, "PROFILES": str(profiles)}
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def profiled(library, profiles, *command):
    """Runs a program under the profiler: what it wrote, and what was counted."""
    with started(library, profiles, *command) as process:
        out, errors = process.communicate(timeout=LIMIT)
    equal(process.returncode, 0, out + errors)
    return out, summary(errors)


@pytest.mark.parametrize("options", (("-O2",), ("-O0",)))
def test_no_wait_ends_early(library, tmp_path, options):
    """Forty kinds of wait, a thousand profiles."""
    program = compiled(tmp_path, "waits", *options)
    with started(library, 1000, program) as process:
        equal(process.stdout.readline(), "waiting\n")
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("profiles "):
                break
        out, errors = process.communicate(timeout=LIMIT)
    errors = "".join(lines) + errors
    equal(out, "waits 40 early 0\n", errors)
    counted = summary(errors)
    equal((counted["profiles"], counted["error"], counted["silent"]), (1000, 0, 0))
    # A wait that does not come through the C library is read without its frame pointer,
    # and the profile says where it had to stop.
    equal(counted["short"], counted["cut"], errors)
    check(counted["cut"] == 0 or options == ("-O0",), errors)


def test_waits_begin_and_end_meanwhile(library, tmp_path):
    """By cancelling, by a jump out of a handler, in a handler, in a forked child."""
    program = compiled(tmp_path, "wait_storm", "-O1")
    out, counted = profiled(library, 10**6, program, "3")
    check(out.startswith("storm ok"), out)
    check(counted["profiles"] > 20 and counted["signals"] > 20, str(counted))
    equal((counted["short"], counted["error"]), (0, 0), str(counted))


@pytest.mark.parametrize("use", ("handle", "wait"))
def test_the_program_keeps_its_signals(library, tmp_path, use):
    """Also the number that the profiler has chosen, which then takes another one."""
    program = compiled(tmp_path, "own_signals", "-O1")
    out, _ = profiled(library, 10**6, program, use)
    equal(out, "signals ok\n")


def polls(task):
    """Whether the thread with this directory is in poll."""
    with open(f"{task}/syscall", encoding="ascii") as file:
        return file.read().startswith("7 ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the root")
def test_no_wait_ends_early_without_a_proc(tmp_path):
    """The program has changed its root: the kernel's files are still read."""
    command = [programs.compiled("wait_jailed.c"), str(tmp_path)]
    with WaitingProgram(command, probe=("--heap", "off")) as program:
        waiting = f"/proc/{program.pid}/task"
        wait_until(
            lambda: any(polls(f"{waiting}/{task}") for task in os.listdir(waiting)),
            what="a thread in poll",
        )
        for _ in range(3):
            program.get("/debug/pprof/goroutine")
        check(b"early" not in program.output(), "the wait has ended")
        equal(program.finish(), 0, "exit status")
