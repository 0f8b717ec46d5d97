"""Mappings and children in /status and /metrics: the kernel's own numbers, null where
there is none to be had, and what counting them costs."""

import contextlib
import glob
import http.client
import json
import os
import time

import pytest

from checks import check, equal, wait_until
from metrics import parse_metrics
from programs import Program
from servers import Server

THREADS_MOST = 250  # with more threads, children are not counted
OWN = 8  # mappings that leakprobe's listener makes for a request
OWN_OF_SERVER = 1  # its reply's buffer; often the kernel merges it with its neighbour
REUSED_S = 0.011  # figures are reused for 10 ms

# Children of two threads, of which two have ended and nobody has waited for them, and
# some mappings. A line of input, and they are waited for.
FAMILY = r"""
import mmap, os, sys, threading, time
def child(ends):
    pid = os.fork()
    if pid == 0:
        if not ends:
            time.sleep(1000)
        os._exit(0)
    return pid
pids = [child(ends) for ends in (True, True, False)]
def other():
    pids.extend((child(False), child(False)))
    time.sleep(1000)
threading.Thread(target=other, daemon=True).start()
maps = [mmap.mmap(-1, 4096, prot=mmap.PROT_READ | (i % 2 * mmap.PROT_WRITE)) for i in range(300)]
while len(pids) < 5:
    time.sleep(0.01)
print("made", flush=True)
sys.stdin.readline()
for pid in pids:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
print("waited", flush=True)
time.sleep(1000)
"""


def by_kernel(pid):
    """Mappings and children, by /proc."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        mappings = sum(1 for _ in file)
    children = 0
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with open(path, encoding="ascii") as file:
            children += len(file.read().split())
    return mappings, children


def same_as_kernel(pid, port, own):
    """Waits until /status and /metrics have the kernel's numbers, which are returned: in a
    moment in which nothing changes, they have. One connection asks for all of it: a new
    one would bring mappings, too. The request itself may take `own` ones for a moment."""
    names, allowed = ("mappings", "children"), (own, 0)
    seen = []
    client = http.client.HTTPConnection("127.0.0.1", port)

    def ask(path):
        client.request("GET", path)
        reply = client.getresponse()
        body = reply.read().decode("ascii")
        equal(reply.status, 200, path)
        return body

    def agree():
        ask("/healthz")
        before = by_kernel(pid)
        time.sleep(REUSED_S)
        said = json.loads(ask("/status"))
        metrics = parse_metrics(ask("/metrics"))
        after = by_kernel(pid)
        values = [(said[name], metrics[f"leakprobe_{name}"].value) for name in names]
        seen.append((before, after, values))
        agreed = all(
            0 <= value - number <= more
            for number, more, pair in zip(before, allowed, values)
            for value in pair
        )
        return agreed and before == after and before

    try:
        with contextlib.closing(client):
            return wait_until(agree)
    except AssertionError as error:
        message = f"/proc before, after, and what is said: {seen[-3:]}"
        raise AssertionError(message) from error


def of_server(server):
    return same_as_kernel(server.pid, server.debug_port, OWN_OF_SERVER)


def test_server_has_the_kernels_numbers():
    """A server's one child is its upstream; stuck threads bring mappings, their stacks."""
    with Server("leaky") as server:
        mappings, children = of_server(server)
        equal(children, 1, "the upstream")
        server.leak("thread-wait", count=20)
        more, children = of_server(server)
        equal(children, 1, "the upstream")
        check(more >= mappings + 20, f"{more} mappings after {mappings}")
    with Server("leaky", "--upstream", "http://127.0.0.1:9") as server:
        equal(of_server(server)[1], 0, "children without an upstream")


def test_program_has_the_kernels_numbers(tmp_path):
    """Children of two threads, living and ended ones, under leakprobe; none when they
    were waited for."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with open(os.open(pipe, os.O_RDWR), "wb", buffering=0) as lines:
        command = ["/usr/bin/python3", "-B", "-c", FAMILY]
        with Program(command, probe=(), stdin=lines) as program:
            program.await_(lambda: b"made" in program.output(), "its children")
            port = program.debug_port()
            mappings, children = same_as_kernel(program.pid, port, OWN)
            equal(children, 5, "children")
            check(mappings > 300, f"{mappings} mappings")
            lines.write(b"\n")
            program.await_(lambda: b"waited" in program.output(), "their end")
            equal(same_as_kernel(program.pid, port, OWN)[1], 0, "children that were waited for")


def crowd(server):
    """The server with more threads than those of which children are counted, and the
    best of 20 times that /status takes in which all figures are read anew."""
    server.leak("thread-wait", count=THREADS_MOST)
    wait_until(lambda: server.status()["threads"] > THREADS_MOST, what="the threads")
    times = []
    for _ in range(20):
        time.sleep(REUSED_S)
        begin = time.monotonic()
        status = server.status()
        times.append(time.monotonic() - begin)
    return status, min(times)


@pytest.mark.parametrize("upstream", [False, True])
def test_many_threads_are_not_asked_one_by_one(upstream):
    """With more than 250 threads and a child the children are null, and absent in
    /metrics, because each thread would have to be asked; without a child they are 0. On a
    busy machine /status may take longer: the best of 20 is within 10 ms."""
    options = () if upstream else ("--upstream", "http://127.0.0.1:9")
    with Server("leaky", *options) as server:
        status, best = crowd(server)
        print(f"# {best * 1e6:.0f} us, {status['mappings']} mappings")
        equal(status["children"], None if upstream else 0, "children")
        check(status["mappings"] > THREADS_MOST, f"{status['mappings']} mappings")
        metrics = parse_metrics(server.get("/metrics", debug=True).text)
        equal("leakprobe_children" in metrics, not upstream, "is it there?")
        check(best < 0.01, f"/status takes {best} s at best")
