#!/usr/bin/python3
"""What leakprobe costs nginx and redis: processor time for each request, against the same
server without it; with the heap's recorder, with the notes of resources, and with both.
All run at once, and work in turn, a few hundredths of a second each: so whatever else the
machine does meets all of them. The servers and their clients share one processor. There
the clients send to all connections before the server runs, so that it wakes equally often
each time. A server keeps for its life where its memory happens to be, which makes it some
percent faster or slower than an equal one; so several families of servers are measured,
one after the other."""

import contextlib
import os
import random
import socket
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))

import bench  # noqa: E402
from checks import check  # noqa: E402
from program_loads import encoded  # noqa: E402
from programs import Program, free_port, listens  # noqa: E402
from server_programs import Nginx, Redis  # noqa: E402
from tree import scratch  # noqa: E402

FAMILIES = 9  # so often all servers are started afresh
TURNS = 20  # of each
ROUNDS = 50  # a turn
CONNECTIONS = 16  # each has one request a round
# How each server runs: bare, or under leakprobe with these options.
WAYS = {
    "bare": None,
    "exact": ("--heap", "exact", "--resources", "off"),
    "sampled": ("--heap", "sampled", "--resources", "off"),
    "resources": ("--heap", "off", "--resources", "on"),
    "all": ("--heap", "exact", "--resources", "on"),
    "off": ("--heap", "off", "--resources", "off"),
}
PAGE = b"GET /BSD HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def redis_command(number):
    """Strings, lists and hashes, at keys that come again."""
    key, value = number * 7919 % 5000, "x" * (number * 31 % 200)
    return (
        ("SET", f"key:{key}", value),
        ("GET", f"key:{key}"),
        ("LPUSH", f"list:{key % 50}", value),
        ("RPOP", f"list:{key % 50}"),
        ("HSET", f"hash:{key % 100}", f"field:{key % 64}", value),
        ("DEL", f"key:{key}"),
    )[number % 6]


# The server, what its clients send in turn, and the bounds.
SERVERS = (
    (
        Nginx(),
        [PAGE],
        b"HTTP/1.1 200",
        {"exact": 1.15, "sampled": 1.05, "resources": 1.07, "all": 1.25},
    ),
    (
        Redis(),
        [encoded(redis_command(number)) for number in range(6000)],
        (b"+", b"$", b":"),
        {"exact": 1.20, "sampled": 1.06, "resources": 1.07, "all": 1.25},
    ),
)


class Worker:
    """A server and its connections. Each turn is the same work for all of its kind."""

    def __init__(self, stack, kind, probe, requests, replies):
        port, directory = free_port(), scratch()
        options = probe and (*probe, "--port", "0", "--quiet")
        command = kind.command(directory, port)
        server = stack.enter_context(
            Program(command, probe=options, env=kind.environment(), cwd=directory)
        )
        server.await_(lambda: listens(port), "first connection")
        self._pid = server.pid
        self._connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 30))
            for _ in range(CONNECTIONS)
        ]
        self._requests, self._replies, self._next = requests, replies, 0

    def turn(self):
        """Returns the processor time of a request in this turn, in microseconds."""
        before = self._cpu()
        for _ in range(ROUNDS):
            for each in self._connections:
                each.sendall(self._requests[self._next % len(self._requests)])
                self._next += 1
            for each in self._connections:
                reply = each.recv(65536)  # they are short: one piece each
                check(reply.startswith(self._replies), reply)
        return (self._cpu() - before) / ROUNDS / CONNECTIONS / 1000

    def _cpu(self):
        """What all threads of the server have run, in nanoseconds."""
        total = 0
        for task in os.listdir(f"/proc/{self._pid}/task"):
            path = f"/proc/{self._pid}/task/{task}/schedstat"
            with open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total


def least(kind, requests, replies, chance):
    """The cost of a request in microseconds, by way, of servers newly started: that of
    the quietest turn, because other work on the machine only adds to it."""
    costs = {way: [] for way in WAYS}
    with contextlib.ExitStack() as stack:
        workers = [
            (way, Worker(stack, kind, probe, requests, replies))
            for way, probe in WAYS.items()
        ]
        for _, worker in workers * 2:
            worker.turn()  # it fills caches, and is not measured
        for _ in range(TURNS):
            chance.shuffle(workers)  # each comes after each other one equally often
            for way, worker in workers:
                costs[way].append(worker.turn())
    return {way: min(each) for way, each in costs.items()}


def measure(kind, requests, replies):
    """The cost of a request by way, the middle one of all families: of a bare server in
    microseconds, of the others as a multiple of that."""
    chance = random.Random(1)
    families = [least(kind, requests, replies, chance) for _ in range(FAMILIES)]
    costs = {
        way: statistics.median(each[way] / each["bare"] for each in families)
        for way in WAYS
    }
    costs["bare"] = statistics.median(each["bare"] for each in families)
    return costs


def report(name, costs, bounds):
    """Prints what a server took; returns whether it is within its bounds."""
    parts = [f"bare {costs['bare']:.2f} us"]
    held = True
    for way in list(WAYS)[1:]:
        ratio = costs[way]
        bound = bounds.get(way)
        parts.append(f"{way} {ratio:.3f}" + (f" (bound {bound:.2f})" if bound else ""))
        held = held and (bound is None or ratio <= bound)
    print(f"processor time of {name} for a request: {', '.join(parts)}", flush=True)
    return held


def main():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # and of all that it starts
    held = [
        report(kind.name, measure(kind, requests, replies), bounds)
        for kind, requests, replies, bounds in SERVERS
    ]
    if not all(held):
        print("probe_bench.py: past its bound", file=sys.stderr)
    return all(held)


if __name__ == "__main__":
    bench.run(main)
