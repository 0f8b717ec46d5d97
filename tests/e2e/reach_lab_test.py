"""What is lost and who holds the rest, in the lab's own servers: the profiles `lost` and
`retained` against what LeakSanitizer finds, and against what a reader of the source
says."""

import concurrent.futures
import contextlib
import os
import re
import socket
import threading
import time

import pytest

from builds import built
from checks import LIMIT, check, equal, wait_until
from http_request import read_reply
from reach_sums import reach_sums
from scenarios import LOST, owners, small_bytes
from servers import Server
from tree import BUILD

LOST_PAGE = "/debug/pprof/lost"
RETAINED_PAGE = "/debug/pprof/retained"
LIMITS = ("--max-threads", "4000", "--max-timers", "20000", "--max-fds", "8000")
WORKERS = {"port": 32, "debug_port": 16}  # of civetweb, on each port
STAYS_S = 10  # after which a thread that was started has come to where it stays
LEAST = 0.85  # of what must be lost; of 20 calls old pointers may hold three
TRIES = 3  # an old pointer may hold one of the four blocks, or more if they are linked
HEAD_BYTES = 16300  # of a request; civetweb's buffers have 16384

TURN = pytest.mark.one_of
with_each_allocator = pytest.mark.parametrize(
    "variables",
    [
        pytest.param((), marks=TURN("lab's allocator", "tcmalloc")),
        pytest.param(
            ("CC=gcc", "ALLOCATOR=libc"),
            marks=[TURN("lab's allocator", "libc"), pytest.mark.slow],
        ),
    ],
)

# What a call loses by the function that calls malloc itself, in objects of the size that
# was asked for. What its libraries lose with it comes on top.
LOST_BY = {
    "slice-lost-pointers": {"frame_read": 2},
    "http-body": {"body_fetch": 1},
    "database-statement": {"order_look_up": 1},
    "finalizer-cycle": {"widget_draw": 2},
    "cstring-argument": {"cstring_duplicate": 2},
}
LOST_WITH_LIBRARY = {"http-body", "database-statement"}

# Who holds what a call leaves, as a reader of the source would say: the variable, or the
# stuck thread and its function.
HELD_BY = {
    "thread-loop": ['thread "feed": feed_main'],
    "thread-wait": ['thread "order": order_main'],
    "thread-ignored-exit": ['thread "room": room_main'],
    "lock-never-released": ['thread "ledger": ledger_main'],
    "lock-deadlock": [
        'thread "account": account_main',
        'thread "account": account_transfer',
    ],
    "channel-no-receiver": [
        'thread "report": report_main',
        'thread "report": report_deliver',
    ],
    "channel-never-closed": ['thread "export": export_main'],
    "channel-nil": [
        'thread "relay-send": relay_send',
        'thread "relay-receive": relay_receive',
    ],
    "channel-one-receiver": ['thread "quote": quote_send'],
    "channel-backlog": ["global audit_buffer (leaky/channel_backlog.c)"],
    "global-cache": ["global cache (leaky/global_cache.c)"],
    "global-list": ["global orders (leaky/global_list.c)"],
    "slice-prefix": ["global signatures (leaky/slice_prefix.c)"],
    "slice-return": ["global previews (leaky/slice_return.c)"],
    "slice-tail": ["global mailboxes (leaky/slice_tail.c)"],
    "string-prefix": ["global headlines (leaky/string_prefix.c)"],
    "file-unclosed": ["library libc.so.6"],  # its list of open files
    "ticker-unstopped": ["global table (common/runtime/ticker.c)"],
    "ticker-many": ["global table (common/runtime/ticker.c)"],
    "interface-struct": ["global guests (leaky/interface_struct.c)"],
    "interface-list": ["global catalogues (leaky/interface_list.c)"],
}
LEAVES_NO_HEAP = {"loop-defer", "array-by-value", "buffer-churn"}

ROW = re.compile(r"(\d+): (\d+) \[(\d+): (\d+)\] @")
HEAP_ROW = re.compile(r" *(\d+): *(\d+) \[ *\d+: *\d+\] @")
FRAME = re.compile(r"#\t0x[0-9a-f]+\t(\S+?)\+0x[0-9a-f]+\t")
HOLDER = re.compile(r"([^#\s].*): (\d+): (\d+)$")


# -- asking ----------------------------------------------------------------------------


@contextlib.contextmanager
def recorded(name, variables):
    """A server with the recorder, whose workers' buffers have no old pointers."""
    build = built(*variables) if variables else BUILD
    options = ("--profile", "recorder", "--max-heap", "2G", *LIMITS)
    with Server(name, *options, build=build) as server:
        fill_buffers(server)
        yield server
        server.stop(limit=20)  # it has hundreds of threads


def fill_buffers(server):
    """Sends each worker a request as long as its buffer. A worker's buffer is from
    malloc and not initialised: an old pointer there looks like one in use, and then
    holds what is next made at that address."""
    for port, workers in WORKERS.items():
        head = f"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Fill: {'x' * HEAD_BYTES}"
        with contextlib.ExitStack() as open_ones:
            connections = [
                open_ones.enter_context(
                    socket.create_connection(("127.0.0.1", getattr(server, port)))
                )
                for _ in range(workers)
            ]
            for connection in connections:
                connection.sendall(head.encode())
            for connection in connections:
                connection.sendall(b"\r\nConnection: close\r\n\r\n")
            for connection in connections:
                read_reply(connection, LIMIT)


def answer(server, page):
    """The text; None if a thread of a busy machine did not stop in time."""
    reply = server.get(f"{page}?debug=1", debug=True)
    if reply.status == 503:
        reply.error(503, "thread_not_stopped")
        return None
    return reply.expect(200).text


def ask(server, page):
    """The text of a page, whose sums are right."""
    text = wait_until(lambda: answer(server, page), what="every thread stops")
    reach_sums(text)
    return text


def stacks(text, pattern):
    """Objects and bytes by stack, which is a tuple of functions."""
    found, frames, values = {}, None, None
    for line in [*text.splitlines(), "0: 0 [0: 0] @"]:
        row, frame = pattern.match(line), FRAME.match(line)
        if row:
            if frames:
                before = found.get(tuple(frames), (0, 0))
                found[tuple(frames)] = tuple(a + b for a, b in zip(before, values))
            frames, values = [], (int(row[1]), int(row[2]))
        elif frame and frames is not None:
            frames.append(frame[1])
    return found


def grown(before, after):
    """What stacks have more in the second."""
    changes = {}
    for stack, values in after.items():
        change = tuple(a - b for a, b in zip(values, before.get(stack, (0, 0))))
        if change != (0, 0):
            changes[stack] = change
    return changes


def lost_stacks(server):
    return stacks(ask(server, LOST_PAGE), ROW)


def in_use_stacks(server):
    text = server.get("/debug/pprof/heap?debug=1", debug=True).expect(200).text
    return stacks(text.partition("MAPPED_LIBRARIES:")[0], HEAP_ROW)


def holders(server):
    """The bytes that each holder has, without the line of its variable."""
    found = {}
    for line in ask(server, RETAINED_PAGE).splitlines()[2:]:
        row = HOLDER.match(line)
        if row:
            name = re.sub(r":\d+\)$", ")", row[1])
            found[name] = found.get(name, 0) + int(row[3])
    return found


def bytes_of(stacks_, names):
    """The bytes of stacks with one of these functions on them."""
    return sum(
        size for stack, (_, size) in stacks_.items() if not names.isdisjoint(stack)
    )


# -- lost ------------------------------------------------------------------------------


def check_lost(name, size, calls, lost, own):
    """Checks what the scenario's functions have lost. An old pointer in memory that is
    not initialised may hold some of the blocks."""
    direct = {}
    for stack, (objects, total) in lost.items():
        if stack[0] in own:
            before = direct.get(stack[0], (0, 0))
            direct[stack[0]] = (before[0] + objects, before[1] + total)
    equal(direct.keys(), LOST_BY[name].keys(), f"functions of {name} that lose")
    for function, (objects, total) in direct.items():
        most = LOST_BY[name][function] * calls
        check(
            LEAST * most <= objects <= most, f"{function}: {objects} of {most} blocks"
        )
        equal(total, objects * size, f"bytes that {function} has lost")
    library = any(stack[0] not in own for stack in lost)
    equal(library, name in LOST_WITH_LIBRARY, f"a library loses memory in {name}")


@with_each_allocator
def test_leaky_loses_what_leaksanitizer_finds(variables):
    """Leaky: the scenarios that LeakSanitizer finds lose memory, each its own, by the
    right function and as much as was asked for; no other scenario loses any."""
    calls = 20
    equal(set(LOST_BY), LOST, "scenarios with a line in the table")
    with recorded("leaky", variables) as server:
        owned = owners(server.program)
        listed = server.scenarios()
        for scenario in listed:
            server.leak(scenario["name"], bytes=small_bytes(scenario))
        server.settle()
        before, used = lost_stacks(server), in_use_stacks(server)
        for scenario in listed:
            server.leak(scenario["name"], bytes=small_bytes(scenario), count=calls)
        more = grown(before, lost_stacks(server))
        left = grown(used, in_use_stacks(server))
        for scenario in listed:
            name, size = scenario["name"], small_bytes(scenario)
            own = {function for function, owner in owned.items() if owner == name}
            lost = {k: more.pop(k) for k in list(more) if not own.isdisjoint(k)}
            if name in LOST:
                check_lost(name, size, calls, lost, own)
                all_bytes = bytes_of(left, own)
                lost_bytes = bytes_of(lost, own)
                check(
                    LEAST * all_bytes <= lost_bytes <= all_bytes,
                    f"{name}: {lost_bytes} of {all_bytes} bytes lost",
                )
            else:
                equal(lost, {}, f"lost by {name}")
        equal(more, {}, "lost by no scenario")


def loses_nothing(variables, calls):
    """Calls every scenario of the fixed server: nothing is lost, at no time."""
    with recorded("fixed", variables) as server:
        for scenario in server.scenarios():
            size = small_bytes(scenario)
            for _ in range(calls // 20):
                server.leak(scenario["name"], bytes=size, count=20)
            equal(lost_stacks(server), {}, f"lost after {scenario['name']}")
        server.settle()
        equal(lost_stacks(server), {}, "lost in the end")


@pytest.mark.timeout(1800)  # with --long, and other work on the machine
@with_each_allocator
def test_fixed_loses_nothing(variables, request):
    """Fixed: nothing is lost after 20 calls of each scenario; with --long, after 100
    calls, ten times in a row."""
    long = request.config.option.long
    for _ in range(5 if long else 1):  # with each of two allocators
        loses_nothing(variables, 100 if long else 20)


# -- retained --------------------------------------------------------------------------


def bytes_to_hold(scenario):
    """So much that what the C library makes for each thread is little beside it."""
    bounds = next(p for p in scenario["parameters"] if p["name"] == "bytes")
    return max(bounds["min"], min(bounds["max"], 65536))


def gained(before, after):
    """The bytes that holders have more in the second."""
    return {
        holder: total - before.get(holder, 0)
        for holder, total in after.items()
        if total > before.get(holder, 0)
    }


def share_held(name, more, least):
    """Whether the scenario's holders have 95 % of what grew, and one that the table
    names the most of it. In a stuck thread an inner frame may have the pointer, too."""
    owners_ = {holder.partition('": ')[0] for holder in HELD_BY[name]}
    right = sum(
        size for holder, size in more.items() if holder.partition('": ')[0] in owners_
    )
    largest = max(more, key=more.get, default=None)
    return right >= max(least, 0.95 * sum(more.values())) and largest in HELD_BY[name]


def wrong_holders(server, name, size):
    """What grew by four calls, by its holders; None if these are the right ones. A
    thread that has just been started is not where it stays."""
    before = holders(server)
    server.leak(name, bytes=size, count=4)
    end = time.monotonic() + STAYS_S
    while True:
        more = gained(before, holders(server))
        if share_held(name, more, 4 * size):
            return None
        if time.monotonic() > end:
            return more


@with_each_allocator
def test_holder_is_the_one_that_a_reader_names(variables):
    """Leaky: of what a scenario leaves on the heap, at least 95 % stands below the
    holder that a reader of the source would name."""
    with recorded("leaky", variables) as server:
        listed = {scenario["name"]: scenario for scenario in server.scenarios()}
        equal(set(listed), HELD_BY.keys() | LOST | LEAVES_NO_HEAP, "scenarios")
        # Its threads go on allocating, so it is the last.
        for name in sorted(HELD_BY, key=lambda name: name == "thread-loop"):
            size = bytes_to_hold(listed[name])
            server.leak(name, bytes=size)
            server.settle()
            wrong = []
            while len(wrong) < TRIES:
                more = wrong_holders(server, name, size)
                if more is None:
                    break
                wrong.append(more)
            check(len(wrong) < TRIES, f"who holds what {name} leaves: {wrong}")


# -- who may ask -----------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["exact", "off"])
def test_without_the_recorder_the_pages_say_what_to_do(profile):
    """Under --profile exact and off both pages answer 501, and name the option."""
    with Server("leaky", "--profile", profile) as server:
        for page in (LOST_PAGE, RETAINED_PAGE):
            reply = server.get(page, debug=True)
            error = reply.error(501, "recorder_off")
            check("--profile recorder" in error["hint"], error)


def test_index_names_both_pages():
    """The index of the profiles has both pages."""
    with Server("leaky", "--profile", "recorder") as server:
        index = server.get("/debug/pprof/", debug=True).expect(200).text
        for page in ("lost", "retained"):
            check(f'href="/debug/pprof/{page}?debug=1"' in index, index)


def test_many_clients_while_scenarios_run():
    """20 clients ask while scenarios run: each reply is right, or says that another is
    being made."""
    with Server("leaky", "--profile", "recorder", *LIMITS) as server:
        names = ["thread-wait", "global-list", "cstring-argument", "http-body"]
        seen, ended = set(), threading.Event()

        def client(number):
            page = (LOST_PAGE, RETAINED_PAGE)[number % 2]
            for _ in range(6):
                reply = server.get(f"{page}?debug=1", debug=True)
                seen.add(reply.status)
                if reply.status == 200:
                    reach_sums(reply.text)
                elif reply.status == 503:  # on a busy machine
                    reply.error(503, "thread_not_stopped")
                else:
                    reply.error(409, "profile_busy")

        def caller(name):
            while not ended.is_set():
                server.leak(name, bytes=4096, count=2)

        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            calls = [pool.submit(caller, name) for name in names]
            clients = [pool.submit(client, number) for number in range(20)]
            try:
                for each in clients:
                    each.result()
            finally:
                ended.set()
            for each in calls:
                each.result()
        check({200, 409} <= seen, f"statuses {seen}")
        server.leak("slice-prefix")
        ask(server, RETAINED_PAGE)


def processes_of(server):
    """The processes with this server's command line: itself, its upstream, copies."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as line:
                if server.profiles in line.read():
                    found.append(int(pid))
    return found


def test_end_while_a_profile_is_made():
    """SIGTERM while profiles are made: the server ends in time, and no copy stays."""
    server = Server("leaky", "--profile", "recorder", *LIMITS)
    server.leak("channel-one-receiver", count=20)
    answered = threading.Event()

    def client():
        with contextlib.suppress(OSError, AssertionError):
            while True:
                if answer(server, RETAINED_PAGE):
                    answered.set()

    asking = threading.Thread(target=client)
    asking.start()
    try:
        check(answered.wait(LIMIT), "no answer")
        check(server.pid in processes_of(server), "the server itself is not found")
    finally:
        server.stop(limit=10)
        asking.join()
    wait_until(lambda: processes_of(server) == [], what="no process of the server")
