"""The profile of children by who made them: it adds up to what the kernel lists, and
however a child was made, and waited for, its function has what it has left. What the
child of vfork does is not its parent's."""

import collections
import os
import re

import pytest

from checks import check, equal
from programs import compiled
from resource_profile import OWN, START, UNSEEN, ProtoProfile, TextProfile
from servers import Server
from waiting_program import WaitingProgram

pytestmark = pytest.mark.xdist_group("children")

QUIET = ("--heap", "off", "--only", "child_ways", "--only", "vfork_ways")
SOURCES = {"child_doubts.c", "child_ways.c", "vfork_ways.c"}
LEFT = re.compile(rb"^(\w+) (\d+) (\d+)$", re.M)
EXAMPLE = re.compile(r'#\t(\d+) "(.*)" ?(.*), (?:not waited for|[\d.]+ s old)$', re.M)


def kernel_children(pid):
    """The children of all threads, and those of them that have ended."""
    tasks = f"/proc/{pid}/task"
    children = []
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/children", encoding="ascii") as file:
            children += map(int, file.read().split())
    ended = set()
    for child in children:
        with open(f"/proc/{child}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
            if fields[0] == "Z" and int(fields[17]) == 1:
                ended.add(child)
    return set(children), ended


def maker_of(sample):
    """The innermost frame in one of the programs."""
    return next(filter(None, map(sample.maker, SOURCES)), None)


def by_function(profile):
    """The values by function of the program, or by what has no stack."""
    found = collections.defaultdict(lambda: (0, 0))
    for sample in profile.samples:
        maker = maker_of(sample)
        check(maker, f"nobody has made {sample}")
        equal(sample.kind, "ended" if sample.values[1] else "living", f"{sample}")
        last = found[maker.function]
        found[maker.function] = tuple(map(sum, zip(last, sample.values)))
    return found


def profiles_of(program):
    """Both forms of the profile, which must agree with the kernel."""
    profile = ProtoProfile(program.get("/debug/pprof/children").body)
    text = program.get("/debug/pprof/children?debug=1").text
    children, ended = kernel_children(program.pid)
    equal(profile.types, ("children", "ended"), "types")
    equal(profile.totals(), (len(children), len(ended)), "the sums, and the kernel's")
    equal(TextProfile(text).total, len(children), "the text's sum")
    for number, _, end in EXAMPLE.findall(text):
        check(int(number) in children, f"{number} is no child")
        equal(bool(end), int(number) in ended, f"whether {number} has ended")
    return profile, text


def check_left(program, profile):
    """Each function has as many living and ended children as the program says."""
    found = by_function(profile)
    expected = LEFT.findall(program.output())
    check(expected, "the program says what it has left")
    for name, living, ended in expected:
        total = int(living) + int(ended)
        equal(found[name.decode()], (total, int(ended)), f"children of {name}")
    others = set(found) - {name.decode() for name, _, _ in expected}
    check(not others, f"there is also {others}")


def test_each_way_is_blamed_on_its_function():
    with WaitingProgram([compiled("child_ways.c")], probe=QUIET) as program:
        profile, text = profiles_of(program)
        check_left(program, profile)
        ends = collections.Counter(end for _, _, end in EXAMPLE.findall(text))
        expected = {"exited with 3": 3, "killed by signal 15": 1, "exited with 0": 1}
        equal(ends, {"": sum(ends.values()) - 5} | expected, "how they have ended")
        equal(program.finish(), 0, "exit status")


def test_who_ignores_the_end_of_children_has_none():
    """Nobody waits for them: their notes go all the same."""
    command = [compiled("child_ways.c"), "ignored"]
    with WaitingProgram(command, probe=QUIET) as program:
        check_left(program, profiles_of(program)[0])
        equal(program.finish(), 0, "exit status")


def test_children_that_look_like_others():
    """One whose main thread has ended, but not the others, lives; and one that tells
    nobody of its end is not the probe's for that."""
    command = [compiled("child_doubts.c")]
    with WaitingProgram(command, probe=("--heap", "off")) as program:
        found = by_function(profiles_of(program)[0])
        expected = {"by_fork_without_main": (1, 0), UNSEEN: (2, 0)}
        equal(dict(found), expected, "children")
        equal(program.finish(), 0, "exit status")


def test_the_child_of_vfork_is_another_process():
    """It closes its parent's descriptors, opens others, and has children; and a signal
    handler of the parent runs before vfork has returned there."""
    with WaitingProgram([compiled("vfork_ways.c")], probe=QUIET) as program:
        check_left(program, profiles_of(program)[0])
        fds = ProtoProfile(program.get("/debug/pprof/fds").body)
        found = collections.Counter()
        for sample in fds.samples:
            found[maker_of(sample).function] += sample.values[0]
        expected = {"open_some": 10, "open_in_handler": 1}
        for name in (OWN, START, UNSEEN):
            found.pop(name, None)
        equal(dict(found), expected, "descriptors by function")
        mappings = ProtoProfile(program.get("/debug/pprof/mmaps").body)
        mapped = [s for s in mappings.samples if s.frames[0].function == "map_some"]
        equal(sum(s.values[1] for s in mapped), 4096, "bytes of map_some")
        equal(program.finish(), 0, "exit status")


def test_the_kernels_count_stands_in_every_form():
    """The remark is about all children, also in a difference, and where the young are
    left out."""
    with WaitingProgram([compiled("child_ways.c")], probe=QUIET) as program:
        children, ended = kernel_children(program.pid)
        said = f"the kernel lists {len(children)}, ended and not waited for {len(ended)};"
        for query in ("", "?seconds=1", "?older=1000"):
            page = program.get(f"/debug/pprof/children{query}").body
            comment = ProtoProfile(page).comment
            check(comment.startswith(said), f"{query}: {comment!r}, not {said!r}")
        equal(program.finish(), 0, "exit status")


def test_the_servers_have_it_too():
    """Their upstream was forked before anything was noted."""
    with Server("leaky") as server:
        profile = ProtoProfile(server.get("/debug/pprof/children", debug=True).body)
        equal(profile.totals(), (1, 0), "the upstream")
        equal(profile.samples[0].frames[0].function, UNSEEN, "its maker")
