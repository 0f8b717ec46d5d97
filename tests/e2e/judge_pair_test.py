"""leakcheck on stand-ins for a lab's pair, whose fixed half still leaks a little of
what the leaky half leaks, or stops counting: no "fix holds" is said of either."""

import json
import os
import time

import pytest

from checks import check, equal
from commands import run
from stand_in import MAPS, half, heap, held, status
from tree import BUILD

pytestmark = pytest.mark.slow

JUDGE = os.path.join(BUILD, "leakcheck")
DECLARED = 1024 * 1024


def keeping(name, step, **changes):
    """A half that keeps `step` bytes with each call."""
    calls = []

    def leak(_):
        calls.append(1)
        return json.dumps({"declared": {"heap_bytes": DECLARED}})

    def profile(_):
        return heap(100 + step * len(calls))

    routes = {"pprof_heap": profile, "debug_pprof_heap": profile}
    return half(name, leak, **routes | changes)


def judge(step, **changes):
    with keeping("leaky", DECLARED) as leaky, keeping(
        "fixed", step, **changes
    ) as fixed:
        return run(JUDGE, leaky.url, fixed.url, check_exit=False, limit=60)


def test_keeps_nothing():
    """A fixed half that keeps nothing holds."""
    done = judge(0)
    equal(done.returncode, 0, done.stdout + done.stderr)


def test_keeps_little():
    """A fixed half that keeps 1 % of the leak, or a few bytes of it, does not hold."""
    for step in (DECLARED // 100, 48):
        done = judge(step)
        equal(done.returncode, 1, f"{step}: {done.stdout}{done.stderr}")
        check("THE FIX LEAKS: heap grew" in done.stdout, done.stdout)
        check("1 of 1 leaks shown" in done.stdout, done.stdout)


def test_keeps_what_others_give_back():
    """A fixed half whose own code keeps memory does not hold, even while other code of
    the server gives back as much, or more."""
    for step, shrinks, expect in ((4096, 4096, 1), (4096, 9000, 1), (0, 9000, 0)):
        calls = []

        def leak(_):
            calls.append(1)
            return json.dumps({"declared": {"heap_bytes": DECLARED}})

        def profile(_):
            rows = [(0x1010, "keep", "fixed/one.c", 100 + step * len(calls))]
            rest = 2**24 - shrinks * len(calls)
            rows.append((0x1020, "other", "common/other.c", rest))
            text = f"heap profile: 2: {100 + rest} [2: {2**25}] @ heapprofile\n"
            for address, function, file, size in rows:
                text += f"1: {size} [1: {2**24 + size}] @ {address:#x}\n"
                text += f"#\t{address:#x}\t{function}+0x1\t{file}:3\n"
            return text + MAPS

        scenario = {
            "leaves": {"heap_bytes": DECLARED},
            "files": ["leaky/one.c", "fixed/one.c"],
        }
        routes = {"pprof_heap": profile, "debug_pprof_heap": profile}
        fixed = half("fixed", leak, scenario, **routes)
        with keeping("leaky", DECLARED) as leaky, fixed:
            done = run(JUDGE, leaky.url, fixed.url, check_exit=False, limit=60)
        equal(done.returncode, expect, f"{step}: {done.stdout}{done.stderr}")
        if expect:
            check("THE FIX LEAKS: keep keeps 4096 bytes" in done.stdout, done.stdout)


def test_keeps_mapping():
    """A fixed half that keeps memory which no heap profile sees does not hold."""
    for step, expect in ((4096, 0), (64 * 1024, 1)):
        calls = []

        def leak(_):
            calls.append(1)
            return json.dumps({"declared": {"heap_bytes": DECLARED}})

        def resident(_):
            memory = {"alloc_bytes": 1, "total_alloc_bytes": 1}
            memory["rss_bytes"] = 10**7 + step * len(calls)
            return status("fixed", memory=memory)

        done = judge(0, leak_one=leak, status=resident)
        equal(done.returncode, expect, f"{step}: {done.stdout}{done.stderr}")
        if expect:
            check("THE FIX LEAKS: resident set grew" in done.stdout, done.stdout)


def churning(name, step, library):
    """A half that allocates `step` bytes with each call, and keeps none."""
    calls = []

    def leak(_):
        calls.append(1)
        return json.dumps({"declared": {}})

    def profile(_):
        return heap(100, 200 + step * len(calls), library)

    scenario = {"kind": "churn", "leaves": {}, "allocates_bytes": 4 * DECLARED}
    return half(name, leak, scenario, pprof_heap=profile, debug_pprof_heap=profile)


def test_library_churns():
    """Churn that a library does for the fixed half is churn."""
    for step, expect in ((0, 0), (4 * DECLARED, 1)):
        leaky = churning("leaky", 4 * DECLARED, False)
        with leaky, churning("fixed", step, True) as fixed:
            done = run(JUDGE, leaky.url, fixed.url, check_exit=False, limit=60)
        equal(done.returncode, expect, done.stdout + done.stderr)


def test_stops_counting():
    """A fixed half that stops counting in the middle is no verdict."""
    asked = []

    def ends(_):
        asked.append(1)
        return status("fixed") if len(asked) < 20 else status("fixed", fds=None)

    done = judge(0, status=ends)
    equal((done.returncode, done.stdout), (2, ""), done.stderr)
    check(
        "/status" in done.stderr and "does not count: descriptors" in done.stderr,
        done.stderr,
    )


@pytest.mark.parametrize(
    "scenario",
    [
        {"leaves": {}},
        {"leaves": {"threads": 1}},  # which the replies do not say
        {"kind": "temporary", "leaves": {}, "holds": {}},
        {"kind": "churn", "leaves": {}, "allocates_bytes": 0},
    ],
)
def test_declares_nothing(scenario):
    """A leaky half that declares nothing, and leaves nothing, has shown no leak."""
    reply = held(json.dumps({"declared": {}}))
    leaky, fixed = (half(name, reply, scenario) for name in ("leaky", "fixed"))
    with leaky, fixed:
        done = run(JUDGE, leaky.url, fixed.url, check_exit=False, limit=60)
    equal(done.returncode, 1, done.stdout + done.stderr)
    check("is declared, so there is nothing to show" in done.stdout, done.stdout)
    check("0 of 1 leaks shown, 1 of 1 fixes hold" in done.stdout, done.stdout)


def test_call_that_is_not_held():
    """A fixed half whose calls are over before their peak is measured gets no
    verdict."""
    scenario = {"kind": "temporary", "leaves": {}, "holds": {"fds": 10}}
    reply = json.dumps({"declared": {}})
    for answer, expect in ((held(reply), 1), (reply, 2)):
        with half("leaky", held(reply), scenario) as leaky, half(
            "fixed", answer, scenario
        ) as fixed:
            done = run(JUDGE, leaky.url, fixed.url, check_exit=False, limit=60)
        equal(done.returncode, expect, done.stdout + done.stderr)
        if expect == 2:
            check("over before anything can be measured" in done.stderr, done.stderr)
        else:
            check("1 of 1 fixes hold" in done.stdout, done.stdout)


class Slow:
    """A half whose call needs a while until it has its ten descriptors. Every other time
    /status takes so long meanwhile that no later one arrives before the call's end."""

    def __init__(self, name, peak):
        self.name, self.peak, self.now, self.calls = name, peak, 1, 0
        self.waiting = held(json.dumps({"declared": {}}))

    def call(self, asked):
        self.calls += 1
        time.sleep(0.3)
        self.now = self.peak
        try:
            return self.waiting(asked)
        finally:
            self.now = 1

    def status(self, _):
        said = status(self.name, fds=self.now)
        if self.calls % 2:
            time.sleep(0.25)
        return said

    def half(self):
        scenario = {"kind": "temporary", "leaves": {}, "holds": {"fds": 10}}
        return half(self.name, self.call, scenario, status=self.status)


def test_sample_before_the_peak_shows_no_peak():
    """A call that is sampled on its way to its peak only is called again: a busy machine
    is no reason to say that a leak is not shown."""
    with Slow("leaky", 11).half() as leaky, Slow("fixed", 1).half() as fixed:
        done = run(JUDGE, leaky.url, fixed.url, check_exit=False, limit=60)
    equal(done.returncode, 0, done.stdout + done.stderr)
    check("1 of 1 leaks shown, 1 of 1 fixes hold" in done.stdout, done.stdout)
