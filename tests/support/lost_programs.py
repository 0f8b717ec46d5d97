"""The programs of tests/programs/lost with their known answers: built by each compiler,
run under leakprobe, and what a profile as text says of them."""

import collections
import fcntl
import os
import re
import tempfile

from commands import run
from tree import ROOT

SOURCES = os.path.join(ROOT, "tests", "programs", "lost")
# Beside them are cases.c, which each program has, and a library that one of them loads.
PROGRAMS = ("calls.c", "containers.cc", "data.c", "graphs.c", "libraries.c")
PROGRAMS += ("mappings.c", "threads.c")
BUILDS = ("gcc-0", "gcc-2", "clang-0", "clang-2")
FLAGS = ("-D_GNU_SOURCE", "-g", "-Wall", "-Wextra", "-Werror", "-pthread")

Amount = collections.namedtuple("Amount", "objects bytes direct direct_bytes")
# What is lost and what is kept: each an Amount by function.
Case = collections.namedtuple("Case", "program name lost kept")

# "10: 1000 [10: 1000] @ 0x.. 0x..", and the frames of that stack.
STACK = re.compile(r"^ *(\d+): +(\d+)(?: \[ *(\d+): +(\d+)\])? @((?: 0x[0-9a-f]+)+)$")
FRAME = re.compile(r"^#\t0x[0-9a-f]+\t(.+?)(?:\+0x[0-9a-f]+)?(?:\t|$)")
NAMED = re.compile(r"\b(?:lose|keep)_\w+")


def built(build, *options):
    """Builds them all, as "gcc-2", once a run; returns their directory."""
    compiler, level = build.split("-")
    name = "".join((build, *options))
    directory = os.path.join(tempfile.gettempdir(), "lost-programs", name)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers may want the same
        if not os.path.exists(os.path.join(directory, "is-built")):
            flags = (*FLAGS, f"-O{level}", *options)
            _build_all(directory, compiler, flags)
            open(os.path.join(directory, "is-built"), "w", encoding="ascii").close()
    return directory


def _build_all(directory, compiler, flags):
    def source(name):
        return os.path.join(SOURCES, name)

    def target(name):
        return os.path.join(directory, name)

    c = (compiler, "-std=c11", *flags)
    cpp = ({"gcc": "g++", "clang": "clang++"}[compiler], "-std=c++20", *flags)
    run(*c, "-c", source("cases.c"), "-o", target("cases.o"))
    run(*c, "-fPIC", "-shared", source("held.c"), "-o", target("libheld.so"))
    for name in PROGRAMS:
        base, extension = os.path.splitext(name)
        start = cpp if extension == ".cc" else c
        run(*start, source(name), target("cases.o"), "-o", target(base))


def cases(directory):
    """All cases of the programs in this directory, with their known answers."""
    found = {}
    for source in PROGRAMS:
        program = os.path.join(directory, os.path.splitext(source)[0])
        for line in run(program, "list").stdout.splitlines():
            name, kind, function, *numbers = line.split()
            case = found.setdefault(name, Case(program, name, {}, {}))
            amounts = case.lost if kind == "lost" else case.kept
            amounts[function] = Amount(*map(int, numbers))
    return list(found.values())


def amounts(text):
    """What a profile as text has for each function lose_... or keep_...: an Amount. What
    none of them allocated is under the whole stack's functions."""
    stack, names = None, []
    found = {}

    def add():
        own = NAMED.search(" ".join(names))
        name = own[0] if own else " ".join(names)
        old = found.get(name, Amount(0, 0, 0, 0))
        found[name] = Amount(*(one + other for one, other in zip(old, stack)))

    for line in [*text.splitlines(), "0: 0 @ 0x0"]:
        start = STACK.match(line)
        frame = FRAME.match(line)
        if start:
            if stack is not None:
                add()
            stack, names = [int(number or 0) for number in start.groups()[:4]], []
        elif frame:
            names.append(frame[1])
    return found
