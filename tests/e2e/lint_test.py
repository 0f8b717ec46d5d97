"""The sources pass every static check, and the scripts too."""


import pytest

from checks import check
from commands import run
from tree import ROOT
from turns import in_turns

# What make tidied lists, a line each: the flags differ.
KINDS = ("TIDIED", "TIDIED_LIBRARY", "TIDIED_PAIRS")
PARTS = 32  # clang-tidy takes four minutes for all files


@pytest.mark.slow
def test_everything_but_clang_tidy():
    """make lint: pair rule, shellcheck, clang-format, cppcheck."""
    nothing = (f"{kind}=" for kind in KINDS)
    run("make", "-s", "lint", *nothing, cwd=ROOT, limit=280)


@pytest.mark.slow
@pytest.mark.parametrize("part", in_turns("tidy", range(PARTS)))
def test_clang_tidy(part):
    """Every file of a part, each kind as make lint checks it."""
    listed = run("make", "-s", "tidied", cwd=ROOT).stdout.splitlines()
    check(len(listed) == len(KINDS), listed)
    parts = (" ".join(line.split()[part::PARTS]) for line in listed)
    chosen = (f"{kind}={files}" for kind, files in zip(KINDS, parts))
    run("make", "-s", "tidy", *chosen, cwd=ROOT, limit=280)
