"""Each scenario of the leaky server leaves, per call, what LEAVES says, or what the
scenario declares if it is not in there: threads, descriptors and timers by /proc, bytes
by the heap profile."""

import threading
import time

import pytest

from checks import check, equal, wait_until
from commands import run
from heap_profile import MIB
from scenarios import Scenario, scenario_names, scenarios_of
from servers import Server

KIB = 1024
CALLS = 10

# What libraries take for themselves to serve one call, in bytes at most: it differs
# from version to version, and is not declared.
LIBRARIES = {
    "http-body": 40 * KIB,
    "file-unclosed": 1 * KIB,
    "database-statement": 32 * KIB,
}

# What one call with default parameters leaves: heap bytes that its own code takes,
# threads, descriptors, timers.
LEAVES = {
    "thread-loop": (0, 1, 0, 0),
    "thread-wait": (64 * KIB, 1, 0, 0),
    "thread-ignored-exit": (64 * KIB, 1, 0, 0),
    "lock-never-released": (9 * 4 * KIB, 9, 0, 0),
    "lock-deadlock": (3 * 4 * KIB, 3, 0, 0),
    "channel-no-receiver": (64 * KIB, 1, 0, 0),
    "channel-never-closed": (64 * KIB, 1, 0, 0),
    "channel-nil": (2 * 4 * KIB, 2, 0, 0),
    "channel-one-receiver": (9 * 4 * KIB, 9, 0, 0),
    "channel-backlog": (64 * KIB, 0, 0, 0),
    "global-cache": (1 * MIB, 0, 0, 0),
    "global-list": (1 * MIB, 0, 0, 0),
    "slice-prefix": (10 * MIB, 0, 0, 0),
    "slice-return": (80 * KIB, 0, 0, 0),
    "slice-tail": (1 * MIB, 0, 0, 0),
    "string-prefix": (1 * MIB, 0, 0, 0),
    "slice-lost-pointers": (2 * 64 * KIB, 0, 0, 0),
    "http-body": (64 * KIB, 0, 1, 0),
    "file-unclosed": (64 * KIB, 0, 1, 0),
    "database-statement": (256 * KIB, 0, 1, 0),
    "ticker-unstopped": (4 * KIB, 0, 0, 1),
    "ticker-many": (100 * 4 * KIB, 0, 0, 100),
    "finalizer-cycle": (2 * MIB, 0, 0, 0),
    "loop-defer": (0, 0, 0, 0),
    "array-by-value": (0, 0, 0, 0),
    "interface-struct": (1 * MIB, 0, 0, 0),
    "interface-list": (100 * 64 * KIB, 0, 0, 0),
    "cstring-argument": (2 * 4 * KIB, 0, 0, 0),
    "buffer-churn": (0, 0, 0, 0),
}

LIMITS = ("--max-heap", "4G", "--max-threads", "4000", "--max-fds", "4000")


@pytest.fixture(scope="module", autouse=True)
def started():
    """The server of all tests here, and its scenarios by name."""
    global server, listed, scenarios
    with Server("leaky", *LIMITS, "--max-timers", "8000") as server:
        listed, scenarios = scenarios_of(server)
        yield


def near(measured, declared, what):
    """Within 2 % of what is declared."""
    check(
        0.98 * declared <= measured <= 1.02 * declared,
        f"{what}: {measured:.0f}, declared {declared} (ratio "
        f"{measured / declared if declared else 0:.4f})",
    )


@pytest.mark.parametrize("name", scenario_names())
def test_leaves_what_is_promised(name):
    """Calls a scenario, and compares what is left with what is promised."""
    scenario = scenarios[name]
    declared = scenario.described["leaves"]
    own = [declared[part] for part in ("heap_bytes", "threads", "fds", "timers")]
    promised, *counts = LEAVES.get(name, own)
    near(declared["heap_bytes"], promised, "declared against promised bytes")
    equal(
        [declared["threads"], declared["fds"], declared["timers"]],
        counts,
        "declared threads, descriptors and timers",
    )
    # The first call may set something up that stays for good, the same in both halves.
    server.leak(name)
    before, profile = server.settle(), server.heap()
    for _ in range(CALLS):
        server.leak(name)
    after, grown = server.settle(), server.heap()
    for part, per_call in zip(("threads", "fds", "timers"), counts):
        equal(
            after[part] - before[part],
            CALLS * per_call,
            f"{part} left by {CALLS} calls",
        )
    owned = scenario.growth(grown, profile)
    if name == "thread-loop":
        return  # Its bytes come with time: see below.
    libraries = owned.pop("(library)", 0)
    most = CALLS * LIBRARIES.get(name, 0.02 * declared["heap_bytes"])
    check(
        libraries <= most,
        f"libraries took {libraries} of at most {most:.0f} bytes: see LIBRARIES here",
    )
    if declared["heap_bytes"] == 0:
        equal(owned, {}, "heap left")
        return
    total = sum(owned.values())
    near(total, CALLS * declared["heap_bytes"], f"heap left, {owned}")
    suspect = scenario.described["suspect"]
    if suspect is not None:
        share = owned.get(suspect, 0) / total
        check(share >= 0.9, f"{suspect} owns {share:.0%} of {owned}")


def test_every_scenario_that_is_promised_is_there():
    """Every scenario that is promised is there."""
    equal([name for name in listed if name in LEAVES], list(LEAVES), "scenarios")


def test_thread_loop():
    """Thread-loop: each leaked thread adds 1 KiB every 100 ms."""
    scenario = scenarios["thread-loop"]
    rate = scenario.described["growth_bytes_per_second"]
    equal(rate, 10240, "declared growth per second and thread")
    with Server("leaky") as fresh:
        scenario = Scenario(fresh, scenario.described, fresh.functions())
        fresh.leak("thread-loop", count=20)
        fresh.settle()
        profile, started = fresh.heap(), time.monotonic()
        time.sleep(2)
        grown, seconds = fresh.heap(), time.monotonic() - started
        owned = scenario.growth(grown, profile)
        total = sum(owned.values())
        expected = 20 * rate * seconds
        check(0.8 * expected < total < 1.1 * expected, f"{total} of {expected:.0f}")
        share = owned.get(scenario.described["suspect"], 0) / total
        check(
            share >= 0.9, f"{scenario.described['suspect']} owns {share:.0%} of {owned}"
        )


def test_what_call_leaves_follows_its_bytes_and_count():
    """What a call leaves follows its bytes and count."""
    for name, size, count in (
        ("slice-prefix", 256 * KIB, 4),
        ("global-list", 128 * KIB, 7),
        ("interface-list", 8 * KIB, 3),
        ("finalizer-cycle", 64 * KIB, 5),
    ):
        scenario = scenarios[name]
        server.leak(name)  # may set up what stays for good
        profile = server.heap()
        reply = server.leak(name, bytes=size, count=count)
        grown = server.heap()
        total = sum(scenario.growth(grown, profile).values())
        near(total, reply["declared"]["heap_bytes"], name)


def at_peak(name, hold, look):
    """Runs look() while a call is held at its peak; returns what it returned."""
    with Server("leaky") as fresh:
        fresh.leak(name)
        before = fresh.settle()
        rss = fresh.rss()
        caller = threading.Thread(
            target=fresh.leak, args=(name,), kwargs={"hold": hold}
        )
        caller.start()
        seen = look(fresh, before, rss)
        caller.join()
        equal(
            fresh.settle(wanted=lambda s: s == before), before, "resources afterwards"
        )
        return seen


def test_loop_defer_holds_200_descriptors_until_call_ends():
    """Loop-defer holds 200 descriptors until the call ends."""

    def look(fresh, before, _rss):
        wait_until(
            lambda: fresh.sample()["fds"] >= before["fds"] + 200, 5, "200 descriptors"
        )
        held = run("ls", "-l", f"/proc/{fresh.pid}/fd").stdout
        files = [line for line in held.splitlines() if "socket" not in line]
        return len(files)

    check(at_peak("loop-defer", 1500, look) >= 200, "files among the descriptors")
    equal(listed["loop-defer"]["holds"]["fds"], 200, "declared")


def test_array_by_value_holds_32_mib_of_stack_until_call_ends():
    """Array-by-value holds 32 MiB of stack until the call ends."""

    def look(fresh, _before, rss):
        return wait_until(
            lambda: fresh.rss() - rss > 31 * MIB and fresh.rss() - rss, 5, "32 MiB"
        )

    grown = at_peak("array-by-value", 1500, look)
    check(grown < 40 * MIB, f"{grown} bytes resident")


def test_buffer_churn_allocates_6_25_mib_call_and_keeps_nothing():
    """Buffer-churn allocates 6.25 MiB a call and keeps nothing."""
    before = server.status()["memory"]
    profile = server.heap()
    server.leak("buffer-churn", count=20)
    time.sleep(0.02)
    after = server.status()["memory"]
    owned = scenarios["buffer-churn"].growth(server.heap(), profile)
    equal(owned, {}, "in use")
    allocated = after["total_alloc_bytes"] - before["total_alloc_bytes"]
    declared = listed["buffer-churn"]["allocates_bytes"]
    equal(declared, 100 * 64 * KIB, "declared")
    # The leaked threads of thread-loop allocate meanwhile, and so do the profiles.
    check(declared * 20 <= allocated <= declared * 20 + 8 * MIB, f"{allocated} bytes")
