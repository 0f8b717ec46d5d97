#!/usr/bin/python3
"""The thread profile of 10,000 stuck threads against Go's goroutine profile of 10,000
stuck goroutines, asked in turn over HTTP, so that a machine that is busy for a while
slows both down; and how long /status takes meanwhile."""

import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))

import bench  # noqa: E402
from checks import check  # noqa: E402
from commands import run  # noqa: E402
from servers import Server  # noqa: E402
from tree import scratch  # noqa: E402

COUNT = 10000
ROUNDS = 15
RATIO_BOUND = 8.0
STATUS_SLICES = 7
STATUS_SAMPLES = 200  # in a slice
STATUS_BOUND_MS = 5.0


def go_program():
    """Go's program with its goroutines; returns the process and its port."""
    directory = scratch()
    program = os.path.join(directory, "goroutines")
    source = os.path.join(HERE, "goroutines", "main.go")
    cache = os.environ.get("GOCACHE") or os.path.join(
        tempfile.gettempdir(), "lab-go-cache"
    )
    environment = os.environ | {"GOCACHE": cache}
    run("go", "build", "-o", program, source, env=environment, limit=300)
    process = subprocess.Popen(
        [program, str(COUNT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, int(process.stdout.readline())


class Client:
    """Requests on one connection, timed."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def milliseconds(self, path):
        started = time.perf_counter()
        self.connection.request("GET", path)
        reply = self.connection.getresponse()
        body = reply.read()
        took = (time.perf_counter() - started) * 1000
        check(reply.status == 200, f"{path}: {reply.status} {body[:200]}")
        return took


def compare(go_port, server, path):
    """Prints both medians; returns their ratio."""
    theirs, ours = Client(go_port), Client(server.debug_port)
    first = ours.milliseconds(path)
    theirs.milliseconds(path)
    pairs = [
        (theirs.milliseconds(path), ours.milliseconds(path)) for _ in range(ROUNDS)
    ]
    go_ms = statistics.median(pair[0] for pair in pairs)
    lab_ms = statistics.median(pair[1] for pair in pairs)
    print(
        f"threads: {path:31} Go {go_ms:6.1f} ms, lab {lab_ms:6.1f} ms "
        f"(the first {first:.1f} ms), ratio {lab_ms / go_ms:.2f}",
        flush=True,
    )
    return lab_ms / go_ms


def status_times(server):
    """The 99th percentile of /status in milliseconds: the middle one of those of several
    slices of time, so that a moment in which the machine did other work does not count.
    """
    client = Client(server.debug_port)

    def one():
        time.sleep(0.003)
        return client.milliseconds("/status")

    slices = [[one() for _ in range(STATUS_SAMPLES)] for _ in range(STATUS_SLICES)]
    return statistics.median(statistics.quantiles(times, n=100)[98] for times in slices)


def status_meanwhile(server):
    """The same while one thread profile after the other is being taken."""
    done = threading.Event()
    profiles = []

    def take():
        client = Client(server.port)
        while not done.is_set():
            profiles.append(client.milliseconds("/debug/pprof/goroutine"))

    taker = threading.Thread(target=take)
    taker.start()
    try:
        return status_times(server), len(profiles)
    finally:
        done.set()
        taker.join()


def verdict(text, good):
    print(f"threads: {text}: {'ok' if good else 'TOO SLOW'}", flush=True)
    return good


def main():
    go_process, go_port = go_program()
    options = ("--max-threads", "12000", "--max-heap", "2G")
    with Server("leaky", *options, limit=60) as server:
        server.leak("thread-wait", count=COUNT, bytes=1024, limit=120)
        threads = server.status()["threads"]
        check(threads > COUNT, f"only {threads} threads")
        ratio = compare(go_port, server, "/debug/pprof/goroutine")
        for form in (1, 2):
            compare(go_port, server, f"/debug/pprof/goroutine?debug={form}")
        good = verdict(
            f"ratio {ratio:.2f}, at most {RATIO_BOUND:.0f} wanted", ratio <= RATIO_BOUND
        )
        go_process.stdin.close()
        go_process.wait()
        idle = status_times(server)
        busy, profiles = status_meanwhile(server)
        text = (
            f"/status, 99th percentile: {idle:.1f} ms at rest, with {profiles} thread "
            f"profiles meanwhile {busy:.1f} ms, under {STATUS_BOUND_MS:.0f} wanted"
        )
        if busy >= STATUS_BOUND_MS and idle >= STATUS_BOUND_MS / 2:
            print(f"threads: {text}: the machine is too busy to tell", flush=True)
        else:
            good &= verdict(text, busy < STATUS_BOUND_MS)
        server.stop(limit=30)
    return good


if __name__ == "__main__":
    bench.run(main)
