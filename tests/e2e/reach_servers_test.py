"""What is lost in servers that others wrote, asked for while they are under load. A block
that is lost can never be freed: so what is called lost once must be called lost for ever,
by the same stack, also when the load has ended and what it left is freed."""

import collections
import re
import socket
import threading
import time

import pytest

from checks import LIMIT, check, equal
from http_request import request
from program_loads import RedisLoad, redis_replies
from programs import Program, free_port, listens
from server_programs import Nginx, Redis, many_pages, page
from tree import scratch
from turns import in_turns

SCANS = 20
LOST = re.compile(r"^(\d+): (\d+) \[\d+: \d+\] @ (.*)$", re.MULTILINE)


class RedisWork:
    """Keys of all kinds come and go; in the end none is left."""

    def __init__(self, port):
        self.port = port
        self.load = RedisLoad(port)

    def turn(self):
        self.load.turn()

    def end(self):
        self.load.close()
        with socket.create_connection(("127.0.0.1", self.port), LIMIT) as connection:
            equal(redis_replies(connection, [("FLUSHALL",)]), [b"+OK\r\n"], "FLUSHALL")


class NginxWork:
    """Pages, packed and not, on connections that come and go."""

    def __init__(self, port):
        self.port = port

    def turn(self):
        page(self.port, "/GPL-3", {"Accept-Encoding": "gzip"})
        page(self.port, "/missing")
        many_pages(self.port)

    def end(self):
        """Its connections are closed after each turn."""


KINDS = [(Redis, RedisWork), (Nginx, NginxWork)]


def lost(server):
    """The lost blocks of each stack, and all that are in use."""
    text = server.get("/debug/pprof/lost?debug=1", limit=60).text
    found = collections.Counter()
    for objects, _, stack in LOST.findall(text):
        found[stack] += int(objects)
    total = int(re.match(r"lost: (\d+): ", text)[1])
    equal(sum(found.values()), total, "lost blocks of all stacks")
    return found, text


def worked(work, done, failures):
    """Works until `done`; returns nothing, but keeps what goes wrong."""
    turns = 0
    try:
        while not done.is_set() or turns == 0:
            work.turn()
            turns += 1
    except (AssertionError, OSError) as error:
        failures.append(repr(error))


def check_grown(before, after, text):
    """Whether each stack has at least as many lost blocks as before."""
    gone = before - after
    check(not gone, f"no longer lost: {gone}\n{text[:3000]}")


@pytest.mark.parametrize("kinds", in_turns("lost blocks of servers", KINDS, len(KINDS)))
def test_lost_blocks_stay_lost(kinds):
    """20 scans under load."""
    kind, work_of = kinds[0](), kinds[1]
    port, directory = free_port(), scratch()
    server = Program(
        kind.command(directory, port), probe=(), env=kind.environment(), cwd=directory
    )
    with server:
        server.await_(lambda: listens(port), "first connection")
        work = work_of(port)
        done, failures = threading.Event(), []
        loader = threading.Thread(target=worked, args=(work, done, failures))
        loader.start()
        try:
            seen = collections.Counter()
            for _ in range(SCANS):
                now, text = lost(server)
                check_grown(seen, now, text)
                seen = now
                time.sleep(0.02)  # so that the scans meet it at other places
        finally:
            done.set()
            loader.join()
        equal(failures, [], "what went wrong with the load")
        work.end()
        after, text = lost(server)
        check_grown(seen, after, text)
        print(f"{kind.name}: {sum(after.values())} lost blocks of {len(after)} stacks")
        equal(request(server.debug_port(), "GET", "/status").status, 200, "/status")
