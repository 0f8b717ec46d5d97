#!/usr/bin/python3
"""What it costs to note who made what: processor time of making something and ending it,
of locking and unlocking a mutex, at the end of a stack of 12 frames, against the same
program without leakprobe. All run at once, and work in turn, some hundredths of a second
each: so whatever else the machine does meets all of them. Several families of programs are
measured, one after the other, because where its memory happens to be makes a program some
percent faster or slower than an equal one."""

import contextlib
import os
import random
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))

import bench  # noqa: E402
from programs import probed  # noqa: E402
from tree import scratch  # noqa: E402

FAMILIES = 5
TURNS = 9  # of each program with each pair
# How each program runs: bare, or under leakprobe with these options.
WAYS = {
    "bare": None,
    "off": ("--heap", "off", "--resources", "off"),
    "resources": ("--heap", "off", "--resources", "on"),
    "with heap": ("--heap", "exact", "--resources", "on"),
}
# Each pair: its name in resources_cost.c, how many of them are a turn, and the bound for
# "resources", if there is one.
PAIRS = (
    ("null", "open and close /dev/null", 6000, 1.3),
    ("file", "open and close a file", 6000, 1.3),
    ("stream", "fopen and fclose", 6000, None),
    ("socket", "socket and close", 4000, None),
    ("thread", "pthread_create and pthread_join", 500, None),
    ("timer", "timer_create and timer_delete", 8000, None),
    ("mapping", "mmap and munmap", 6000, None),
    ("child", "fork and waitpid", 100, None),
    ("lock", "a mutex that is free", 1000000, None),
    ("contended", "a mutex that another thread has", 5000, None),
)


class Worker:
    """The program, waiting for work."""

    def __init__(self, program, probe):
        options = probe and (*probe, "--port", "0", "--quiet")
        command = [program] if probe is None else probed([program], *options)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def turn(self, name, count):
        """Returns nanoseconds of a pair."""
        self._process.stdin.write(f"{name} {count}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def family(program, chance):
    """The least cost of each pair, by its name and the way, of programs newly started:
    that of the quietest turn, because other work on the machine only adds to it."""
    least = {}
    with contextlib.ExitStack() as stack:
        workers = []
        for way, probe in WAYS.items():
            workers.append((way, Worker(program, probe)))
            stack.callback(workers[-1][1].close)
        for name, _, count, _ in PAIRS:
            for _ in range(TURNS):
                chance.shuffle(workers)
                for way, worker in workers:
                    cost = worker.turn(name, count)
                    before = least.get((name, way), cost)
                    least[name, way] = min(before, cost)
    return least


def report(pair, families):
    """Prints what a pair costs; returns whether it is within its bound."""
    name, title, _, bound = pair
    bare = statistics.median(each[name, "bare"] for each in families)
    parts = [f"bare {bare:.0f} ns"]
    middle = {}
    for way in list(WAYS)[1:]:
        ratios = sorted(each[name, way] / each[name, "bare"] for each in families)
        middle[way] = statistics.median(ratios)
        parts.append(f"{way} {middle[way]:.3f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    held = bound is None or middle["resources"] <= bound
    if bound is not None:
        parts.append(f"at most {bound} wanted: {'ok' if held else 'TOO MUCH'}")
    print(f"resources: {title}: {', '.join(parts)}", flush=True)
    return held


def main():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # and of all that it starts
    program = f"{scratch()}/resources_cost"
    flags = ("-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-pthread")
    source = f"{HERE}/resources_cost.c"
    subprocess.run(["gcc", *flags, source, "-o", program], check=True)
    chance = random.Random(1)
    families = [family(program, chance) for _ in range(FAMILIES)]
    held = [report(pair, families) for pair in PAIRS]
    if not all(held):
        print("resources_bench.py: past its bound", file=sys.stderr)
    return all(held)


if __name__ == "__main__":
    bench.run(main)
