"""Builds other than the one in BUILD: each is made once in a run, and shared by the tests
that need it."""

import fcntl
import os
import re
import tempfile

from checks import equal
from commands import run
from tree import ROOT

PROGRAMS = ("leaky", "fixed", "leakcheck", "tests/listening")
# Local variables start with a pattern, so one that was never set has no valid value.
ADDRESS = (
    "ALLOCATOR=libc",
    "SANITIZE=address,undefined",
    "CC=gcc -ftrivial-auto-var-init=pattern",
)
THREAD = ("ALLOCATOR=libc", "SANITIZE=thread")


def built(*variables, targets=("leaky", "fixed")):
    """Builds these programs, or other targets, with these variables of make, and
    without a warning; returns the directory. What is there is not built again."""
    name = re.sub(r"\W+", "-", " ".join(variables))
    directory = os.path.join(tempfile.gettempdir(), "builds", name)
    os.makedirs(directory, exist_ok=True)
    goals = [f"{directory}/{each}" if each in PROGRAMS else each for each in targets]
    with open(f"{directory}/lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers may want the same
        command = ("make", "-s", "-j2", f"BUILD={directory}", *variables, *goals)
        done = run(*command, cwd=ROOT, limit=280)
        equal(done.stderr, "", f"warnings of {variables}")
    return directory
