"""The profile of threads by who started them: the living ones are the kernel's, the ended
ones are those that nobody joined or detached, however they were made and have ended."""

import os
import re

import pytest

from checks import check, equal
from http_request import request
from programs import FRAME, PROBE, compiled, probed, same_under_leakprobe
from resource_profile import OWN, START, UNSEEN, ProtoProfile, Sample, TextProfile
from scenarios import scenario_names
from servers import Server
from tree import ROOT
from waiting_program import WaitingProgram

pytestmark = pytest.mark.xdist_group("threadcreate")

QUIET = ("--heap", "off")
# What tests/programs/thread_ways.c leaves, by the function that made it: living, ended.
LEFT = {
    "stays_joinable": (3, 0),
    "stays_made_detached": (2, 0),
    "stays_detached": (2, 0),
    "stays_detached_itself": (2, 0),
    "stays_c11": (2, 0),
    "ended_by_return": (0, 4),
    "ended_by_exit": (0, 3),
    "ended_cancelled": (0, 2),
    "ended_c11": (0, 2),
    "ended_too_late": (0, 1),
    UNSEEN: (1, 0),  # the C library's own thread for a timer
}
ALWAYS = {OWN: (1, 0), START: (1, 0)}
EXAMPLE = re.compile(
    r"#\tthread (\d+)(?: \"(.*)\", for [\d.]+ s"
    r"|, ended, its stack keeps (\d+) KiB mapped)$",
    re.M,
)
SHOWN = 10  # of each group
# The functions with which its threads begin that allocate.
BEGINNINGS = {"stay", "detach_and_stay", "stay_c11"}


@pytest.fixture(name="ways", scope="module")
def started():
    """The program, after it has made all its threads, and its child."""
    command = [compiled("thread_ways.c"), "fork"]
    with WaitingProgram(command, probe=QUIET, processes=2) as program:
        yield program


def profile_of(program, pid=None):
    profile = ProtoProfile(program.get("/debug/pprof/threadcreate", pid).body)
    equal(profile.types, ("threads", "ended"), "types")
    return profile


def by_maker(profile, file, helpers=()):
    """The values by the function in this file that has made them, but for its helpers; or
    by what stands in place of a stack."""
    found = {}
    for sample in profile.samples:
        frames = [frame for frame in sample.frames if frame.function not in helpers]
        maker = Sample(frames, sample.values, sample.kind).maker(file)
        check(maker, f"nobody in {file} has made {sample}")
        equal(sample.kind, "ended" if sample.values[1] else "living", f"{sample}")
        last = found.get(maker.function, (0, 0))
        found[maker.function] = tuple(map(sum, zip(last, sample.values)))
    return found


def without_stack(profile, name):
    """The living threads that have this name in place of a stack."""
    return sum(
        sample.values[0]
        for sample in profile.samples
        if [frame.function for frame in sample.frames] == [name]
    )


def kernel_threads(pid):
    return set(map(int, os.listdir(f"/proc/{pid}/task")))


def examples(text):
    """The threads that a text names: {tid: its name}, and {tid: KiB of its stack}."""
    found = EXAMPLE.findall(text)
    living = {int(tid): name for tid, name, kept in found if not kept}
    return living, {int(tid): int(kept) for tid, _, kept in found if kept}


def test_every_way_to_make_and_end_a_thread(ways):
    """Each stands by the function that made it, if it is there or was not joined."""
    profile = profile_of(ways)
    equal(by_maker(profile, "thread_ways.c"), LEFT | ALWAYS, "threads by maker")
    equal(profile.totals()[0], len(kernel_threads(ways.pid)), "living threads")
    ended = sum(values[1] for values in LEFT.values())
    check(
        f"{ended} more have ended and were never joined" in profile.comment,
        profile.comment,
    )


def test_the_text_names_each_thread(ways):
    """The living ones are those of /proc; of each ended one the stack is mapped."""
    page = ways.get("/debug/pprof/threadcreate?debug=1").text
    text = TextProfile(page)
    equal(text.values(), profile_of(ways).totals(), "values")
    check(max(count for count, _ in text.groups) <= SHOWN, "some are not shown")
    living, ended = examples(page)
    equal(set(living), kernel_threads(ways.pid), "living threads")
    equal(set(living.values()), {"thread_ways", "leakprobe"}, "names")
    check(not kernel_threads(ways.pid) & set(ended), f"ended, but there: {ended}")
    equal(set(ended.values()), {8192}, "KiB of the stacks that stay mapped")


def test_older_leaves_out_the_young(ways):
    """What has no age stays: the main thread, the probe's, and those made unseen."""
    page = ways.get("/debug/pprof/threadcreate?debug=1&older=86400").text
    equal(TextProfile(page).total, 3, "threads older than a day")


def test_a_forked_child_has_its_own_threads_alone(ways):
    """Those of its parent are not there, and nobody has to join them."""
    child = ways.pids[1]
    profile = profile_of(ways, child)
    expected = {"stays_joinable": (2, 0), "ended_by_return": (0, 1)}
    equal(by_maker(profile, "thread_ways.c"), expected | ALWAYS, "threads of the child")
    equal(profile.totals()[0], len(kernel_threads(child)), "living threads")


def test_threads_of_cpp():
    """std::thread and std::async go through pthread_create."""
    with WaitingProgram([compiled("cpp_threads.cc")], probe=QUIET) as program:
        profile = profile_of(program)
        equal(profile.totals(), (len(kernel_threads(program.pid)), 0), "threads")
        for name, count in (("stays_detached", 1), ("stays_kept", 2)):
            # The compiler has put a function of a header into it: it has its line.
            found = [
                sample.values[0]
                for sample in profile.samples
                if name in {frame.function for frame in sample.frames}
            ]
            equal(sum(found), count, f"threads of {name}")
        equal(without_stack(profile, UNSEEN), 0, "made unseen")
        equal(program.finish(), 0, "exit status")


NUMBERS_CHOSEN = {
    "ended_first": (0, 1),
    "stays_with_its_number": (1, 0),
    "ended_second": (0, 1),
    UNSEEN: (1, 0),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may choose numbers of threads")
def test_a_number_that_the_kernel_gives_again():
    """A thread that has ended stays ended, and is not taken for the living one."""
    alone = ("unshare", "--pid", "--fork", "--mount-proc")
    command = probed([compiled("thread_numbers.c")], *PROBE, *QUIET)
    with WaitingProgram([*alone, *command]) as program:
        profile = profile_of(program, pid=program.pids[1])
        got = by_maker(profile, "thread_numbers.c", helpers={"start"})
        equal(got, NUMBERS_CHOSEN | ALWAYS, "threads by maker")
        equal(program.finish(), 0, "exit status")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a pid namespace")
def test_the_proc_of_another_namespace():
    """It has other numbers: nothing is said of threads and children."""
    command = probed([compiled("thread_ways.c")], *PROBE)
    with WaitingProgram(["unshare", "--pid", "--fork", *command]) as program:
        inner = program.pids[1]
        for page in ("threadcreate", "children", "goroutine", "lost"):
            answer = request(program.debug_port(inner), "GET", f"/debug/pprof/{page}")
            error = answer.expect(501).json()["error"]
            equal(error["code"], "not_listed", f"{page}: {error}")
            check("pid namespace" in error["message"], error)
        check(program.get("/debug/pprof/fds", inner).body, "descriptors")
        equal(program.finish(), 0, "exit status")


# -- stacks of threads -----------------------------------------------------------------


def stacks(program):
    """The functions on the stack of each thread but the probe's, the innermost first."""
    text = program.get("/debug/pprof/goroutine?debug=2").text
    blocks = [
        block
        for block in text.split("\n\n")
        if block.startswith("thread ") and '"leakprobe"' not in block
    ]
    return sorted(FRAME.findall(block) for block in blocks)


def beginnings(text):
    """The functions that the C library calls in a new thread, on the stacks in a profile
    as text."""
    names = FRAME.findall(text)
    return {name for name, after in zip(names, names[1:]) if after == "start_thread"}


def test_no_thread_has_a_frame_of_the_probe():
    """Whether threads are noted or not, their stacks are the same: as they wait, and as
    they allocate."""
    command = [compiled("thread_ways.c")]
    with (
        WaitingProgram(command, probe=()) as noted,
        WaitingProgram(command, probe=("--resources", "off")) as other,
    ):
        got = stacks(noted)
        equal(len(got), 13, "threads")
        equal(got, stacks(other), "stacks")
        for program in (noted, other):
            heap = program.get("/debug/pprof/heap?debug=1").text
            equal(beginnings(heap), BEGINNINGS, "functions that begin a thread")
        equal([noted.finish(), other.finish()], [0, 0], "exit statuses")


def test_threads_that_are_cancelled_in_a_signal_handler():
    """Wherever a handler in them is, also in the probe: no lock of the probe's stays
    taken, and the thread has the result that it has without the probe."""
    command = [compiled("cancelled_handlers.c")]
    (status, output, _), _ = same_under_leakprobe(command, *QUIET)
    equal((status, output), (0, b"1000 cancelled\n"), "exit status and output")


# -- the servers -----------------------------------------------------------------------


def line_of(file, line):
    with open(os.path.join(ROOT, file), encoding="utf-8") as source:
        return source.read().splitlines()[line - 1].strip()


def test_each_scenario_that_leaves_threads_names_its_line():
    """All of what a call leaves is at the line where the scenario starts its thread."""
    calls = 3
    with Server("leaky") as server:
        scenarios = {each["name"]: each for each in server.scenarios()}
        equal(sorted(scenarios), sorted(scenario_names()), "scenarios")
        leaves = {
            name: each["leaves"]["threads"] * calls
            for name, each in scenarios.items()
            if each["leaves"]["threads"]
        }
        check(len(leaves) >= 9, f"few scenarios leave threads: {leaves}")
        for name in leaves:
            server.leak(name, count=calls)
        before = profile_of_server(server)
        found = {name: 0 for name in leaves}
        for sample in before.samples:
            for name in leaves:
                maker = sample.maker(f"{name.replace('-', '_')}.c")
                if maker and maker.line:
                    found[name] += sample.values[0]
                    line = line_of(maker.file, maker.line)
                    check("pthread_create(" in line, f"{name}: {maker}: {line}")
        equal(found, leaves, "threads by scenario")
        text = server.get("/debug/pprof/goroutine?debug=1", debug=True).expect(200).text
        begun = beginnings(text)
        check("order_main" in begun and "begin" not in begun, f"threads begin in {begun}")
        equal(without_stack(before, UNSEEN), 0, "made unseen")
        equal(before.totals(), (server.sample()["threads"], 0), "threads")


def profile_of_server(server):
    reply = server.get("/debug/pprof/threadcreate", debug=True).expect(200)
    return ProtoProfile(reply.body)


def test_the_servers_own_threads_are_named():
    """Civetweb's, the ticker's and all others, by the stack that started them."""
    with Server("fixed") as server:
        profile = profile_of_server(server)
        equal(without_stack(profile, UNSEEN), 0, "made unseen")
        equal(without_stack(profile, START), 1, "the main thread")
        equal(profile.totals(), (server.sample()["threads"], 0), "threads")
        text = server.get("/debug/pprof/threadcreate?debug=1", debug=True).expect(200).text
        names = set(examples(text)[0].values())
        check({"http-worker", "debug-worker", "ticker", "signals"} <= names, f"{names}")
