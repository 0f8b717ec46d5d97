"""/debug/pprof/lost on small programs with known answers: what is lost is, to the byte,
and nothing else is."""

import concurrent.futures
import os

import pytest

import lost_programs
from checks import check, equal
from judged import jemalloc_path
from programs import Program
from reach_sums import reach_sums
from turns import in_turns

AT_ONCE = 6


def check_sums(text, lost):
    """The line of sums has the sum of the reply's stacks."""
    own = [sum(column) for column in zip(*lost.values())] or [0, 0]
    equal(reach_sums(text).lost, tuple(own[:2]), "lost in all, and in the stacks")


def child_of(program):
    """The process that the program has forked, when it has a debug port."""

    def pids():
        return [pid for _, pid, _ in program.announced() if pid != program.pid]

    return program.await_(pids, "debug port of the child")[0]


def differences(case, env):
    """Runs a case under leakprobe; returns what is wrong with the answers, if anything."""
    reader, writer = os.pipe()
    program = Program([case.program, case.name], probe=(), stdin=reader, env=env)
    os.close(reader)
    with program, os.fdopen(writer, "wb") as kept_open:
        program.await_(lambda: b"ready" in program.output(), "ready")
        pid = child_of(program) if case.name == "fork-child" else None
        heap = program.get("/debug/pprof/heap?debug=1", pid).text
        text = program.get("/debug/pprof/lost?debug=1", pid).text
        lost = lost_programs.amounts(text)
        check_sums(text, lost)
        in_use = lost_programs.amounts(heap)
        kept_open.close()
        equal(program.end(sign=None), 0, "exit status")
    wrong = []
    if lost != case.lost:
        wrong.append(f"lost {lost}, expected {case.lost}")
    for function, amount in case.kept.items():
        gone = lost.get(function, (0, 0))
        had = in_use.get(function, (0, 0))
        rest = (had[0] - gone[0], had[1] - gone[1])
        if rest != amount[:2]:
            wrong.append(f"of {function} {rest} is kept, expected {amount[:2]}")
    return wrong


def check_all(cases, env=None):
    """Runs them, some at a time, and shows everything that is wrong."""

    def one(case):
        try:
            return differences(case, env)
        except AssertionError as failed:
            return [str(failed)]

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        wrong = dict(zip((case.name for case in cases), pool.map(one, cases)))
    wrong = [f"{name}: {text}" for name, texts in wrong.items() for text in texts]
    check(not wrong, "\n".join(wrong))


@pytest.mark.parametrize("build", in_turns("lost programs", lost_programs.BUILDS))
def test_what_is_lost(build):
    cases = lost_programs.cases(lost_programs.built(build))
    check(len(cases) >= 60, f"{len(cases)} cases")
    check_all(cases)


@pytest.mark.parametrize(
    "allocator",
    in_turns("lost allocators", ("jemalloc", "tcmalloc", "tcmalloc_minimal")),
)
def test_what_is_lost_with_another_allocator(allocator):
    """The same answers: what an allocator knows of its blocks does not hold them."""
    cases = lost_programs.cases(lost_programs.built("gcc-2"))
    path = jemalloc_path() if allocator == "jemalloc" else f"lib{allocator}.so.4"
    check_all(cases, {"LD_PRELOAD": path})
