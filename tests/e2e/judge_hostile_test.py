"""leakcheck against servers that send what no honest server sends: too much, too many,
too large, too slowly, or nothing to the end. Each run ends with exit 2 and one clear
line. A server that only closes its connections without notice is judged as usual."""

import concurrent.futures
import json
import os
import socket
import struct
import threading

import pytest

from checks import check, equal
from commands import run
from heap_profile import MIB
from stand_in import Stand
from tree import BUILD

pytestmark = [pytest.mark.slow, pytest.mark.one_of("judge of other servers", "hostile")]

JUDGE = os.path.join(BUILD, "leakcheck")
LIMIT = 60  # to end a test, not to measure: the judge itself gives up after 15 s
HEADER = "heap profile: 1: 100 [1: 100] @ heapprofile\n"
MAPS = "\nMAPPED_LIBRARIES:\n1000-2000 r-xp 0 08:01 1 /bin/server\n"
PROFILE = HEADER + "1: 100 [1: 100] @ 0x1010\n#\t0x1010\tkeep+0x1\tx.c:3\n" + MAPS


class Closer:
    """A server that closes every connection after one reply, without saying so: `how`
    is "plain", "reset" (RST), "unsaid" (no Content-Length: the end is the end), or
    "late" (only when the next request has begun to arrive). It leaks `leak` bytes a
    call."""

    def __init__(self, how, leak=0):
        self.how = how
        self.leak = leak
        self.calls = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def body(self, path):
        if path == "/pprof/heap":
            return PROFILE.replace(
                "1: 100 [1: 100]", f"1: {self.calls * self.leak} [1: 100]"
            )
        if path != "/work":
            return None
        self.calls += 1
        return "done"

    def serve(self, connection):
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                part = connection.recv(65536)
                if not part:
                    return
                request += part
            body = self.body(request.split()[1].decode().split("?")[0])
            head = "HTTP/1.1 200 OK\r\n" if body else "HTTP/1.1 404 No\r\n"
            text = body or "no"
            if self.how != "unsaid":
                head += f"Content-Length: {len(text)}\r\n"
            connection.sendall(f"{head}\r\n{text}".encode())
            if self.how == "late":
                connection.recv(1)
            if self.how == "reset":
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def judge(url, *options, rounds=2):
    return run(
        *(JUDGE, "--url", url, "--drive", "/work", "--rounds", rounds, *options),
        check_exit=False,
        limit=LIMIT,
    )


def refused(stand, *words, options=()):
    """Judges a stand-in, and checks that the only output is a line with `words`."""
    with stand:
        done = judge(stand.url, *options)
    equal((done.returncode, done.stdout), (2, ""), f"exit and output: {done.stderr}")
    equal(len(done.stderr.splitlines()), 1, f"lines of {done.stderr!r}")
    for word in words:
        check(word in done.stderr, f"{word!r} is not in {done.stderr!r}")


def together(function, cases):
    """Calls the function for each case, two at a time: most of it is waiting."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(function, *case) for case in cases]:
            done.result()


def good(**changes):
    return Stand(**{"pprof_heap": PROFILE, "work": "done"} | changes)


def stacks(count, amounts, header=HEADER, first=16):
    """A profile with `count` stacks, each of one function of its own."""
    lines = [
        f"{amounts} @ {address:#x}\n"
        for address in range(first, first + count * 16, 16)
    ]
    return header + "".join(lines) + MAPS


def pour(handler, part, count):
    """Sends a reply of `count` parts without saying how long it will be."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(count):
        handler.wfile.write(part)


# -- connections -----------------------------------------------------------------------


def test_closing_connections():
    """A server that closes its connections without a word is judged, by a right
    verdict."""

    def try_one(how, leak):
        with Closer(how, leak) as closer:
            done = judge(closer.url, rounds=3)
        equal(done.returncode, 1 if leak else 0, f"{how}: {done.stdout}{done.stderr}")

    hows = ("plain", "reset", "unsaid", "late")
    together(try_one, [(how, leak) for how in hows for leak in (0, 10000)])


def test_no_second_call():
    """A request that got part of a reply is not sent again."""
    calls = []

    def work(handler):
        calls.append(1)
        if len(calls) < 3:
            return "done"
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return None

    refused(good(work=work), "/work")
    equal(len(calls), 3, "calls")


def test_dripping():
    """A reply that drips is given up."""
    gone = threading.Event()

    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        try:
            while not gone.wait(0.05):
                handler.wfile.write(b"h")
        except OSError:
            pass

    try:
        refused(good(pprof_heap=drip), "/pprof/heap", "no whole reply in time")
    finally:
        gone.set()


def test_endless():
    """An endless reply is not read to its end, whichever it is."""
    part = b"x" * MIB
    refused(
        good(pprof_heap=lambda handler: pour(handler, part, 200)), "larger than 64 MiB"
    )
    refused(good(work=lambda handler: pour(handler, part, 200)), "larger than 64 MiB")


def test_junk():
    """What is not HTTP at all."""

    def junk(handler):
        handler.wfile.write(b"\x00\xff\x1b[2J" * 1000)

    refused(good(pprof_heap=junk), "/pprof/heap")


def test_no_scheme():
    """A URL without its scheme is told what to add."""
    done = judge("localhost:8080")
    equal((done.returncode, done.stdout), (2, ""))
    check("add http://" in done.stderr, done.stderr)


# -- profiles --------------------------------------------------------------------------


def test_too_many_stacks():
    """A profile of 100,001 stacks is refused, of heap or of threads."""
    heap = stacks(100001, "1: 1 [1: 1]")
    refused(good(pprof_heap=heap), "/pprof/heap", "over 100000 stacks")
    threads = stacks(100001, "1", header="threads profile: total 100001\n")
    refused(
        good(debug_pprof_goroutine=threads), "thread", options=("--max-threads", "0")
    )


def test_overflowing_sums():
    """Sums that overflow are refused, and no verdict is given on them."""
    huge = 9 * 10**15
    row = f"{huge}: {huge} [{huge}: {huge}]"
    sampled = "heap profile: 5: 5 [5: 5] @ heap_v2/1000000000000000\n"
    refused(good(pprof_heap=stacks(5, row, header=sampled)), "too large to be true")
    refused(good(pprof_heap=stacks(2000, row)), "too large to be true")
    threads = stacks(2000, huge, header="threads profile: total 5\n")
    refused(
        good(debug_pprof_goroutine=threads), "thread", options=("--max-threads", "0")
    )
    line = f"1: {2**63 - 1} [1: {2**63 - 1}] @ 0x10\n"
    refused(good(pprof_heap=HEADER + line + MAPS), "line 2", "cannot be read")


def test_odd_periods():
    """A sampling period that is no plain number, or none, is refused."""
    for period, word in (
        ("1e15", "heap_v2/1e15"),
        ("-1", "heap_v2/-1"),
        ("0", "samples nothing"),
    ):
        profile = stacks(
            5, "1: 10 [1: 10]", f"heap profile: 5: 50 [5: 50] @ heap_v2/{period}\n"
        )
        refused(good(pprof_heap=profile), word)


def test_many_functions():
    """40,000 functions that all grow: a verdict, with their names asked for in few
    questions."""
    calls = []
    questions = []

    def heap(_):
        held = 100 + 10 * len(calls)
        header = f"heap profile: 1: {40000 * held} [1: {40000 * held}] @ heapprofile\n"
        return stacks(40000, f"1: {held} [1: {held}]", header, first=0x100000)

    def symbol(handler):
        asked = handler.posted.split("+")
        questions.append(len(asked))
        return "".join(f"{address}\tfunction_{address}\n" for address in asked)

    def work(_):
        calls.append(1)
        return "done"

    with good(pprof_heap=heap, pprof_symbol=symbol, work=work) as stand:
        done = judge(stand.url)
    equal(done.returncode, 1, done.stdout + done.stderr)
    check("function_0x" in done.stdout, done.stdout)
    equal(sum(questions), 40000, "addresses asked for")
    check(len(questions) <= 12, f"{len(questions)} questions")


def test_no_names():
    """Names that a server does not give are no failure: 404, 501, HTML, nothing,
    junk."""
    bare = HEADER + "1: 100 [1: 100] @ 0x1010\n" + MAPS

    def broken(handler):
        handler.wfile.write(b"junk")

    def try_one(reply):
        calls = []

        def heap(_):
            return bare.replace("1: 100 [", f"1: {100 + 10000 * len(calls)} [")

        def work(_):
            calls.append(1)
            return "done"

        with good(pprof_heap=heap, pprof_symbol=reply, work=work) as stand:
            done = judge(stand.url)
        equal(done.returncode, 1, f"{reply}: {done.stdout}{done.stderr}")

    html = "<html>0x100f</html>"
    replies = ((404, "no"), (501, "no"), html, "", "0x100f\t\n", broken)
    together(try_one, [(reply,) for reply in replies])


def test_terminal_names():
    """Names and paths that hold commands to a terminal arrive without them."""
    calls = []

    def heap(_):
        held = 100 + 10000 * len(calls)
        return (
            HEADER.replace("100", str(held))
            + f"1: {held} [1: {held}] @ 0x1010\n"
            + MAPS
        )

    def work(_):
        calls.append(1)
        return "done"

    names = "0x100f\tevil\x1b[2J\n"
    with good(pprof_heap=heap, pprof_symbol=names, work=work) as stand:
        done = judge(stand.url)
    equal(done.returncode, 1, done.stdout + done.stderr)
    check("evil?[2J" in done.stdout and "\x1b[2J" not in done.stdout, repr(done.stdout))


# -- JSON ------------------------------------------------------------------------------


def long_json(**values):
    return json.dumps(values | {"padding": "x" * MIB})


def test_long_status():
    """A /status over 1 MiB is no status, and the end of no run."""
    calls = []

    def work(_):
        calls.append(1)
        return "done"

    def status(_):
        return long_json(memory={"alloc_bytes": 1}, threads=len(calls), fds=1, timers=0)

    with good(status=status, work=work) as stand:
        done = judge(stand.url)
    equal(done.returncode, 0, done.stdout + done.stderr)


def test_long_error():
    """An error reply over 1 MiB is told without its text."""
    error = {"code": "full", "message": "out of paper", "hint": "none"}
    refused(
        good(work=(500, json.dumps({"error": error}))), "answered 500", "out of paper"
    )
    with good(work=(500, long_json(error=error))) as stand:
        done = judge(stand.url)
    equal((done.returncode, done.stdout), (2, ""), done.stderr)
    check("answered 500" in done.stderr and "paper" not in done.stderr, done.stderr)


def test_long_pair():
    """Two servers whose JSON is over 1 MiB are refused by name."""
    memory = {"alloc_bytes": 1, "total_alloc_bytes": 1, "rss_bytes": 1}
    counts = dict.fromkeys(("threads", "fds", "timers", "mappings", "children"), 1)
    status = json.dumps({"memory": memory, **counts})
    routes = {"status": status, "scenarios": long_json()}
    with good(**routes) as leaky, good(**routes) as fixed:
        done = run(JUDGE, leaky.url, fixed.url, check_exit=False, limit=LIMIT)
    equal((done.returncode, done.stdout), (2, ""), done.stderr)
    check("/scenarios is larger than 1 MiB" in done.stderr, done.stderr)
