"""The programs of tests/programs/retained: what their sources say that a profile must
say, and what /debug/pprof/retained?debug=1 says."""

import os
import re
from collections import namedtuple

from checks import check
from commands import run
from reach_sums import reach_sums
from tree import ROOT, scratch

FOLDER = "tests/programs/retained"
CASE = re.compile(r"/\*((?:(?!\*/).)*)\*/\n(?:static |APART )*void case_(\w+)\(", re.S)
EXPECTED = re.compile(r"(\d+|\*): (\d+|\*) @ (.+?)( shared)? *$")
HOLDER = re.compile(r"(.+): (-?\d+): (-?\d+)$")
PATH = re.compile(r"(-?\d+): (-?\d+) @( 0x[0-9a-f]+)+$")
FRAME = re.compile(r"#\t0x[0-9a-f]+\t(.+?)\+0x[0-9a-f]+\t(.*?)(?::(\d+))?$")
BLOCK = re.compile(r"#\tblock 0x([0-9a-f]+) of (\d+) bytes:((?: [0-9a-f]{2})*)")
PLACED = re.compile(r"(.+) \((.+):(\d+)\)$")
# gcc's names of a function's variants.
VARIANT = re.compile(r"\.(constprop|isra|part)\.\d+")

# `functions`: (name, file, line), from the allocation to the holder.
Path = namedtuple("Path", "objects bytes functions holder shared address size first")


def source_text(name):
    with open(os.path.join(ROOT, FOLDER, name), encoding="utf-8") as file:
        return file.read()


def expected_paths(source):
    """For each case of a program: {(functions, holder, shared): (objects, bytes)}."""
    cases = {}
    for comment, name in CASE.findall(source_text(source)):
        paths = {}
        for line in comment.splitlines():
            found = EXPECTED.search(line)
            if found:
                *functions, holder = found[3].split(" < ")
                key = (tuple(functions), holder, bool(found[4]))
                paths[key] = tuple(
                    None if amount == "*" else int(amount)
                    for amount in found.group(1, 2)
                )
        check(paths, f"case {name} of {source} does not say what is expected")
        cases[name] = paths
    return cases


def declared_at(source, variable):
    """The line on which a source first names a variable outside of comments."""
    lines = source_text(source).splitlines()
    word = re.compile(rf"^(?! \*|/\*).*\b{re.escape(variable.split('::')[-1])}\b")
    return next(number for number, line in enumerate(lines, 1) if word.match(line))


def built(compiler, level, source, *options, target=None):
    """Compiles a program of the folder and returns its path. Its files are named from
    the tree's root on."""
    target = os.path.join(scratch(), target or os.path.splitext(source)[0])
    standard = () if source.endswith(".cc") else ("-std=c11",)
    run(
        *(compiler, *standard, "-D_GNU_SOURCE", "-g", level, "-pthread"),
        *("-Wall", "-Wextra", "-fno-optimize-sibling-calls"),
        *(os.path.join(FOLDER, source), "-o", target, *options),
        cwd=ROOT,
    )
    return target


def _path_read(lines, at):
    """The path that begins at a line, and the number of the line behind it."""
    found = PATH.match(lines[at])
    check(found, f"no path: {lines[at]!r}")
    functions, holder, shared, block = [], None, False, None
    for at in range(at + 1, len(lines) + 1):
        line = lines[at] if at < len(lines) else ""
        if not line.startswith("#\t"):
            break
        frame, last = FRAME.match(line), BLOCK.match(line)
        if last:
            block = last
        elif frame:
            functions.append((VARIANT.sub("", frame[1]), frame[2], int(frame[3] or 0)))
        elif line.startswith("#\tshared: "):
            shared = True
        else:
            check(holder is None, f"two holders: {lines}")
            holder = line[2:]
    check(block and holder, f"a path without its block or holder: {found[0]}")
    whole = (int(block[1], 16), int(block[2]), bytes.fromhex(block[3]))
    path = Path(int(found[1]), int(found[2]), functions, holder, shared, *whole)
    return path, at


def paths_read(text):
    """All paths of the text, every line of which must be of a known form."""
    lines = text.splitlines()
    check(re.match(r"retained: \d+: \d+$", lines[0]), f"begins with {lines[0]!r}")
    reach_sums(lines[1])
    paths, group, at = [], None, 3
    while at < len(lines):
        if lines[at] == "":
            group = HOLDER.match(lines[at + 1])
            check(group, f"no holder: {lines[at + 1]!r}")
            at += 2
        path, at = _path_read(lines, at)
        check(path.holder == group[1], f"{path.holder!r} below {group[1]!r}")
        paths.append(path)
    return paths
