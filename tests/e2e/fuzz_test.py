"""scripts/fuzz.sh runs every fuzzer."""

import os

import pytest

from checks import check, equal
from commands import run
from tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.one_of("thorough", "fuzz")]


@pytest.mark.timeout(600)
def test_fuzzers_find_nothing(request):
    """The fuzzers run and find nothing in 5 s each; in a long run it is a minute."""
    seconds = 60 if request.config.option.long else 5
    script = os.path.join(ROOT, "scripts", "fuzz.sh")
    done = run(script, seconds, limit=580)
    for name in ("heap", "judge", "listener", "proto", "replies", "threads"):
        check(f"{name}: {seconds} s" in done.stdout, done.stdout)


def test_usage():
    """Wrong usage is refused."""
    script = os.path.join(ROOT, "scripts", "fuzz.sh")
    equal(run(script, "long", check_exit=False).returncode, 2)
