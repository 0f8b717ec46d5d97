#!/usr/bin/python3
"""What leakprobe costs a program before main and at rest: the time of its constructor, the
time of a short command from start to end, and the wake-ups of its thread while the program
sleeps. Bare starts and those under leakprobe come in turn; medians are compared."""

import os
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))

import bench  # noqa: E402
from checks import check  # noqa: E402
from programs import Program, probed  # noqa: E402
from tree import scratch  # noqa: E402

STARTS = 200
CONSTRUCTOR_BOUND_US = 2000
REST_SECONDS = 3
QUIET = ("--port", "0", "--quiet")


def build(directory):
    """Compiles start_cost.c; returns the program's path."""
    source, program = f"{HERE}/start_cost.c", f"{directory}/start_cost"
    library = f"{directory}/libfirst.so"
    shared = ("-shared", "-fPIC", "-DFIRST", "-Wl,-z,initfirst")
    for options in (
        (*shared, "-o", library),
        ("-o", program, library, f"-Wl,-rpath,{directory}"),
    ):
        subprocess.run(
            ["gcc", "-std=c11", "-D_GNU_SOURCE", source, *options], check=True
        )
    return program


def constructor(program):
    """The median time of the constructor in microseconds."""
    times = {False: [], True: []}
    for number in range(2 * STARTS):
        under = number % 2 == 1
        command = probed([program], *QUIET) if under else [program]
        done = subprocess.run(command, capture_output=True, check=True)
        times[under].append(float(done.stdout))
    return statistics.median(times[True]) - statistics.median(times[False])


def short_command(command):
    """Median milliseconds from start to end: bare, and under leakprobe."""
    times = {False: [], True: []}
    for number in range(STARTS):
        under = number % 2 == 1
        begin = time.monotonic()
        subprocess.run(
            probed(command, *QUIET) if under else command,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        times[under].append(1000 * (time.monotonic() - begin))
    return [statistics.median(each) for each in times.values()]


def switches(pid):
    """How often leakprobe's thread has been given a processor."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
            status = file.read()
        if status.startswith("Name:\tleakprobe\n"):
            return sum(map(int, re.findall(r"ctxt_switches:\t(\d+)", status)))
    return None


def wake_ups():
    """How often leakprobe's thread wakes while nobody asks for anything."""
    program = Program(["sleep", "1000"], probe=QUIET)
    program.await_(lambda: switches(program.pid) is not None, "its thread")
    time.sleep(1)  # what it does at its start is over
    before = switches(program.pid)
    time.sleep(REST_SECONDS)
    after = switches(program.pid)
    program.process.kill()
    program.process.wait()
    check(before is not None and after is not None, "leakprobe's thread is gone")
    return after - before


def verdict(text, value, bound):
    """Prints a figure with its bound; returns whether it is within it."""
    held = value <= bound
    print(f"start: {text}, at most {bound} wanted: {'ok' if held else 'TOO MUCH'}")
    return held


def main():
    taken = constructor(build(scratch()))
    bare, under = short_command(["git", "--version"])
    print(f"start: git --version: bare {bare:.1f} ms, under leakprobe {under:.1f} ms")
    text = f"the constructor takes {taken:.0f} us (median of {STARTS})"
    held = verdict(text, taken, CONSTRUCTOR_BOUND_US)
    woken = wake_ups()
    text = f"leakprobe's thread wakes {woken} times in {REST_SECONDS} s at rest"
    held = verdict(text, woken, 0) and held
    if not held:
        print("start_bench.py: past its bound", file=sys.stderr)
    return held


if __name__ == "__main__":
    bench.run(main)
