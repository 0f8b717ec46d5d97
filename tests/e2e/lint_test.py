"""The sources pass every static check, and the scripts too."""


import pytest

from commands import run
from tree import ROOT
from turns import in_turns

PARTS = 6  # clang-tidy takes a minute and a half for all files


@pytest.mark.slow
def test_everything_but_clang_tidy():
    """make lint: pair rule, shellcheck, clang-format, cppcheck."""
    run("make", "-s", "lint", "TIDIED=", "TIDIED_PAIRS=", cwd=ROOT, limit=280)


@pytest.mark.slow
@pytest.mark.parametrize("part", in_turns("tidy", range(PARTS)))
def test_clang_tidy(part):
    """Every sixth file, each kind as make lint checks it."""
    listed = run("make", "-s", "tidied", cwd=ROOT).stdout.splitlines()
    files, pairs = (line.split()[part::PARTS] for line in listed)
    chosen = (f"TIDIED={' '.join(files)}", f"TIDIED_PAIRS={' '.join(pairs)}")
    run("make", "-s", "tidy", *chosen, cwd=ROOT, limit=280)
