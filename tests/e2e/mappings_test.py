"""The profile of mappings by who made them: it adds up to what the kernel lists, line
by line and byte by byte, and however memory was mapped, moved and cut, each function
has what it has left."""

import collections
import glob
import os
import re

import pytest

from checks import check, equal, wait_until
from judged import jemalloc_path
from programs import compiled
from resource_profile import OWN, START, UNSEEN, ProtoProfile, TextProfile
from servers import Server
from waiting_program import WaitingProgram

pytestmark = pytest.mark.xdist_group("mappings")

QUIET = ("--heap", "off", "--only", "mapping_ways")
LEFT = re.compile(rb"^(\w+) ([\w ]+) (\d+)$", re.M)
SMALL_STACK = 256 * 1024
LATE = 3 << 20  # of each block of mapping_early.c
MANY = 10000
ARENA, LARGE = 64 << 20, 1 << 20  # of the C library's allocator, for each thread


def outside(pid):
    """How many mappings a process has, and of how many bytes."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        ends = [line.split()[0].split("-") for line in file]
    return len(ends), sum(int(end, 16) - int(start, 16) for start, end in ends)


def profile_of(program, pid=None):
    """The profile of a process that is at rest: what a first reply needs for good, is
    there when the next one is made."""

    def at_rest():
        before = outside(pid or program.pid)
        profile = ProtoProfile(program.get("/debug/pprof/mmaps", pid).body)
        page = program.get("/debug/pprof/mmaps?debug=1", pid).text
        check(not re.search(" $", page, re.M), "a line ends with a blank")
        text = TextProfile(page)
        after = outside(pid or program.pid)
        return (profile, text, after) if before == after else None

    profile, text, kernel = wait_until(at_rest, what="a process at rest")
    equal(profile.types, ("mappings", "space"), "types")
    equal(profile.totals(), kernel, "the profile's sums, and the kernel's")
    equal(text.total, kernel[0], "the text's sum")
    equal(text.values(), kernel, "sums of the text's values")
    return profile


def by_function(profile):
    """The bytes by function of the program and kind: the innermost one that is not a
    helper's; and what has no stack."""
    found = collections.Counter()
    for sample in profile.samples:
        frames = [frame for frame in sample.frames if frame.function != "move"]
        own = (f for f in frames if os.path.basename(f.file) == "mapping_ways.c")
        name = next(own, frames[0]).function
        found[name, sample.kind] += sample.values[1]
    return found


def left(program):
    """What the program says that each of its functions has left."""
    found = LEFT.findall(program.output())
    check(len(found) > 0, "the program says what it has left")
    return {
        (name.decode(), kind.decode()): int(size)
        for name, kind, size in found
        if int(size) > 0
    }


def check_left(found, expected):
    """Every function has what it has left, and no other one has anything."""
    for name, size in expected.items():
        equal(found[name], size, f"bytes of {name}")
    others = {name for name, _ in found} - {name for name, _ in expected}
    check(others <= {UNSEEN, OWN, START, "start_threads"}, f"there is also {others}")


def check_stacks(profile):
    """Two lines for each thread: its stack, and the guard below it."""
    stacks = [s for s in profile.samples if s.kind == "thread stack"]
    own = [s for s in stacks if s.frames[0].function == OWN]
    others = [s for s in stacks if s not in own]
    equal(sum(s.values[0] for s in own), 2, "mappings of the probe's thread")
    for sample in others:
        check("start_threads" in [f.function for f in sample.frames], f"{sample}")
    equal(sum(s.values[0] for s in others), 4, "mappings of two threads")
    size = sum(s.values[1] for s in others)
    check(2 * SMALL_STACK <= size <= 3 * SMALL_STACK, f"{size} bytes of two stacks")


def check_joined(profile):
    """A line of the kernel's that is of two makers counts for the one with more of it;
    what is below and above is a line of its own."""
    counts = {
        name: sum(s.values[0] for s in profile.samples if s.frames[0].function == name)
        for name in ("map_room", "map_first", "map_beside")
    }
    equal(counts, {"map_room": 2, "map_first": 0, "map_beside": 1}, "counts")


# An allocator in the place of the C library's.
ALLOCATORS = {
    "libc": lambda: None,
    "jemalloc": jemalloc_path,
    "tcmalloc": lambda: glob.glob("/usr/lib/*/libtcmalloc_minimal.so.4")[0],
}


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_each_way_is_blamed_on_its_function(allocator):
    """In the program and, without the threads, in a child that it forks; over any
    allocator, whose own mappings are the heap."""
    path = ALLOCATORS[allocator]()
    env = {"LD_PRELOAD": path} if path is not None else None
    command = [compiled("mapping_ways.c"), "fork"]
    with WaitingProgram(command, probe=QUIET, processes=2, env=env) as program:
        expected = left(program)
        parent, child = program.pids
        profile = profile_of(program, parent)
        check_left(by_function(profile), expected)
        check_stacks(profile)
        check_joined(profile)
        heap = sum(s.values[1] for s in profile.samples if s.kind == "heap")
        least = 3 * (ARENA + LARGE) if allocator == "libc" else LARGE
        check(heap >= least, f"{heap} bytes of heap")

        del expected["map_not_inherited", "anonymous"]
        check_left(by_function(profile_of(program, child)), expected)
        equal(program.finish(), 0, "exit status")


def test_libraries_that_the_probe_loads_are_its_own():
    """Those that read names are loaded with the first text."""
    with WaitingProgram([compiled("mapping_ways.c")], probe=QUIET) as program:
        program.get("/debug/pprof/threads?debug=1")
        with open(f"/proc/{program.pid}/maps", encoding="utf-8") as file:
            check("libdw" in file.read(), "libdw is there")
        text = program.get("/debug/pprof/mmaps?debug=1").text
        makers = {
            maker
            for kind, maker in re.findall(r'{"kind":"(\w+)"}\n#\t(.*)', text)
            if kind == "library"
        }
        equal(makers, {OWN, START}, "makers of libraries")
        equal(program.finish(), 0, "exit status")


def test_what_came_before_the_program_and_is_gone():
    """A library's constructor had a block where stacks and other blocks are now."""
    library = compiled(
        "mapping_early.c", "-shared", "-fPIC", target="libmapping_early.so"
    )
    program = compiled("mapping_early.c", "-DMAIN", library, target="mapping_early")
    with WaitingProgram([program], probe=QUIET[:2]) as running:
        makers = collections.Counter()
        for sample in profile_of(running).samples:
            names = {frame.function for frame in sample.frames}
            for name in names & {OWN, START, UNSEEN, "late_start"}:
                makers[sample.kind, name] += sample.values[1]
        size = makers["thread stack", "late_start"]
        check(size > 0, f"{size} bytes of stacks, in {makers}")
        size = makers["heap", UNSEEN]
        check(size >= 3 * LATE, f"{size} bytes of heap, in {makers}")
        for kind in ("thread stack", "heap"):
            equal(makers[kind, START], 0, f"{kind} from the start, in {makers}")
        equal(running.finish(), 0, "exit status")


def test_what_is_unmapped_is_gone():
    with WaitingProgram([compiled("mapping_ways.c"), "undone"], probe=QUIET) as program:
        found = by_function(profile_of(program))
        names = {name for name, _ in found}
        check(names <= {UNSEEN, OWN, START}, f"still there: {names}")
        equal(program.finish(), 0, "exit status")


def test_ten_thousand_mappings():
    """They are listed in a moment, and each once."""
    command = [compiled("mapping_ways.c"), "many", MANY]
    with WaitingProgram(command, probe=QUIET) as program:
        profile = profile_of(program)
        made = [s for s in profile.samples if s.frames[0].function == "map_many"]
        # Some are one with what is beside them.
        check(MANY - 9 <= sum(s.values[0] for s in made) <= MANY, f"{made}")
        check_left(by_function(profile), left(program))
        equal(program.finish(), 0, "exit status")


def test_the_servers_have_it_too():
    """The C library's stacks are blamed on who has started the threads."""
    with Server("leaky") as server:

        def at_rest():
            before = outside(server.pid)
            body = server.get("/debug/pprof/mmaps", debug=True).expect(200).body
            return ProtoProfile(body) if before == outside(server.pid) else None

        profile = wait_until(at_rest, what="a server at rest")
        equal(profile.totals(), outside(server.pid), "the profile's sums, the kernel's")
        stacks = [s for s in profile.samples if s.kind == "thread stack"]
        check(stacks, "there are stacks of threads")
        for sample in stacks:
            check(sample.frames[0].function != UNSEEN, f"{sample}")
        starts = [s for s in profile.samples if s.frames[0].function == START]
        start = sum(s.values[0] for s in starts)
        check(start > 100, f"{start} mappings came with the program")
