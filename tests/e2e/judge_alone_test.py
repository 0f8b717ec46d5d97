"""leakcheck --alone: one half is judged without the other. It names what still leaks,
how much, and where; what it says to hold keeps nothing. The lab's own servers, and
stand-ins that say less of themselves."""

import concurrent.futures
import json
import os
import time

import pytest

from checks import check, equal
from commands import run
from scenarios import scenario_names
from servers import Server
from stand_in import half, heap, status
from tree import BUILD, scratch

pytestmark = [pytest.mark.slow, pytest.mark.one_of("judge of other servers", "alone")]

JUDGE = os.path.join(BUILD, "leakcheck")
FUNCTION = ("function", "file", "line")
SERVERS = 5  # at once

# The resource of those whose own is not the heap.
RESOURCES = {
    "http-body": "fds",
    "file-unclosed": "fds",
    "database-statement": "fds",
    "ticker-unstopped": "timers",
    "ticker-many": "timers",
    "loop-defer": "fds",
    "array-by-value": "rss",
    "buffer-churn": "allocated",
}


def judge(url, *options, expect):
    """Judges one server; returns the output and the JSON."""
    path = os.path.join(scratch(), "alone.json")
    done = run(JUDGE, "--alone", "--json", path, *options, url, check_exit=False)
    equal(done.returncode, expect, f"exit: {done.stdout}{done.stderr}")
    with open(path, encoding="utf-8") as file:
        return done.stdout, json.load(file)


def judge_some(half_name, names):
    """Judges these scenarios on a server of their own; returns the output, what is said
    of each, and what each declares."""
    chosen = [word for name in names for word in ("--scenario", name)]
    with Server(half_name) as server:
        listed = {one["name"]: one for one in server.scenarios()}
        text, figures = judge(server.url, *chosen, expect=int(half_name == "leaky"))
    equal([one["scenario"] for one in figures["scenarios"]], names, "scenarios")
    equal(figures["verdict"], "holds" if half_name == "fixed" else "leaks")
    equal((figures["rounds"], figures["calls"]), (4, 2))
    count = len(names) if half_name == "fixed" else 0
    last = text.splitlines()[-1]
    check(last.startswith(f"{count} of {len(names)} hold, in "), last)
    return text, figures["scenarios"], listed


def judge_all(half_name):
    """Judges all scenarios, on several servers at once: most of it is waiting."""
    names = scenario_names()
    parts = [names[i::SERVERS] for i in range(SERVERS)]
    with concurrent.futures.ThreadPoolExecutor(SERVERS) as pool:
        yield from pool.map(lambda part: judge_some(half_name, part), parts)


def test_fixed_half_holds():
    """Of the fixed server everything holds, and nobody is blamed."""
    for text, judged, _ in judge_all("fixed"):
        for one in judged:
            check(one["holds"], f"{one['scenario']}: {one['reason']}")
            check(f"{one['scenario']}: holds\n" in text, text)
            members = ("reason", "resource", "per_call", "blamed", "waiting")
            nothing = ("", None, 0, None, None)
            equal(tuple(one[member] for member in members), nothing, text)


def test_leaky_half_leaks():
    """Of the leaky server nothing holds; the right resource, amount and function are
    named."""
    for text, judged, listed in judge_all("leaky"):
        for one in judged:
            check(not one["holds"], text)
            said = f"{one['scenario']}: STILL LEAKS: {one['reason']}\n"
            check(said in text, text)
            check_leak(listed[one["scenario"]], one)
            if one["scenario"] == "slice-prefix":
                equal(one["bytes"], 2**20, "10 MiB for each call")


def check_leak(described, one):
    """What is said of a leak is what the scenario declares."""
    name, leaves = described["name"], described["leaves"]
    threads = leaves["threads"]
    resource = "threads" if threads else RESOURCES.get(name, "heap")
    equal(one["resource"], resource, name)
    check(one["per_call"] > 0, f"{name}: {one['per_call']}")
    if resource in ("threads", "fds", "timers") and leaves[resource] > 0:
        equal(one["per_call"], leaves[resource], name)
    if described["suspect"]:
        equal(one["blamed"]["function"], described["suspect"], name)
        equal(one["blamed"]["file"], described["files"][0], name)
    if threads:
        equal(one["waiting"]["file"], described["files"][0], name)
        check(one["waiting"]["count"] >= threads, f"{name}: {one['waiting']}")
        check(set(FUNCTION) < set(one["waiting"]), one["waiting"])
    else:
        equal(one["waiting"], None, name)


def test_quick_enough():
    """One scenario is judged in little time, so that a learner need not wait."""
    for half_name in ("fixed", "leaky"):
        for name in ("slice-prefix", "thread-wait"):
            with Server(half_name) as server:
                started = time.monotonic()
                judge(server.url, "--scenario", name, expect=half_name == "leaky")
                took = time.monotonic() - started
            check(took < 10, f"{name} of {half_name}: {took:.1f} s")


# -- stand-ins -------------------------------------------------------------------------


class Plain:
    """A half named "mine" with one scenario, whose replies declare nothing. Each call
    adds `threads` and `kept` bytes; what one adds to `passing` threads ends `lasts`
    seconds after the call. `starts` threads come with the first call, and stay."""

    def __init__(self, threads=0, kept=0, passing=0, lasts=0.0, starts=0, **scenario):
        self.calls = []
        self.effects = (threads, kept, passing, lasts, starts)
        leaves = {"heap_bytes": 1024, "threads": 1}
        routes = {"pprof_heap": self.heap, "debug_pprof_heap": self.heap}
        self.stand = half(
            "mine",
            self.leak,
            {"leaves": leaves} | scenario,
            status=self.status,
            **routes,
        )

    def leak(self, _):
        self.calls.append(time.monotonic())
        return json.dumps({"server": "mine", "answer": "7"})

    def heap(self, _):
        return heap(100 + self.effects[1] * len(self.calls))

    def status(self, _):
        threads, _, passing, lasts, starts = self.effects
        now = time.monotonic()
        alive = sum(passing for call in self.calls if now < call + lasts)
        first = starts if self.calls else 0
        count = 1 + threads * len(self.calls) + alive + first
        return status("mine", threads=count)

    def judge(self, *options, expect):
        with self.stand:
            text, figures = judge(self.stand.url, *options, expect=expect)
        return text, figures["scenarios"][0]


def test_server_that_says_little():
    """A server of another name, without a suspect, files or `declared`, is judged."""
    _, one = Plain().judge(expect=0)
    check(one["holds"], one)
    text, one = Plain(kept=5000).judge(expect=1)
    equal((one["resource"], one["per_call"]), ("heap", 5000), text)
    equal([one["blamed"][member] for member in FUNCTION], ["keep", "x.c", 3])
    _, one = Plain(threads=2).judge(expect=1)
    equal((one["resource"], one["per_call"]), ("threads", 2))


def test_what_ends_late_is_no_leak():
    """Threads that end after a while hold, and so do those that the first call starts
    and that stay."""
    for effects in ({"passing": 2, "lasts": 0.8}, {"starts": 3}):
        _, one = Plain(**effects).judge(expect=0)
        check(one["holds"], one)


def test_what_ends_late_hides_no_leak():
    """Threads of the first calls that end later do not make up for those that stay."""
    for passing, lasts in ((4, 0.7), (8, 1.2), (8, 1.9)):
        effects = {"threads": 1, "passing": passing, "lasts": lasts}
        _, one = Plain(**effects).judge("--rounds", "4", "--calls", "1", expect=1)
        equal(one["resource"], "threads", f"{effects}: {one}")


def test_wrong_usage():
    """--alone takes one URL, and no option of another form."""
    with half("mine", "{}") as stand:
        for more in (
            [],
            [stand.url, stand.url],
            [stand.url, "--list"],
            [stand.url, "--url", stand.url],
            [stand.url, "--drive", "/x"],
            [stand.url, "--text", "x"],
            [stand.url, "--report", "x.html"],
            [stand.url, "--source", "x"],
            [stand.url, "--max-growth", "1K"],
            [stand.url, "--pid", "1"],
            [stand.url, "--own", "x"],
            [stand.url, "--scenario", "two"],
        ):
            done = run(JUDGE, "--alone", *more, check_exit=False)
            equal((done.returncode, done.stdout), (2, ""), f"with {more}")
            check(done.stderr.startswith("leakcheck: "), done.stderr)
    done = run(JUDGE, "--alone", "http://127.0.0.1:1", check_exit=False)
    equal((done.returncode, done.stdout), (2, ""), done.stderr)


def test_no_verdict():
    """What a server does not count, or calls that fail, are no verdict."""
    for changes in (
        {"status": status("mine", timers=None)},
        {"leak_one": (500, "{}")},
        {"leak_one": "no JSON"},
        {"leak_one": json.dumps({"declared": "much"})},
        {"status": (404, "no")},
    ):
        with half("mine", "{}", **changes) as stand:
            done = run(JUDGE, "--alone", stand.url, check_exit=False, limit=60)
        equal((done.returncode, done.stdout), (2, ""), f"{changes}: {done.stderr}")
        equal(len(done.stderr.splitlines()), 1, done.stderr)
