"""Calls that come out as they do without the probe: on small stacks, under locks that are
taken around every fork, while a thread is cancelled, and in what is filtered or killed."""

import os
import socket

import pytest

from checks import check, equal, wait_until
from programs import Program, compiled, free_port, ran, same_under_leakprobe
from programs_edge_test import ended, waiting


@pytest.mark.parametrize("heap", ("exact", "off"))
def test_fork_while_a_thread_works_under_a_librarys_lock(heap):
    """The library takes that lock around every fork, and before the probe's own."""
    status, output, errors, _ = ran(
        [compiled("fork_held.c")], probe=("--port", "0", "--heap", heap), limit=30
    )
    equal((status, output, errors), (0, b"ended 300\n", ""), "status, output, errors")


def test_programs_are_executed_on_small_stacks():
    bare, _ = same_under_leakprobe([compiled("small_stacks.c")])
    expected = b"clone 300 300 thread 300 handler 300\n"
    equal(bare, (0, expected, ""), "status, output, error lines")


def test_posix_spawn_is_no_cancellation_point():
    bare, _ = same_under_leakprobe([compiled("edges.c"), "spawn"])
    equal(bare, (0, b"steps 2\n", ""), "status, output, error lines")


def refuses(port):
    """A port that nobody serves may still take connections, for some time."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return False
    except ConnectionRefusedError:
        return True


def aside(*arguments, **options):
    """The program has told the probe to stand aside, and its port is closed."""
    port = free_port()
    program, writer = waiting(*arguments, probe=("--port", port), **options)
    with program:
        wait_until(lambda: "stands aside" in program.errors(), what="the probe stands aside")
        check(refuses(port), "the port is open")
        return ended(program, writer)


def test_system_calls_filtered_by_number():
    """syscall(2) filters the calls of all threads at once, the probe's among them."""
    equal(aside("number", source="filtered.c"), 4, "exit status")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can unshare numbers")
def test_port_that_nobody_can_serve_is_closed():
    equal(aside("newpid"), 9, "exit status")


def test_child_of_vfork_that_is_killed_in_a_wait():
    """The wait was the child's: its parent, on whose stack it was, works."""
    with Program([compiled("edges.c"), "killed"], probe=()) as program:
        wait_until(
            lambda: "spin" in program.functions("goroutine"), what="the parent's thread"
        )
        names = program.functions("goroutine")
        check("die_waiting" not in names, f"names of its threads: {names}")


def test_jumps_out_of_the_probe_are_counted():
    """What the thread allocates afterwards is missing, and the heap's profile says so."""
    program, writer = waiting(source="jumps_out.c", probe=("--heap", "exact"))
    with program:
        text = program.get("/debug/pprof/heap?debug=1").text
        check("blocks were not noted" in text, text[:500])
        equal(ended(program, writer), 0, "exit status")
