"""scripts/fuzz.sh runs every fuzzer, here for a few seconds."""

import os

import pytest

from checks import check, equal
from commands import run
from tree import ROOT

pytestmark = pytest.mark.alone


def test_fuzzers_find_nothing():
    """The fuzzers run and find nothing in 5 s each."""
    script = os.path.join(ROOT, "scripts", "fuzz.sh")
    done = run(script, "5", limit=240)
    for name in ("heap", "judge", "replies", "threads"):
        check(f"{name}: 5 s" in done.stdout, done.stdout)


def test_usage():
    """Wrong usage is refused."""
    script = os.path.join(ROOT, "scripts", "fuzz.sh")
    equal(run(script, "long", check_exit=False).returncode, 2)
