"""google-pprof and go tool pprof, asked about two dumps of the leaky server, name the
function that is guilty: at least 90 % of what grew is its own, for every scenario that
the heap sees."""

import os
import re
import time

import pytest

from checks import check, equal
from commands import profile_readers, run
from scenarios import scenario_names
from servers import Server
from tree import ROOT
from turns import in_turns

pytestmark = pytest.mark.slow

READERS = profile_readers()
# flat, flat %, sum %, cumulative, cumulative %, function; Go's amounts have a unit.
ROW = re.compile(
    r"^\s*-?[\d.]+[kMG]?B?\s+(-?[\d.]+)%\s+-?[\d.]+%"
    r"\s+-?[\d.]+[kMG]?B?\s+(-?[\d.]+)%\s+(.+)$"
)
# Libraries allocate for themselves, the C library for a file and for a thread (on
# Debian 13 a tenth of what small threads hold): the cumulative share is what counts.
BY_CUMULATIVE = {"http-body", "database-statement", "file-unclosed"}
BY_CUMULATIVE |= {"channel-one-receiver"}
# In use it is flat; what it allocated and freed again is what tells.
CHURN = {"buffer-churn"}

# The heap does not see what these leave.
BLIND = {"loop-defer", "array-by-value"}
SUSPICIOUS = [name for name in scenario_names() if name not in BLIND]
# Only its own stack can grow in a test: thread-loop, which grows by itself, comes last.
SUSPICIOUS.sort(key=lambda name: name == "thread-loop")


@pytest.fixture(scope="module", autouse=True)
def started():
    """The server of all tests here, and its scenarios by name."""
    global server, listed
    with Server("leaky", "--max-heap", "4G", "--max-timers", "8000") as server:
        listed = {described["name"]: described for described in server.scenarios()}
        yield


# Go's total adds up what grew and what shrank. A stack whose blocks have another mean
# size in the second dump is both: on Debian 13 that is the profile's own buffer. So
# shares are taken of what is shown.
SHOWN = re.compile(r"^Showing nodes accounting for .*, ([\d.]+)% of", re.MULTILINE)


def rows(text):
    """The rows of a text report as {function: (flat %, cumulative %)}."""
    found = [ROW.match(line) for line in text.splitlines()]
    shown = SHOWN.search(text)
    whole = float(shown[1]) / 100 if shown else 1
    return {
        row[3]: (float(row[1]) / whole, float(row[2]) / whole) for row in found if row
    }


@pytest.mark.parametrize("name", in_turns("google-pprof", SUSPICIOUS, parts=2))
def test_pprof_names_the_suspect(name):
    """Takes two dumps around ten calls, and asks what reads them."""
    suspect = listed[name]["suspect"]
    server.leak(name)
    server.settle()
    base = server.dump()
    server.leak(name, count=10)
    if name == "thread-loop":
        time.sleep(1)
    after = server.dump()
    for reader in READERS:
        report = run(
            *(*reader, "--text", f"--base={base}"),
            *(["--alloc_space"] if name in CHURN else []),
            *(server.program, after),
        ).stdout
        share = rows(report)
        check(suspect in share, f"{reader[0]}: {suspect} is not in it:\n{report}")
        column = 1 if name in BY_CUMULATIVE else 0
        enough = share[suspect][column] >= 90
        check(enough, f"{reader[0]}: {suspect} has too little:\n{report}")
        if not column:
            equal(next(iter(share)), suspect, f"{reader[0]}: the function at the top")


def test_only_what_heap_cannot_see_has_no_suspect():
    """Only what the heap cannot see has no suspect."""
    blind = {name for name in listed if listed[name]["suspect"] is None}
    equal(blind, BLIND, "scenarios without a suspect")


# The Perl pprof takes the address after the call to malloc for the call's own, so that
# it may show the line after it.
def test_pprof_names_line_too_or_one_after():
    """Pprof names the line, too, or the one after it."""
    base = server.dump()
    server.leak("slice-prefix")
    after = server.dump()
    path = os.path.join(ROOT, "leaky", "slice_prefix.c")
    with open(path, encoding="utf-8") as source:
        lines = source.read().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if "malloc(slice_array" in line)
    shown = (f"slice_prefix.c:{number}\n", f"slice_prefix.c:{number + 1}\n")
    for reader in READERS:
        command = (
            *reader,
            "--text",
            "--lines",
            f"--base={base}",
            server.program,
            after,
        )
        report = run(*command).stdout
        check(any(line in report for line in shown), f"{reader[0]}:\n{report}")
