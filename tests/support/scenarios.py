"""The scenarios: their names, which functions are whose, and what each leaves."""

import functools
import os
import re

from commands import run
from tree import ROOT


# The scenarios whose memory is lost: nothing points to it any more, so LeakSanitizer
# and Valgrind find it. They say nothing of the others by design, because something
# still points to what these leak: a global table, list, queue or cache (global-*,
# channel-backlog, interface-*, slice-prefix, -return and -tail, string-prefix), the
# stack of a thread that waits for ever (stuck-threads), the C library's own list of
# open files (file-unclosed) or of timers (ticker-*).
LOST = {
    "slice-lost-pointers",
    "http-body",
    "database-statement",
    "finalizer-cycle",
    "cstring-argument",
}


def scenario_names():
    """The names in the one list of scenarios, as in routes."""
    with open(os.path.join(ROOT, "common", "scenario.h"), encoding="utf-8") as header:
        names = re.findall(r"^    X\((\w+)\)", header.read(), re.MULTILINE)
    return [name.replace("_", "-") for name in names]


def small_bytes(scenario):
    """A main size that keeps a test quick."""
    bounds = next(p for p in scenario["parameters"] if p["name"] == "bytes")
    return max(bounds["min"], min(bounds["default"], 4096))


@functools.cache
def owners(program):
    """The scenario that each function of a server's scenarios belongs to."""
    owned = {}
    objects = os.path.join(
        os.path.dirname(program), "objects", os.path.basename(program)
    )
    for name in scenario_names():
        path = os.path.join(objects, name.replace("-", "_") + ".o")
        for row in run("nm", "--defined-only", path).stdout.splitlines():
            if row.split()[1] in "tT":
                owned[row.split()[2]] = name
    return owned


class Scenario:
    """One scenario of a running server: what it declares, and what it leaves."""

    def __init__(self, server, described, functions):
        self.server = server
        self.name = described["name"]
        self.described = described
        self.functions = functions
        owned = owners(server.program)
        self.own = {name for name, owner in owned.items() if owner == self.name}

    def growth(self, after, before):
        """Bytes that this scenario's functions own more in one profile than in the
        other, by the function that called malloc. What the C library allocates for
        each thread (its thread-local storage) does not count."""
        owned = {}
        for stack, size in after.growth(before).items():
            names = self.functions.stack(stack)
            if self.own.isdisjoint(names) or not stack:
                continue
            if "/ld-linux" in self.functions.module(stack[0]):
                continue
            leaf = names[0] or "(library)"
            owned[leaf] = owned.get(leaf, 0) + size
        return {leaf: size for leaf, size in owned.items() if size != 0}


def scenarios_of(server):
    """What a server says of each scenario, and each as a Scenario, by their names."""
    functions = server.functions()
    listed = {described["name"]: described for described in server.scenarios()}
    return listed, {
        name: Scenario(server, described, functions)
        for name, described in listed.items()
    }
