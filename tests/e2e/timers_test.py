"""The profile of POSIX timers by who made them, as the kernel lists them: of every kind,
deleted ones, and in a forked child, which inherits none."""

import os
import re

import pytest

from checks import check, equal
from programs import FRAME, compiled
from resource_profile import UNSEEN, ProtoProfile, TextProfile
from servers import Server
from tree import ROOT
from waiting_program import WaitingProgram

pytestmark = pytest.mark.xdist_group("timers")

QUIET = ("--heap", "off")
# What tests/programs/timer_ways.c leaves, by the function that made it, with its kind.
LEFT = {
    ("stays_signal", "signal"): 4,
    ("stays_default", "signal"): 1,
    ("stays_none", "none"): 3,
    ("stays_thread", "thread"): 2,
    ("stays_thread_id", "signal"): 2,
    (UNSEEN, "none"): 1,
}
# How they are described, by the function.
DESCRIBED = {
    "stays_signal": r"every 100 ms, CLOCK_MONOTONIC, made [\d.]+ s ago",
    "stays_default": r"not set, CLOCK_REALTIME, made [\d.]+ s ago",
    "stays_none": r"once, in 3[56]\d{5} ms, CLOCK_BOOTTIME, made [\d.]+ s ago",
    "stays_thread": r"not set, CLOCK_MONOTONIC, made [\d.]+ s ago",
    "stays_thread_id": r"not set, processor time of a process, made [\d.]+ s ago",
    UNSEEN: "not set, CLOCK_MONOTONIC",
}
TIMER = re.compile(r"#\ttimer (\d+), (.*)$")


@pytest.fixture(name="ways", scope="module")
def started():
    """The program, after it has made all its timers, and its child."""
    command = [compiled("timer_ways.c"), "fork"]
    with WaitingProgram(command, probe=QUIET, processes=2) as program:
        yield program


def kernel_timers(pid):
    """The numbers of its timers."""
    with open(f"/proc/{pid}/timers", encoding="ascii") as file:
        return set(map(int, re.findall(r"^ID: (\d+)$", file.read(), re.M)))


def by_maker(profile, file):
    """The number of timers by the function in this file that has made them, and kind."""
    equal(profile.types, ("timers",), "types")
    found = {}
    for sample in profile.samples:
        maker = sample.maker(file)
        check(maker, f"nobody in {file} has made {sample}")
        key = (maker.function, sample.kind)
        found[key] = found.get(key, 0) + sample.values[0]
    return found


def profile_of(program, pid=None):
    return ProtoProfile(program.get("/debug/pprof/timers", pid).body)


def test_every_way_to_make_a_timer(ways):
    """Each stands by the function that made it, if it was not deleted."""
    profile = profile_of(ways)
    equal(by_maker(profile, "timer_ways.c"), LEFT, "timers by maker")
    equal(profile.totals(), (len(kernel_timers(ways.pid)),), "timers")
    equal(profile.comment, "the kernel lists 13; 1 made unseen", "comment")


def test_the_text_describes_each_timer(ways):
    """By the kernel's number, with its setting and its clock."""
    text = TextProfile(ways.get("/debug/pprof/timers?debug=1").text)
    numbers = set()
    for count, rows in text.groups:
        found = [timer for timer in map(TIMER.match, rows) if timer]
        equal(len(found), count, f"timers in {rows}")
        functions = FRAME.findall("\n".join(rows)) or [UNSEEN]
        maker = next(name for name in functions if name in DESCRIBED)
        for timer in found:
            check(re.fullmatch(DESCRIBED[maker], timer[2]), f"{maker}: {timer[0]}")
            numbers.add(int(timer[1]))
    equal(numbers, kernel_timers(ways.pid), "numbers")


def test_a_forked_child_has_its_own_timers_alone(ways):
    """None of its parent's."""
    child = ways.pids[1]
    expected = {("stays_none", "none"): 2}
    equal(by_maker(profile_of(ways, child), "timer_ways.c"), expected, "timers")
    equal(len(kernel_timers(child)), 2, "the kernel's timers of the child")


def test_each_scenario_that_leaves_timers_names_its_line():
    """All of what a call leaves is at the line where the scenario starts a ticker."""
    leaves = {"ticker-unstopped": 3 * 1, "ticker-many": 2 * 100}
    with Server("leaky") as server:
        declared = {
            each["name"]: each["leaves"]["timers"]
            for each in server.scenarios()
            if each["leaves"]["timers"]
        }
        equal(declared, {"ticker-unstopped": 1, "ticker-many": 100}, "declared timers")
        server.leak("ticker-unstopped", count=3)
        server.leak("ticker-many", count=2)
        body = server.get("/debug/pprof/timers", debug=True).expect(200).body
        profile = ProtoProfile(body)
        found = dict.fromkeys(leaves, 0)
        for sample in profile.samples:
            for name in leaves:
                maker = sample.maker(f"{name.replace('-', '_')}.c")
                if maker:
                    found[name] += sample.values[0]
                    with open(os.path.join(ROOT, maker.file), encoding="utf-8") as file:
                        line = file.read().splitlines()[maker.line - 1]
                    check("ticker_start(" in line, f"{name}: {maker}: {line}")
        equal(found, leaves, "timers by scenario")
        equal(profile.totals(), (server.sample()["timers"],), "timers")
