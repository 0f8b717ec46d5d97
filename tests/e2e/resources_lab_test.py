"""Who made what the scenarios leave: for each that leaves descriptors, timers or threads,
the profile names the line in its own file with all of what has grown. Here profile.proto
is read byte by byte, and compared by a rule of its own: nothing of leakcheck is used."""

import collections
import concurrent.futures
import functools
import os

import pytest

from checks import check, equal, wait_until
from commands import run
from resource_profile import SUBJECTS, Frame, ProtoProfile, TextProfile
from resource_storm import Storm
from scenarios import scenario_names, small_bytes
from servers import Server
from tree import ROOT, scratch
from turns import in_turns

CALLS = 3
TRIES = 20  # connections of the test itself, and the server's, come and go
LIMITS = ("--max-threads", "4000", "--max-timers", "20000", "--max-fds", "8000")
SIX = (*SUBJECTS, "goroutineleak")

# What a scenario declares that a call leaves, by the profile that shows it.
PROFILES = {"threads": "threadcreate", "fds": "fds", "timers": "timers"}
# Where each makes it, as a reader of the source would say: a function, and what stands
# in its line; where a library makes it, that is the call into the library.
MADE = {
    "thread-loop": ["feed_watch: pthread_create("],
    "thread-wait": ["order_accept: pthread_create("],
    "thread-ignored-exit": ["room_chat: pthread_create("],
    "lock-never-released": ["ledger_entry_open: pthread_create("],
    "lock-deadlock": ["account_settle: pthread_create("],
    "channel-no-receiver": ["report_request: pthread_create("],
    "channel-never-closed": ["export_table: pthread_create("],
    "channel-nil": [
        "relay_start: pthread_create(&sender->worker",
        "relay_start: pthread_create(&receiver->worker",
    ],
    "channel-one-receiver": ["quote_open: pthread_create("],
    "http-body": ["body_fetch: curl_multi_perform("],
    "file-unclosed": ["price_look_up: fopen("],
    "database-statement": ["order_look_up: sqlite3_open_v2("],
    "ticker-unstopped": ["progress_start: ticker_start("],
    "ticker-many": ["gauge_start: ticker_start("],
}
DEFERS = "note_open: fopen("  # loop-defer, while it holds what it opens
NOTES = 200
NOBODY = Frame(None, "", 0)


@functools.cache
def place(name, made):
    """The function and the number of the line that `made` means in a scenario's file."""
    function, _, text = made.partition(": ")
    path = os.path.join(ROOT, "leaky", file_of(name))
    with open(path, encoding="utf-8") as source:
        lines = source.read().splitlines()
    starts = (n for n, line in enumerate(lines) if f" {function}(" in f" {line}")
    begin = next(n for n in starts if lines[n].startswith("static"))
    return function, next(n + 1 for n in range(begin, len(lines)) if text in lines[n])


def file_of(name):
    return name.replace("-", "_") + ".c"


def ask(server, subject):
    reply = server.get(f"/debug/pprof/{subject}", debug=True).expect(200)
    return ProtoProfile(reply.body)


def by_stack(profile):
    """The items of a profile by their stack: living threads, and no ended ones."""
    found = collections.Counter()
    for sample in profile.samples:
        found[sample.frames] += sample.values[0]
    return found


def grown(server, subject, before, wanted):
    """What each stack has more, when that is as much as is wanted: the server's own
    connections, and threads that are to end, are there for a moment."""
    for _ in range(TRIES):
        server.settle()
        after = by_stack(ask(server, subject))
        change = {stack: after[stack] - before[stack] for stack in after | before}
        change = {stack: count for stack, count in change.items() if count != 0}
        if sum(change.values()) == wanted:
            break
    return change


def makers(change, name):
    """Growth by the innermost place in the scenario's own file; all else stands as
    None."""
    found = collections.Counter()
    for stack, count in change.items():
        own = [f for f in stack if os.path.basename(f.file) == file_of(name)]
        found[(own[0].function, own[0].line) if own else None] += count
    return dict(found)


def left(scenario):
    """What a call leaves, by the profile that shows it."""
    leaves = scenario["leaves"]
    return {PROFILES[kind]: leaves[kind] for kind in PROFILES if leaves.get(kind)}


def test_every_scenario_that_leaves_something_is_in_the_table():
    with Server("leaky") as server:
        listed = {each["name"]: left(each) for each in server.scenarios()}
    equal(set(listed), set(scenario_names()), "scenarios")
    equal({name for name in listed if listed[name]}, set(MADE), "scenarios that leave")


@pytest.mark.parametrize("group", in_turns("who made it", [0, 1, 2]))
def test_its_own_line_has_all_that_has_grown(group):
    """Leaky: the innermost line in the scenario's own file is the right one, and has 100 %
    of what the profile has more."""
    with Server("leaky", *LIMITS) as server:
        listed = {each["name"]: each for each in server.scenarios()}
        for name in sorted(MADE)[group::3]:
            size = small_bytes(listed[name])
            server.leak(name, bytes=size)
            server.settle()
            for subject, count in left(listed[name]).items():
                before = by_stack(ask(server, subject))
                server.leak(name, bytes=size, count=CALLS)
                change = grown(server, subject, before, count * CALLS)
                places = [place(name, made) for made in MADE[name]]
                share = count * CALLS // len(places)
                equal(makers(change, name), dict.fromkeys(places, share), name)
        server.stop(limit=20)


def test_deferred_closes_at_their_peak():
    """loop-defer: while it holds 200 files, all are at the line that opens them."""
    with Server("leaky") as server, concurrent.futures.ThreadPoolExecutor(1) as pool:
        server.leak("loop-defer", bytes=1024)
        before = by_stack(ask(server, "fds"))
        call = pool.submit(server.leak, "loop-defer", bytes=1024, hold=3000)

        def held():
            after = by_stack(ask(server, "fds"))
            return makers(after - before, "loop-defer")

        where = place("loop-defer", DEFERS)
        wait_until(lambda: held().get(where) == NOTES, what="200 open files")
        profile = ask(server, "fds")
        kinds = {
            sample.kind: sample.values[0]
            for sample in profile.samples
            if (sample.maker(file_of("loop-defer")) or NOBODY).file
        }
        equal(kinds, {"file": NOTES}, "kinds of what is open")
        call.result()
        equal(held().get(where), None, "afterwards")


def test_fixed_leaves_nothing():
    """Fixed: no descriptor, thread or timer that its scenarios make stays."""
    with Server("fixed") as server:
        listed = server.scenarios()
        for scenario in listed:
            server.leak(scenario["name"], bytes=small_bytes(scenario))
        server.settle()
        before = {subject: by_stack(ask(server, subject)) for subject in SUBJECTS[:3]}
        for scenario in listed:
            server.leak(scenario["name"], bytes=small_bytes(scenario), count=CALLS)
        for subject, was in before.items():
            change = grown(server, subject, was, 0)
            equal(change, {}, f"{subject} that stay")


# -- the two forms, and go tool pprof --------------------------------------------------


def six_agree(get):
    """`get(path)` returns a body. The text has as many things as profile.proto, and go
    tool pprof reads both."""
    for name in SIX:
        for _ in range(TRIES):
            proto, text = (get(f"/debug/pprof/{name}{form}") for form in FORMS)
            profile, shown = ProtoProfile(proto), TextProfile(text.decode())
            total = profile.totals()[0]
            if name == "threadcreate":
                total += profile.totals()[1]  # those that have ended
            if total == shown.total:
                break
        equal((shown.name, shown.total), (name, total), "name and total of the text")
        check_go(name, proto, profile.totals()[0])
        check_go(name, text, total)


FORMS = ("", "?debug=1")


def check_go(name, body, total):
    path = os.path.join(scratch(), name)
    with open(path, "wb") as file:
        file.write(body)
    command = ("go", "tool", "pprof", "-top", "-nodecount=100000", "-nodefraction=0")
    shown = run(*command, "-sample_index=0", path).stdout
    wanted = f"Showing nodes accounting for {total}, {100 if total else 0}% of {total}"
    check(wanted in shown, f"{name}: {total} expected: {shown}")


KINDS = ("leaky", "fixed", "program")


@pytest.mark.parametrize("kind", in_turns("the two forms", KINDS))
def test_text_and_go_tool_pprof_have_the_same_totals(kind):
    """All six profiles, of both servers and of a program under leakprobe."""
    if kind == "program":
        with Storm(("--heap", "off")) as storm:
            storm.wish("go")
            storm.wish("pause")
            storm.alive()
            six_agree(lambda path: storm.page(path).body)
        return
    with Server(kind, *LIMITS) as server:
        for name in (*MADE, "loop-defer"):
            server.leak(name)
        server.settle()
        six_agree(lambda path: server.get(path, debug=True).expect(200).body)
        for name in SIX:
            url = f"{server.debug_url}/debug/pprof/{name}"
            shown = run("go", "tool", "pprof", "-top", url).stdout
            check("flat%" in shown, f"{url}: {shown}")
        server.stop(limit=20)
