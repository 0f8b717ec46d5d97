"""Each scenario of the fixed server leaves nothing: 2 s after the last of its calls,
three times over, threads, descriptors, timers and bytes are what they were."""

import threading
import time

import pytest

from checks import check
from heap_profile import MIB
from scenarios import scenario_names, scenarios_of, small_bytes
from servers import Server

# One worker: the last test is about all that was called before.
pytestmark = pytest.mark.xdist_group("fixed")

ROUNDS = 3
CALLS = 100
FEWER_CALLS = {"loop-defer": 20}  # each opens two hundred files
WARM_UP = 20
CLIENTS = 4  # at once, because a fix that holds for only one caller is no fix
LIMIT = 2.0  # seconds after the last call

# A guard rail counts what a call may need at most, and the fix needs less.
LIMITS = ("--max-timers", "20000", "--max-threads", "4000", "--max-heap", "4G")


@pytest.fixture(scope="module", autouse=True)
def started():
    """The server of all tests here, and its scenarios by name."""
    global server, listed, scenarios
    with Server("fixed", *LIMITS) as server:
        listed, scenarios = scenarios_of(server)
        yield


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


def rest(scenario):
    """Waits until nothing of a scenario changes any more; returns resources and heap.
    What a fix keeps for a while (an answer in a cache, say) must be gone by then."""
    sample, heap = server.settle(), server.heap()
    while True:
        time.sleep(0.3)
        later, later_heap = server.settle(), server.heap()
        if later == sample and not scenario.growth(later_heap, heap):
            return later, later_heap
        sample, heap = later, later_heap


def nothing_left(scenario, sample, heap):
    """Waits until all is as it was; fails LIMIT seconds after now."""
    answered = time.monotonic()
    server.settle(LIMIT, wanted=lambda now: now == sample)
    while True:
        owned = scenario.growth(server.heap(), heap)
        if sum(owned.values()) <= 0:
            return
        seconds = time.monotonic() - answered
        check(seconds < LIMIT, f"{scenario.name} holds {owned} after {seconds:.1f} s")
        time.sleep(0.02)


@pytest.mark.parametrize("name", scenario_names())
def test_leaves_nothing(name):
    """Three rounds after a warm-up; after each, all is as it was before."""
    size = small_bytes(listed[name])
    call(name, size, WARM_UP)
    sample, heap = rest(scenarios[name])
    for _ in range(ROUNDS):
        call(name, size, FEWER_CALLS.get(name, CALLS))
        nothing_left(scenarios[name], sample, heap)


@pytest.mark.slow
def test_calls_of_default_size_leave_nothing_either():
    """Calls of default size leave nothing either."""
    for name, scenario in scenarios.items():
        server.leak(name)  # may set up what stays for good
        sample, heap = rest(scenario)
        for _ in range(3):
            server.leak(name)
        nothing_left(scenario, sample, heap)


def test_after_all_of_it_in_use_heap_is_what_fresh_server_has():
    """After all of it, in-use heap is what a fresh server has, and 4 MiB at most."""
    with Server("fixed") as fresh:
        idle = fresh.status()["memory"]["alloc_bytes"]
        used = server.status()["memory"]["alloc_bytes"]
        check(used - idle <= 4 * MIB, f"{used} bytes, a fresh server has {idle}")
