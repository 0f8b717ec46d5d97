"""leakcheck gives no verdict on a server that doesn't play its part: one clear line on
stderr, nothing on stdout, exit 2. The servers are stand-ins that do as a real one
but for one fault."""

import json
import os
import time

import pytest

from checks import check, equal
from commands import run
from stand_in import Stand
from tree import BUILD

pytestmark = pytest.mark.one_of("judge of other servers", "hostile")

JUDGE = os.path.join(BUILD, "leakcheck")
PROFILE = (
    "heap profile: 1: 100 [1: 100] @ heapprofile\n"
    "1: 100 [1: 100] @ 0x1010\n#\t0x1010\tkeep+0x1\tleaky/x.c:3\n\n"
    "MAPPED_LIBRARIES:\n1000-2000 r-xp 0 08:01 1 /bin/server\n"
)


def refused(routes, *words, drive="/work", limit=20):
    """Judges a stand-in, and checks that the only output is a line with `words`."""
    with Stand(**routes) as stand:
        done = run(
            *(JUDGE, "--url", stand.url, "--drive", drive, "--rounds", "2"),
            check_exit=False,
            limit=limit,
        )
    equal((done.returncode, done.stdout), (2, ""), f"exit and output: {done.stderr}")
    equal(len(done.stderr.splitlines()), 1, f"lines of {done.stderr!r}")
    for word in words:
        check(word in done.stderr, f"{word!r} is not in {done.stderr!r}")


def good(**changes):
    return {"pprof_heap": PROFILE, "work": "done"} | changes


def test_no_fault():
    """The stand-in without a fault gets a verdict."""
    with Stand(**good()) as stand:
        done = run(JUDGE, "--url", stand.url, "--drive", "/work", "--rounds", "2")
    check("holds" in done.stdout, done.stdout)


def test_plain_gperftools():
    """A gperftools server without comments: /pprof/symbol names who leaks."""
    calls = []
    names = {"0x100f": "payload_keep", "0x201f": "library_make"}

    def heap(_):
        held = len(calls) * 10000
        return (
            f"heap profile: 1: {held} [1: {held}] @ heapprofile\n"
            f"1: {held} [1: {held}] @ 0x2020 0x1010\n\nMAPPED_LIBRARIES:\n"
            "1000-2000 r-xp 0 08:01 1 /bin/server\n2000-3000 r-xp 0 08:01 2 /lib/x.so\n"
        )

    def symbol(handler):
        asked = handler.posted.split("+")
        return "".join(f"{address}\t{names[address]}\n" for address in asked)

    def work(_):
        calls.append(1)
        return "done"

    with Stand(**good(pprof_heap=heap, pprof_symbol=symbol, work=work)) as stand:
        done = run(
            *(JUDGE, "--url", stand.url, "--drive", "/work", "--rounds", "3"),
            check_exit=False,
        )
    equal(done.returncode, 1, done.stdout + done.stderr)
    check("9.8 KiB a call" in done.stdout, done.stdout)
    check("payload_keep" in done.stdout, done.stdout)


def test_nobody_there():
    """Nobody listens."""
    done = run(JUDGE, "--url", "http://127.0.0.1:1", "--drive", "/x", check_exit=False)
    equal((done.returncode, done.stdout), (2, ""))
    check("connect" in done.stderr, done.stderr)


def test_bad_profiles():
    """No heap profile, HTML instead of one, or one that was cut short."""
    refused(good(pprof_heap=(404, "no")), "no heap profile")
    refused(
        good(pprof_heap="<!DOCTYPE html><title>hello</title>"),
        "no heap profile",
        "<!DOC",
    )
    refused(good(pprof_heap=PROFILE[: PROFILE.index("MAPPED")]), "cut short")
    refused(good(pprof_heap=""), "no heap profile", "HEAPPROFILE")


def test_bad_thread_profile():
    """No thread profile but HTML: threads are not measured, and no limit on them
    kept."""
    routes = good(debug_pprof_goroutine="<html>")
    with Stand(**routes) as stand:
        command = [JUDGE, "--url", stand.url, "--drive", "/work", "--rounds", "2"]
        done = run(*command)
        check("threads      not measured" in done.stdout, done.stdout)
        done = run(*command, "--max-threads", "0", check_exit=False)
    equal((done.returncode, done.stdout), (2, ""), done.stderr)
    check("no thread profile" in done.stderr, done.stderr)


def test_broken_connection():
    """A profile whose connection breaks in the middle."""

    def break_off(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "9999")
        handler.end_headers()
        handler.wfile.write(PROFILE.encode())
        handler.close_connection = True
        raise ConnectionAbortedError

    refused(good(pprof_heap=break_off), "/pprof/heap")


def test_redirect():
    """A redirect is not followed."""
    refused(good(pprof_heap=(302, "")), "redirect")
    refused(good(work=(301, "")), "redirect")


def test_path_fails():
    """The path that is driven fails: 404, 500, 503."""
    refused(good(), "answered 404", drive="/nowhere")
    refused(good(work=(500, "oops")), "answered 500")
    error = {"error": {"code": "heap_limit", "message": "full", "hint": "raise it"}}
    refused(good(work=(503, json.dumps(error))), "heap_limit", "full", "raise it")


def test_gone():
    """A server that is gone in the middle of the run."""
    calls = []

    def work(handler):
        calls.append(1)
        if len(calls) == 8:
            handler.server.socket.close()
            handler.close_connection = True
            raise ConnectionAbortedError
        return "done"

    refused(good(work=work), "/work")


@pytest.mark.slow
def test_restless():
    """A server that never comes to rest."""
    began = time.monotonic()

    def heap(_):
        bytes_now = int((time.monotonic() - began) * 100000)
        return PROFILE.replace("1: 100 [", f"1: {bytes_now} [")

    refused(good(pprof_heap=heap), "does not settle", "heap", limit=40)


def test_endless():
    """An endless reply is not read to its end."""

    def pour(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        part = b"x" * 1048576
        for _ in range(200):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        raise ConnectionAbortedError

    refused(good(pprof_heap=pour), "larger than")


def test_terminal_commands():
    """A message that holds commands to a terminal arrives without them."""
    error = {"error": {"code": "x", "message": "\x1b[2Jgone\n\nmore", "hint": "h"}}
    with Stand(**good(work=(400, json.dumps(error)))) as stand:
        done = run(JUDGE, "--url", stand.url, "--drive", "/work", check_exit=False)
    equal(len(done.stderr.splitlines()), 1, done.stderr)
    check("\x1b" not in done.stderr and "gone" in done.stderr, repr(done.stderr))


def test_not_of_the_lab():
    """Two servers that are none of the lab's: no verdict."""
    with Stand(**good()) as stand:
        done = run(JUDGE, stand.url, stand.url, check_exit=False)
    equal((done.returncode, done.stdout), (2, ""))
    check("/status" in done.stderr, done.stderr)
