"""Debian's servers under leakprobe: they answer as they do bare, end with the same status,
and have a profile that names functions."""

import os
import re
import signal

import pytest

from checks import check, equal, wait_until
from commands import run
from processes import descendants, ended
from programs import Program, alike, free_port, listens
from server_programs import ALWAYS, IN_TURN, NginxFamily
from tree import scratch
from turns import in_turns

KINDS = [pytest.param(kind, id=kind.name) for kind in ALWAYS]
KINDS += [
    pytest.param(*each.values, id=each.values[0].name, marks=each.marks)
    for each in in_turns("programs of servers", IN_TURN)
]


def started(kind, probe=None):
    """A server that accepts connections; returns it with its port."""
    port, directory = free_port(), scratch()
    command = kind.command(directory, port)
    server = Program(command, probe=probe, env=kind.environment(), cwd=directory)
    server.await_(lambda: listens(port), "first connection")
    return server, port


def end(server, port, sign):
    """Ends a server by a signal, and checks that nothing of it is left; returns its exit
    status."""
    children = descendants({server.pid})
    status = server.end(sign)
    wait_until(lambda: all(map(ended, children)), what="the end of its children")
    check(not listens(port), f"somebody still listens on {port}")
    return status


def worked(kind, sign, probe=None):
    """What a client got from a server, which was then sent the signal; and the server's
    exit status."""
    server, port = started(kind, probe)
    with server:
        return kind.work(port), end(server, port, sign)


def check_names(kind, server, pid):
    """The profiles of a process name functions, and `go tool pprof` reads them."""
    pattern, least = kind.heap
    heap = server.functions("heap", pid)
    found = [name for name in heap if re.search(pattern, name)]
    check(
        len(found) >= least,
        f"{len(found)} of {least} names in the heap: {sorted(heap)}",
    )
    threads = server.functions("goroutine", pid)
    check(any(re.search(kind.threads, name) for name in threads), f"threads: {threads}")
    url = f"http://127.0.0.1:{server.debug_port(pid)}/debug/pprof/heap"
    top = run("go", "tool", "pprof", "-top", "-sample_index=alloc_space", url).stdout
    check(any(name in top for name in found), f"{found} not in {top}")


@pytest.mark.parametrize("kind", KINDS)
def test_server_answers_as_without_leakprobe(kind):
    """The same replies, before and after profiles are taken; the profiles name functions
    of the server or of its libraries. SIGTERM ends it with the same status."""
    expected, status = worked(kind, signal.SIGTERM)
    check(all(expected), f"the client got nothing: {expected}")
    server, port = started(kind, probe=())
    with server:
        alike(kind.work(port), expected, "replies")
        equal(server.announced()[0][:2], (kind.name, server.pid), "announced")
        # Apache's child does its work.
        children = descendants({server.pid}) if kind.name == "apache2" else set()
        for pid in {server.pid} | children:
            check_names(kind, server, pid)
        alike(kind.work(port), expected, "replies after the profiles")
        equal(end(server, port, signal.SIGTERM), status, "status after SIGTERM")


@pytest.mark.parametrize("kind", KINDS)
def test_server_ends_by_an_interrupt_with_the_same_status(kind):
    """SIGINT, as from a terminal."""
    expected = worked(kind, signal.SIGINT)
    alike(worked(kind, signal.SIGINT, probe=()), expected, "replies and status")


def workers(server, port, without=()):
    """The two workers that answer, each with a debug port of its own."""

    def both():
        NginxFamily.worker(port)
        running = descendants({server.pid})
        announced = {pid for _, pid, _ in server.announced()}
        found = sorted(running & announced - set(without))
        return found if len(found) == 2 else None

    return server.await_(both, "two workers with a debug port")


def check_family(server, pids, gone=()):
    """The index page of each process lists the others' ports, and not those of any that
    has ended."""
    ports = {pid: server.debug_port(pid) for pid in pids}
    equal(len(set(ports.values())), len(pids), f"different ports: {ports}")
    for pid in pids:
        page = server.get("/debug/pprof/", pid).text
        for member, port in ports.items():
            listed = member == pid or f":{port}" in page
            check(listed, f"{pid}: no {member} on port {port}: {page}")
        for member in gone:
            port = server.debug_port(member)
            check(
                f":{port}" not in page, f"{pid} lists {member}, which has ended: {page}"
            )


def test_each_worker_of_nginx_has_a_debug_port():
    """A worker is killed, and the master starts another; each has a port of its own, and
    every index page lists the family. Then all end with the status as without leakprobe.
    """
    kind = NginxFamily()
    server, port = started(kind, probe=())
    with server:
        first = workers(server, port)
        check_family(server, [server.pid, *first])
        check_names(kind, server, first[0])
        killed = NginxFamily.worker(port)
        check(killed in first, f"{killed} answered, and is not among {first}")
        os.kill(killed, signal.SIGKILL)
        server.await_(lambda: ended(killed), "end of the killed worker")
        second = workers(server, port, without={killed})
        check_family(server, [server.pid, *second], gone=[killed])
        check(NginxFamily.worker(port) in second, "nobody answers")
        status = end(server, port, signal.SIGTERM)
    equal(status, worked(kind, signal.SIGTERM)[1], "status")
