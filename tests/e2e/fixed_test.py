#!/usr/bin/python3
"""Each scenario of the fixed server leaves nothing: 2 s after the last of 100 calls,
three times over, threads, descriptors, timers and bytes are what they were."""

import functools
import threading
import time

import lab
from lab import check, equal, test

ROUNDS = 3
CALLS = 100
CLIENTS = 4  # at once, because a mend that holds for one caller only is none
LIMIT = 2.0  # seconds after the last call

# A rail counts what a call may need at most, which the mend then does not use.
server = lab.Server("fixed", "--max-timers", "20000", "--max-threads", "4000", "--max-heap", "4G")
functions = server.functions()
listed = {described["name"]: described for described in server.scenarios()}


def call(name, size, count):
    """Calls a scenario `count` times, from several clients at once."""
    failed = []

    def client():
        try:
            server.leak(name, bytes=size, count=count // CLIENTS)
        except AssertionError as error:
            failed.append(error)

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    if failed:
        raise failed[0]


def leaves_nothing(name):
    """Three rounds; after each, all is as it was after the warm-up."""
    scenario = lab.Scenario(server, listed[name], functions)
    size = lab.small_bytes(listed[name])
    call(name, size, CALLS)
    before, profile = server.settle(), server.heap()
    for number in range(ROUNDS):
        call(name, size, CALLS)
        answered = time.monotonic()
        server.settle(LIMIT, wanted=lambda sample: sample == before)

        def heap_is_back():
            return sum(scenario.growth(server.heap(), profile).values()) <= 0

        left = LIMIT - (time.monotonic() - answered)
        lab.wait_until(heap_is_back, max(left, 0.1), f"heap of round {number + 1} given back")
    equal(scenario.growth(server.heap(), profile), {}, "heap left by the scenario")


for _name in lab.scenario_names():
    test(f"{_name} leaves nothing")(functools.partial(leaves_nothing, _name))


@test("one call of default size leaves nothing either")
def _():
    for name, described in listed.items():
        scenario = lab.Scenario(server, described, functions)
        server.leak(name)
        before, profile = server.settle(), server.heap()
        for _ in range(3):
            server.leak(name)
        server.settle(LIMIT, wanted=lambda sample: sample == before)
        owned = scenario.growth(server.heap(), profile)
        check(sum(owned.values()) <= 0, f"{name}: {owned}")


@test("after all of it, in-use heap is what a fresh server has, and 4 MiB at most")
def _():
    with lab.Server("fixed") as fresh:
        idle = fresh.status()["memory"]["alloc_bytes"]
        used = server.status()["memory"]["alloc_bytes"]
        check(used - idle <= 4 * lab.MIB, f"{used} bytes, a fresh server has {idle}")


lab.main()
