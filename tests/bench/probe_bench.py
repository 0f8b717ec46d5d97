#!/usr/bin/python3
"""What leakprobe costs nginx and redis: processor time for each request, against the same
server without it. All run at once and work in turn, so that what else the machine does
meets all of them; of each the best turn counts, because noise only adds."""

import contextlib
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))

import processes  # noqa: E402
from checks import check  # noqa: E402
from commands import run  # noqa: E402
from programs import Program, free_port, listens  # noqa: E402
from server_programs import Nginx, Redis  # noqa: E402
from tree import remove_scratch, scratch  # noqa: E402

TURNS = 9
# How each server runs: bare, or under leakprobe with these options.
WAYS = {
    "bare": None,
    "exact": ("--heap", "exact", "--resources", "off"),
    "sampled": ("--heap", "sampled", "--resources", "off"),
    "off": ("--heap", "off", "--resources", "off"),
}
BOUNDS = {
    "nginx": {"exact": 1.15, "sampled": 1.05},
    "redis-server": {"exact": 1.20, "sampled": 1.06},
}


def cpu_seconds(pid):
    """What all threads of a process have run, to the nanosecond."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def nginx_load(port):
    """Asks for a page for a second; returns the number of requests."""
    url = f"http://127.0.0.1:{port}/BSD"
    said = run("wrk", "-t", "1", "-c", "8", "-d", "1s", url).stdout
    found = re.search(r"(\d+) requests in", said)
    check(found and "Non-2xx" not in said and "errors" not in said, said)
    return int(found[1])


def redis_load(port):
    """Writes and reads random keys, lists and hashes; returns the number of commands."""
    each, kinds = 8000, ("set", "get", "lpush", "lpop", "hset")
    tree = Redis().tree()
    said = run(
        tree.path("usr/bin/redis-benchmark"), "-p", port, "-c", 20, "-n", each, "-r", 10000,
        "-d", 100, "-t", ",".join(kinds), "-q", env=os.environ | tree.environment,
    ).stdout  # fmt: skip
    check(said.count("requests per second") == len(kinds), said)
    return each * len(kinds)


def start(stack, kind, probe):
    """Starts a server; returns its process id and its port."""
    port, directory = free_port(), scratch()
    command = kind.command(directory, port)
    options = probe and (*probe, "--port", "0")
    server = stack.enter_context(
        Program(command, probe=options, env=kind.environment(), cwd=directory)
    )
    server.await_(lambda: listens(port), "first connection")
    return server.pid, port


def measure(kind, load):
    """Microseconds for each request, by way: a list of all turns."""
    costs = {way: [] for way in WAYS}
    with contextlib.ExitStack() as stack:
        servers = {way: start(stack, kind, probe) for way, probe in WAYS.items()}
        for turn in range(-1, TURNS):  # what the first one does is not measured
            for way, (pid, port) in servers.items():
                before = cpu_seconds(pid)
                requests = load(port)
                cost = (cpu_seconds(pid) - before) / requests * 1e6
                if turn >= 0:
                    costs[way].append(cost)
    return costs


def report(name, costs):
    """Prints what a server took; returns whether it is within its bounds."""
    bare = costs["bare"]
    parts = [f"bare {min(bare):.2f} us"]
    held = True
    for way in list(WAYS)[1:]:
        best = min(costs[way]) / min(bare)
        middle = statistics.median(costs[way]) / statistics.median(bare)
        bound = BOUNDS[name].get(way)
        limit = f", at most {bound:.2f}" if bound else ""
        parts.append(f"{way} {best:.3f} (median {middle:.3f}{limit})")
        held = held and (bound is None or best <= bound)
    print(f"processor time for a request of {name}: {'; '.join(parts)}", flush=True)
    return held


def main():
    processes.take_in_orphans()
    held = [
        report(kind.name, measure(kind, load))
        for kind, load in ((Nginx(), nginx_load), (Redis(), redis_load))
    ]
    if not all(held):
        sys.exit("probe_bench.py: past its bound")


if __name__ == "__main__":
    try:
        main()
    finally:
        processes.end_all_but(set())
        remove_scratch(0)
