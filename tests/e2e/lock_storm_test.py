"""While a program takes a million locks a second, what is said of its locks is true:
nobody waits for ever but those that were made to, and these are found at every look."""

import os
import re
import time

import pytest

from checks import LIMIT, check, equal, wait_until
from http_request import request
from programs import Program, compiled

WAITS = 20  # that must be seen, for a run to say anything
CLAIMS = ("deadlock", "never_released", "stuck")


class Storm(Program):
    """The storm. With `planted`, threads that wait for ever are beside it."""

    def __init__(self, *options, planted):
        reader, self._writer = os.pipe()
        command = [compiled("lock_storm.c"), *(["planted"] if planted else [])]
        super().__init__(command, probe=options, stdin=reader)
        os.close(reader)
        self.await_(lambda: b"ready" in self.output(), "ready")
        said = self.output().decode()
        self.deadlocks = [
            [int(tid) for tid in line.split()]
            for line in re.findall(r"^deadlock (.*)$", said, re.M)
        ]
        self.never = [
            (int(owner), int(tid))
            for owner, tid in re.findall(r"^never (\d+) (\d+)$", said, re.M)
        ]
        self.stuck = [int(tid) for tid in re.findall(r"^stuck (\d+)$", said, re.M)]

    def planted(self):
        """What must be said of the planted threads, by their numbers."""
        said = {tid: "deadlock" for cycle in self.deadlocks for tid in cycle}
        said |= {tid: "stuck" for tid in self.stuck}
        return said | {tid: "never_released" for _, tid in self.never}

    def unsure(self):
        """The planted threads of which nothing need be said: the number of an owner
        that has ended is another thread's by now."""
        reused = b"reused" in self.output()
        return {tid for _, tid in self.never} if reused else set()

    def over(self):
        """Ends the storm; returns how many locks were taken a second."""
        os.close(self._writer)
        self._writer = os.open(os.devnull, os.O_WRONLY)
        equal(self.end(sign=None, limit=60), 0, f"exit status: {self.errors()}")
        taken, passed = re.search(rb"taken (\d+) in (\d+) ms", self.output()).groups()
        return int(taken) * 1000 / int(passed)

    def __exit__(self, *_):
        os.close(self._writer)
        super().__exit__()


def claimed(storm):
    """The threads that never go on, as /debug/locks says, each with the reason; and how
    many others wait."""
    said = request(storm.debug_port(), "GET", "/debug/locks?format=json").expect(200)
    said = said.json()
    check(said["measured"] and said["kernel_asked"], said)
    for each in said["never_released"]:
        check((each["owner"], each["threads"][0]) in storm.never, each)
    for each in said["deadlocks"]:
        check(each["threads"] in storm.deadlocks, f"{each}, not {storm.deadlocks}")
    waits = said["waits"]
    found = {each["tid"]: each["verdict"] for each in waits}
    found = {tid: verdict for tid, verdict in found.items() if verdict in CLAIMS}
    return found, len(waits) - len(found)


def check_locks(storm):
    """Returns how many other threads were seen to wait."""
    got, waits = claimed(storm)
    missing = storm.planted().items() - got.items()
    if missing:
        # A thread may have said that late.
        wait_until(
            lambda: {tid for tid, _ in missing} <= storm.unsure(),
            limit=5,
            what=f"{missing} claimed, of {got}",
        )
    equal(got.items() - storm.planted().items(), set(), "claimed")
    return waits


def check_leak(storm):
    target = "/debug/pprof/goroutineleak?debug=1"
    text = request(storm.debug_port(), "GET", target).expect(200).text
    total = int(re.match(r"goroutineleak profile: total (\d+)\n", text)[1])
    most = len(storm.planted())
    check(most - len(storm.never) <= total <= most, f"{total} of {most}: {text}")
    equal(text.count("planted_run"), text.count(" @ "), "stacks of planted threads")


def check_threads(storm):
    target = "/debug/pprof/goroutine?debug=2"
    text = request(storm.debug_port(), "GET", target).expect(200).text
    claims = re.findall(
        r"^thread (\d+) .*\((?:DEADLOCK|NEVER RELEASED|STUCK)\)\]:$", text, re.M
    )
    others = {int(tid) for tid in claims} - storm.planted().keys()
    equal(others, set(), "threads that are claimed")


def asked_for(storm, seconds):
    """Asks without a pause, until some waits were seen too. Returns how often, and how
    many."""
    rounds = waits = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end or waits < WAITS:
        check(time.monotonic() < end + LIMIT, f"only {waits} waits were seen")
        waits += check_locks(storm)
        check_locks(storm)
        check_leak(storm)
        if rounds % 4 == 0:
            check_threads(storm)
        rounds += 1
    return rounds, waits


@pytest.mark.alone
@pytest.mark.parametrize("planted", (False, True))
@pytest.mark.parametrize("heap", ("off", "exact"))
def test_nothing_is_claimed_that_is_not(pytestconfig, planted, heap):
    """A second each, and 60 s with --long."""
    seconds = 60 if pytestconfig.option.long else 1
    with Storm("--heap", heap, planted=planted) as storm:
        wait_until(lambda: storm.planted().items() <= claimed(storm)[0].items())
        rounds, waits = asked_for(storm, seconds)
        rate = storm.over()
    print(f"{rate:.0f} locks a second, {rounds} rounds, {waits} waits seen")
    least = 1000000 if pytestconfig.option.long else 300000
    check(rate > least, f"{rate:.0f} locks a second")
