"""make's commands around the pairs: nothing is built while one lacks a half, and what
somebody types as the name of a lesson is never run."""

import os
import shutil

import pytest

from checks import check, equal
from commands import run
from tree import copy_of_tree, scratch


def make(copy, *arguments, **options):
    return run("make", "-s", *arguments, cwd=copy, check_exit=False, **options)


@pytest.mark.parametrize("half, other", [("leaky", "fixed"), ("fixed", "leaky")])
def test_pair_that_lacks_a_half_is_not_built(half, other):
    """make build names the file that is missing, and compiles nothing."""
    copy = copy_of_tree()
    build = os.path.join(scratch(), "build")
    shutil.copy(f"{copy}/{half}/slice_tail.c", f"{copy}/{half}/alone.c")
    done = make(copy, "-j2", f"BUILD={build}", "build")
    equal(done.returncode, 2, f"exit: {done.stdout}{done.stderr}")
    missing = f"{other}/alone.c is missing, the other half of the pair"
    check(missing in done.stderr, done.stderr)
    check(f"{half}/alone.c is missing" not in done.stderr, done.stderr)
    check(not os.path.exists(build), "something was compiled")


@pytest.mark.parametrize(
    "name",
    [
        "a'b",
        'a"b',
        "x'; touch HERE; '",
        '"; touch HERE; "',
        "$(touch HERE)",
        "$$(touch HERE)",
        "`touch HERE`",
        "$(shell touch HERE)",
        "../leaky/slice_tail",
        "variant",
        "-n",
        "%s",
    ],
)
def test_name_of_a_lesson_is_text(name):
    """make lesson says that there is no such scenario, and runs nothing of the name."""
    copy = copy_of_tree()
    done = make(copy, "lesson", f"S={name}")
    equal(done.returncode, 2, "exit")
    check(f"no scenario named '{name}'" in done.stderr.replace(" \n", " "), done.stderr)
    check("slice-prefix" in done.stderr, done.stderr)
    check("rror: " not in done.stderr and "unexpected" not in done.stderr, done.stderr)
    check(not os.path.exists(os.path.join(copy, "HERE")), "it was run")


@pytest.mark.parametrize("half", ["leaky", "fixed"])
def test_lesson_of_half_a_pair(half):
    """make lesson says which half is missing."""
    copy = copy_of_tree()
    os.unlink(f"{copy}/{half}/slice_tail.c")
    done = make(copy, "lesson", "S=slice-tail")
    equal(done.returncode, 2, "exit")
    check(f"{half}/slice_tail.c is missing" in done.stderr, done.stderr)


def test_lesson_of_halves_that_are_the_same():
    """make lesson says that the halves are the same."""
    copy = copy_of_tree()
    shutil.copy(f"{copy}/leaky/slice_tail.c", f"{copy}/fixed/slice_tail.c")
    done = make(copy, "lesson", "S=slice-tail")
    equal(done.returncode, 0, done.stderr)
    equal(done.stdout, "leaky/slice_tail.c and fixed/slice_tail.c are the same\n")


EMBEDDED = "build/embedded/live.css.c"


def test_file_that_cannot_be_read_is_not_built_in_empty():
    """When a file of the page cannot be read, make fails until it can."""
    copy = copy_of_tree()
    tools = scratch()
    with open(os.path.join(tools, "od"), "w", encoding="utf-8") as broken:
        broken.write("#!/bin/sh\nexit 1\n")
    os.chmod(broken.name, 0o755)
    path = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
    for _ in range(2):
        done = make(copy, "BUILD=build", EMBEDDED, env=path)
        equal(done.returncode, 2, f"exit: {done.stdout}{done.stderr}")
    done = make(copy, "BUILD=build", EMBEDDED)
    equal(done.returncode, 0, f"exit: {done.stdout}{done.stderr}")
    with open(os.path.join(copy, EMBEDDED), encoding="ascii") as file:
        check(len(file.read()) > 1000, "the file is in")


@pytest.mark.parametrize("name", ["#live.js#", "live.js~", "4913"])
def test_what_an_editor_leaves_is_not_built_in(name):
    """A copy that an editor keeps beside the file neither stops make nor is built in."""
    copy = copy_of_tree()
    for directory in ("probe/web/files", "common/page"):
        with open(os.path.join(copy, directory, name), "w", encoding="utf-8") as file:
            file.write("old")
    done = make(copy, "-n", "build")
    equal(done.returncode, 0, f"exit: {done.stdout}{done.stderr}")
    check(f"{name}.c" not in done.stdout, "it is built in")
