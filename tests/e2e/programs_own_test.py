"""Small programs that do under leakprobe what is hard for a library that was put into
them: exceptions, libraries that come and go, children of every kind, and what daemons do."""

import os
import re
import signal

import pytest

from checks import check, equal, wait_until
from processes import ended
from programs import Program, compiled, ran, same_under_leakprobe
from raw_profile import function_sums

IS_ROOT = os.geteuid() == 0


def waiting(command, said, probe=None, **options):
    """A program that has printed `said`, and now waits for the end of its input; returns
    it with the end of the pipe that keeps it waiting."""
    reader, writer = os.pipe()
    try:
        program = Program(command, probe=probe, stdin=reader, **options)
    finally:
        os.close(reader)
    program.await_(lambda: said in program.output(), f"{said!r}")
    return program, os.fdopen(writer, "wb")


def finished(program, writer):
    """Ends the input of a program; returns its exit status and its output."""
    writer.close()
    return program.end(sign=None), program.output()


def in_use(program, pid=None):
    """The bytes in use of each function and what it called, and the blocks."""
    sums = function_sums(program.get("/debug/pprof/heap", pid).body)
    return sums["inuse_space"]["all"], sums["inuse_objects"]["all"]


def both_runs(command, said, probe_checks):
    """Runs a program that waits, bare and under leakprobe: both must end alike.
    `probe_checks` is called while it waits under leakprobe."""
    bare, writer = waiting(command, said)
    with bare:
        expected = finished(bare, writer)
    program, writer = waiting(command, said, probe=())
    with program:
        probe_checks(program)
        equal(finished(program, writer), expected, "exit status and output")
    return expected


def test_exceptions_in_four_threads():
    """Each is caught, every destructor runs, and what was kept is in the profile."""

    def check_kept(program):
        sizes, blocks = in_use(program)
        kept = [name for name in sizes if "keep_string" in name]
        equal(len(kept), 1, f"names of keep_string in {sorted(sizes)}")
        # Two blocks for each of 800 strings, of 32 and 501 bytes; and the vectors.
        check(1600 <= blocks[kept[0]] <= 1604, f"{blocks[kept[0]]} blocks")
        least = 800 * (32 + 501)
        check(least <= sizes[kept[0]] <= least + 16 * 1024, f"{sizes[kept[0]]} bytes")

    expected = both_runs([compiled("exceptions.cc")], b"caught", check_kept)
    equal(expected, (6, b"caught 8000 ended 72000\n"), "status and output")


def test_library_that_is_opened_and_closed_200_times():
    """What it gave back is not in the profile; what it kept is, for the program's function
    that had it do so, although the library is gone."""
    library = compiled("plugin.c", "-shared", "-fPIC")
    command = [compiled("plugins.c"), library, "4321"]

    def check_kept(program):
        sizes, blocks = in_use(program)
        # The loader keeps a little for itself.
        check(100 <= blocks["plugin_use"] <= 120, f"{blocks['plugin_use']} blocks")
        check(
            0 <= sizes["plugin_use"] - 432100 <= 64 * 1024,
            f"{sizes['plugin_use']} bytes",
        )

    equal(
        both_runs(command, b"kept", check_kept), (5, b"kept 100\n"), "status and output"
    )


def test_children_of_every_kind_while_threads_allocate():
    """100 each by fork, vfork and exec, posix_spawn, and popen: all come back."""
    bare, _ = same_under_leakprobe([compiled("children.c")])
    forks = sum(number % 7 for number in range(100))
    line = f"fork {forks} vfork 300 posix_spawn 400 popen 1100\n"
    equal(bare, (9, line.encode(), ""), "status, output, error lines")


@pytest.mark.parametrize("option", ("off", "on"))
def test_children_are_followed_or_not(option):
    """--follow-fork says whether a forked child may have a port of its own."""
    command = [compiled("children.c")]
    status, _, errors, said = ran(
        command, probe=("--port", "0", "--follow-fork", option)
    )
    equal((status, errors), (9, ""), "status and error lines")
    check(len(said) >= 1, f"leakprobe said {said}")
    if option == "off":
        equal(len(said), 1, f"processes with a port: {said}")


def test_exported_names_of_the_program_are_not_called():
    """It exports functions that are named as the probe's libraries' or as its own."""

    def check_pages(program):
        _, blocks = in_use(program)
        equal(blocks["keep"], 50, "blocks of keep")
        names = program.functions("goroutine")
        check("main" in names, f"names of its threads: {names}")
        for page in ("/", "/status", "/metrics", "/debug/pprof/"):
            program.get(page)

    command = [compiled("exports.c", "-rdynamic")]
    equal(
        both_runs(command, b"ready", check_pages), (4, b"ready\n"), "status and output"
    )


def stayed(mode, probe=None):
    """A program that has done what daemons do; and the process that is ready."""
    program = Program([compiled("stays.c"), mode], probe=probe)
    ready = wait_until(
        lambda: re.search(rb"ready (\d+)\n", program.output()), what="ready"
    )
    return program, int(ready[1])


def end_of(program, pid):
    """Ends the process that stays, and returns the status of the one that was started."""
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: ended(pid), what="its end")
    return program.end(sign=None)


ROOTS = ("chroot", "user")
MODES = ("", "daemon", "closefrom", "close", "blocked", "handlers") + (
    ROOTS if IS_ROOT else ()
)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode or "plain")
def test_debug_port_outlives_what_daemons_do(mode):
    """The process that stays has a debug port, with what it has kept in the profile and
    its wait in the threads'."""
    bare, pid = stayed(mode)
    with bare:
        expected = end_of(bare, pid)
    program, pid = stayed(mode, probe=())
    with program:
        check((pid != program.pid) == (mode == "daemon"), f"{pid} of {program.pid}")
        for _ in range(3):
            sizes, blocks = in_use(program, pid)
            equal((sizes["keep_block"], blocks["keep_block"]), (100000, 100), "kept")
            names = program.functions("goroutine", pid)
            check("main" in names, f"names of its threads: {names}")
        equal(end_of(program, pid), expected, "exit status")
    equal(expected, 0 if mode == "daemon" else 7, "exit status")


def state(pid):
    """What a process does, as a letter: S if it waits."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_wrapper_is_left_alone_when_others_are_named():
    """`--only` names the program that a wrapper such as timeout starts: that one has the
    port, and the wrapper's status is as without leakprobe."""
    command = ["timeout", "60", compiled("stays.c")]
    statuses = []
    for probe in (None, ("--only", "stays")):
        program = Program(command, probe=probe)
        with program:
            ready = rb"ready (\d+)\n"
            found = program.await_(lambda: re.search(ready, program.output()), "ready")
            if probe:
                names = [(name, pid) for name, pid, _ in program.announced()]
                equal(names, [("stays", int(found[1]))], "announced")
                equal(in_use(program, int(found[1]))[1]["keep_block"], 100, "blocks")
            # Until it waits, timeout may not know its child yet, and ends at once.
            program.await_(lambda: state(program.pid) == "S", "wait of timeout")
            statuses.append(program.end(signal.SIGTERM))
    equal(statuses[1], statuses[0], "exit status")
