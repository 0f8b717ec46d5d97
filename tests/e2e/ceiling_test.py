#!/usr/bin/python3
"""At the heap ceiling, and at the edges of HTTP: what a person needs still works."""

import glob
import os
import tempfile
import time

import lab
from lab import check, equal, test

HOST = b"Host: localhost\r\n"


def exchange(server, head, body=b""):
    return lab.exchange(server.port, head + b"\r\n" + body)


@test("threads that go on leaking stop at --max-heap; status, profiles and dump work")
def _():
    with lab.Server("leaky", "--max-heap", "32M") as server:
        server.leak("thread-loop", count=60, bytes="1M")
        full = 30 * lab.MIB
        lab.wait_until(lambda: server.heap().bytes > full, what="the heap is full")
        for _ in range(5):
            time.sleep(0.2)  # Each of the 60 threads asks for 1 MiB twice in this time.
            in_use = server.status()["memory"]["alloc_bytes"]
            check(in_use <= 36 * lab.MIB, f"{in_use} bytes are in use")
            for path in ("/scenarios", "/debug/pprof/heap", "/debug/pprof/goroutine"):
                server.get(path, debug=True).expect(200)
            check(server.heap().bytes > full, "the dump is whole")


@test("400 and closed: a header without a name, behind which others would be hidden")
def _():
    with lab.Server("leaky") as server:
        hidden = b"GET /healthz HTTP/1.1\r\n" + HOST + b" : x\r\nContent-Length: 9\r\n"
        for head in (hidden, b"GET /healthz HTTP/1.1\n" + HOST):
            reply = exchange(server, head)
            equal((reply.status, reply.closed), (400, True), "status and closed")


@test("a body that waits for 100 Continue is asked for")
def _():
    with lab.Server("leaky") as server:
        head = b"POST /leak/slice-prefix HTTP/1.1\r\n" + HOST
        head += b"Content-Type: application/x-www-form-urlencoded\r\n"
        head += b"Expect: 100-continue\r\nContent-Length: 10\r\n"
        with lab.socket.create_connection(("127.0.0.1", server.port), 5) as client:
            client.sendall(head + b"\r\n")
            equal(client.recv(25), b"HTTP/1.1 100 Continue\r\n\r\n", "interim reply")
            client.sendall(b"bytes=1024")
            equal(lab.read_reply(client).json()["bytes"], 1024, "bytes")


@test("a target in full is taken when it names this server, 403 otherwise")
def _():
    with lab.Server("leaky") as server:
        for name, status in ((b"localhost", 200), (b"example.org", 403)):
            target = b"http://%s:%d/healthz" % (name, server.port)
            reply = exchange(server, b"GET " + target + b" HTTP/1.1\r\n" + HOST)
            equal(reply.status, status, name)


@test("a second signal leaves no directory behind")
def _():
    pattern = os.path.join(tempfile.gettempdir(), "leaky-")
    before = set(glob.glob(pattern + "*"))
    with lab.Server("leaky") as server:
        server.leak("file-unclosed")
        held = "/proc/%d/fd" % server.pid
        links = [os.readlink(os.path.join(held, fd)) for fd in os.listdir(held)]
        own = [os.path.dirname(link) for link in links if link.startswith(pattern)]
        check(own and own[0] not in before, f"its directory: {links}")
        server.process.terminate()
        time.sleep(0.1)  # Two signals at once may count as one.
        server.stop()
        check(not os.path.exists(own[0]), f"{own[0]} is still there")


lab.main()
