"""At the heap ceiling, and at the edges of HTTP: what a person needs still works."""

import glob
import os
import socket
import tempfile
import time

from checks import check, equal, wait_until
from heap_profile import MIB
from http_request import exchange, read_reply
from servers import Server

HOST = b"Host: localhost\r\n"


def ask(server, head, body=b""):
    return exchange(server.port, head + b"\r\n" + body)


def test_threads_that_go_on_leaking_stop_at_max_heap_status():
    """Threads that go on leaking stop at --max-heap; status, profiles and dump work."""
    with Server("leaky", "--max-heap", "32M") as server:
        server.leak("thread-loop", count=60, bytes="1M")
        full = 30 * MIB
        wait_until(lambda: server.heap().bytes > full, what="the heap is full")
        for _ in range(5):
            time.sleep(0.2)  # Each of the 60 threads asks for 1 MiB twice in this time.
            in_use = server.status()["memory"]["alloc_bytes"]
            check(in_use <= 36 * MIB, f"{in_use} bytes are in use")
            for path in ("/scenarios", "/debug/pprof/heap", "/debug/pprof/goroutine"):
                server.get(path, debug=True).expect(200)
            check(server.heap().bytes > full, "the dump is whole")


def test_400_and_closed_header_without_name():
    """400 and closed: a header without a name, which would hide the headers after it."""
    with Server("leaky") as server:
        hidden = b"GET /healthz HTTP/1.1\r\n" + HOST + b" : x\r\nContent-Length: 9\r\n"
        for head in (hidden, b"GET /healthz HTTP/1.1\n" + HOST):
            reply = ask(server, head)
            equal((reply.status, reply.closed), (400, True), "status and closed")


def test_body_that_waits_for_100_continue_is_asked():
    """A body that waits for 100 Continue is asked for."""
    with Server("leaky") as server:
        head = b"POST /leak/slice-prefix HTTP/1.1\r\n" + HOST
        head += b"Content-Type: application/x-www-form-urlencoded\r\n"
        head += b"Expect: 100-continue\r\nContent-Length: 10\r\n"
        with socket.create_connection(("127.0.0.1", server.port), 5) as client:
            client.sendall(head + b"\r\n")
            equal(client.recv(25), b"HTTP/1.1 100 Continue\r\n\r\n", "interim reply")
            client.sendall(b"bytes=1024")
            equal(read_reply(client).json()["bytes"], 1024, "bytes")


def test_target_in_full_is_taken_when_it_names_this_server():
    """A target in full is taken when it names this server, 403 otherwise."""
    with Server("leaky") as server:
        for name, status in ((b"localhost", 200), (b"example.org", 403)):
            target = b"http://%s:%d/healthz" % (name, server.port)
            reply = ask(server, b"GET " + target + b" HTTP/1.1\r\n" + HOST)
            equal(reply.status, status, name)


def test_second_signal_leaves_no_directory_behind():
    """A second signal leaves no directory behind."""
    pattern = os.path.join(tempfile.gettempdir(), "leaky-")
    before = set(glob.glob(pattern + "*"))
    with Server("leaky") as server:
        server.leak("file-unclosed")
        held = "/proc/%d/fd" % server.pid
        links = [os.readlink(os.path.join(held, fd)) for fd in os.listdir(held)]
        own = [os.path.dirname(link) for link in links if link.startswith(pattern)]
        check(own and own[0] not in before, f"its directory: {links}")
        server.process.terminate()
        time.sleep(0.1)  # Two signals at once may count as one.
        server.stop()
        check(not os.path.exists(own[0]), f"{own[0]} is still there")
