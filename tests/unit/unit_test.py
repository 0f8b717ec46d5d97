"""The unit tests: every NAME_test.c here is a program (made by `make unit-programs`)
that must end well, with a result for each of its tests."""

import glob
import os
import re
import signal

import pytest

from checks import check
from commands import run
from tree import BUILD, ROOT

SOURCES = sorted(glob.glob(os.path.join(ROOT, "tests", "unit", "*_test.c")))
NAMES = [os.path.basename(source)[: -len(".c")] for source in SOURCES]


def complaint(done):
    """What is wrong with a program that has run, or None."""
    if done.returncode != 0:
        known = -done.returncode in list(signal.Signals)
        return signal.Signals(-done.returncode).name if known else "a test failed"
    plan = re.search(r"^1\.\.(\d+)$", done.stdout, re.MULTILINE)
    # A test that is skipped did not end well: no program here leaves one out.
    results = re.findall(r"^ok \d+(?!.*# SKIP)", done.stdout, re.MULTILINE)
    if plan is None or int(plan[1]) == 0 or len(results) != int(plan[1]):
        return f"{len(results)} tests ended well, planned are {plan and plan[1]}"
    return None


@pytest.mark.alone
@pytest.mark.parametrize("name", NAMES)
def test_unit(name):
    """Each test of the program passes; a lost wake-up shows as one that never ends."""
    program = os.path.join(BUILD, "tests", "unit", name)
    environment = os.environ | {"CMOCKA_MESSAGE_OUTPUT": "TAP"}
    done = run(program, check_exit=False, env=environment)
    wrong = complaint(done)
    check(wrong is None, f"{program}: {wrong}\n{done.stdout}\n{done.stderr}")
