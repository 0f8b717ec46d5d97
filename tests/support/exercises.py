"""The exercises of ./learn.sh, graded as `check` does it, in a copy of the tree that
the whole run shares."""

import fcntl
import json
import os
import re
import shutil
import tempfile

from answers import HALVED
from checks import check, equal
from commands import run
from too_early import TOO_EARLY
from tree import BUILD, ROOT, copy_to, scratch

from learn import source
from learn.case import cases

PYTHON = "/usr/bin/python3"  # as ./learn.sh runs it
CASES = {case.name: case for case in cases()}

# Grades one file, in the tree that PYTHONPATH names.
GRADE = """
import dataclasses, json, sys, time
from learn.case import find
from learn.grade import Grading
name, code, work = sys.argv[1:]
begin = time.monotonic()
verdict = Grading(find(name), code, work).verdict()
print(json.dumps(dataclasses.asdict(verdict) | {"seconds": time.monotonic() - begin}))
"""


def once(name, make):
    """A directory for all tests of a run; the first one that wants it has it made."""
    directory = os.path.join(tempfile.gettempdir(), "builds", name)
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    with open(f"{directory}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers may want the same
        if not os.path.exists(f"{directory}.made"):
            make(directory)
            open(f"{directory}.made", "x", encoding="ascii").close()
    return directory


def make_lab(directory):
    """A copy of the tree in which all that belongs to the lab is built."""
    copy_to(directory)
    shutil.copytree(BUILD, f"{directory}/build", symlinks=True)
    python(directory, "from learn import build; build.prepare()")


def copy_lab(directory):
    """A copy of that one, which nobody works in, so that it can be copied any time."""
    run("cp", "-a", once("learn", make_lab), directory)


def environment(**more):
    """The environment of a copy, without what belongs to the tests' own build."""
    kept = {k: v for k, v in os.environ.items() if k not in ("BUILD", "MAKEFLAGS")}
    return kept | more


def clone():
    """A copy of the lab for a test alone: the tree of one learner, or of a teacher."""
    directory = os.path.join(scratch(), "clone")
    copy_lab(directory)
    return directory


def python(copy, code, *arguments):
    """Runs Python code on a copy's own learn/; returns what it printed."""
    command = (PYTHON, "-B", "-c", code, *arguments)
    return run(*command, cwd=copy, env=environment(PYTHONPATH=copy), limit=250).stdout


def grade(case, text):
    """The verdict on a text as a learner's file: word, found, details, seconds."""
    copy = once("grading", copy_lab)
    work = tempfile.mkdtemp(prefix=f"{case.name}-", dir=os.path.join(copy, "build"))
    code = os.path.relpath(os.path.join(work, f"{case.name}.c"), copy)
    with open(os.path.join(copy, code), "w", encoding="utf-8") as file:
        file.write(text)
    try:
        return json.loads(
            python(copy, GRADE, case.name, code, os.path.relpath(work, copy))
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)


# -- what a learner may hand in --------------------------------------------------------


def half(case, path):
    """One half as the learner's file, with the comment that explains it."""
    return source.lay_out(path, case.name, f"/leak/{case.name}", told=True)


def changed(text, edits):
    """The text after these replacements, each of which must fit once."""
    for old, new in edits:
        equal(text.count(old), 1, f"occurrences of {old!r}")
        text = text.replace(old, new)
    return text


def at_begin(case, code):
    """The solution, with some code at the beginning of the function that is called."""
    with open(os.path.join(ROOT, case.leaky), encoding="utf-8") as file:
        entry = source.fields(file.read())["run"]
    text = half(case, case.fixed)
    found = re.search(rf"^static int {entry}\([^)]*\)\n{{\n", text, re.MULTILINE)
    check(found, f"{entry} is not in {case.fixed}")
    return text[: found.end()] + code + text[found.end() :]


# By name: what is handed in for a case, and which verdicts are right.
HANDED_IN = {
    "untouched": (
        lambda case: source.lay_out(case.leaky, case.name, f"/leak/{case.name}"),
        ("still leaks",),
    ),
    "solution": (lambda case: half(case, case.fixed), ("solved",)),
    "emptied": (lambda case: at_begin(case, "    return 0;\n"), ("answers changed",)),
    "halved": (
        lambda case: changed(half(case, case.fixed), [HALVED[case.scenario]]),
        ("answers changed",),
    ),
    "too early": (
        lambda case: changed(half(case, case.fixed), TOO_EARLY[case.stem]),
        ("memory error", "answers changed"),
    ),
    "no C": (lambda case: at_begin(case, "    this is no C;\n"), ("does not build",)),
    # Volatile, or the compiler leaves out all that comes after it.
    "endless": (
        lambda case: at_begin(case, "    for (volatile int go = 1; go;) {\n    }\n"),
        ("hangs",),
    ),
}
