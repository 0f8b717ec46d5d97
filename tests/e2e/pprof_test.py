#!/usr/bin/python3
"""google-pprof, asked about two dumps of the leaky server, names the function that is
guilty: at least 90 % of what grew is its own, for every scenario that the heap sees."""

import functools
import os
import re
import time

import lab
from lab import check, equal, test

PPROF = os.environ.get("PPROF", "google-pprof")
# flat, flat %, sum %, cumulative, cumulative %, function
ROW = re.compile(
    r"^\s*(-?\d+)\s+(-?[\d.]+)%\s+(-?[\d.]+)%\s+(-?\d+)\s+(-?[\d.]+)%\s+(.+)$"
)
# libcurl and SQLite allocate for themselves: the cumulative share is what counts.
BY_CUMULATIVE = {"http-body", "database-statement", "file-unclosed"}
# In use it is flat; what it allocated and freed again is what tells.
CHURN = {"buffer-churn"}

server = lab.Server("leaky", "--max-heap", "4G", "--max-timers", "8000")
# Only its own stack can grow in a test: thread-loop, which grows by itself, comes last.
listed = {described["name"]: described for described in server.scenarios()}
ordered = sorted(listed, key=lambda name: name == "thread-loop")


def rows(text):
    """The rows of a text report as {function: (flat %, cumulative %)}."""
    found = [ROW.match(line) for line in text.splitlines()]
    return {row[6]: (float(row[2]), float(row[5])) for row in found if row}


def blamed(name):
    """Takes two dumps around ten calls, and asks google-pprof."""
    suspect = listed[name]["suspect"]
    server.leak(name)
    server.settle()
    base = server.dump()
    server.leak(name, count=10)
    if name == "thread-loop":
        time.sleep(1)
    after = server.dump()
    report = lab.run(
        *(PPROF, "--text", "--show_bytes", f"--base={base}"),
        *(["--alloc_space"] if name in CHURN else []),
        *(server.program, after),
    ).stdout
    share = rows(report)
    check(suspect in share, f"{suspect} is not in the report:\n{report}")
    column = 1 if name in BY_CUMULATIVE else 0
    check(share[suspect][column] >= 90, f"{suspect} has too little:\n{report}")
    if not column:
        equal(next(iter(share)), suspect, "the function at the top")


for _name in ordered:
    if listed[_name]["suspect"] is not None:
        test(f"{_name}: google-pprof names {listed[_name]['suspect']}")(
            functools.partial(blamed, _name)
        )


@test("only what the heap cannot see has no suspect")
def _():
    blind = {name for name in listed if listed[name]["suspect"] is None}
    equal(blind, {"loop-defer", "array-by-value"}, "scenarios without a suspect")


# The Perl pprof takes the address after the call to malloc for the call's own, so that
# it may show the line after it.
@test("google-pprof names the line, too, or the one after it")
def _():
    base = server.dump()
    server.leak("slice-prefix")
    report = lab.run(
        PPROF, "--text", "--lines", f"--base={base}", server.program, server.dump()
    ).stdout
    path = os.path.join(lab.ROOT, "leaky", "slice_prefix.c")
    with open(path, encoding="utf-8") as source:
        lines = source.read().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if "malloc(slice_array" in line)
    shown = (f"slice_prefix.c:{number}\n", f"slice_prefix.c:{number + 1}\n")
    check(any(line in report for line in shown), report)


lab.main()
