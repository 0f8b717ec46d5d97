"""leakcheck under AddressSanitizer and UBSan, where a server fails in the middle or
sends amounts that overflow. Locals start with a pattern, so that a flag that was never
set has no valid value, and is reported."""

import json
import os

import pytest

from builds import ADDRESS, built
from checks import check, equal
from commands import run
from small_server import Small
from stand_in import half, heap

pytestmark = [
    pytest.mark.slow,
    pytest.mark.one_of("judge of other servers", "sanitized"),
]

HUGE = 9 * 10**15  # the most that is read; 1025 of them overflow


@pytest.fixture(scope="module", autouse=True)
def started():
    """Builds the judge with the sanitizers; sets its path."""
    global JUDGE
    JUDGE = os.path.join(built(*ADDRESS, targets=["leakcheck"]), "leakcheck")


def judge(*words, expect, limit=120):
    """Runs the judge; returns its output, which holds no report of a sanitizer."""
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99"}
    done = run(JUDGE, *words, check_exit=False, env=environment, limit=limit)
    output = done.stdout + done.stderr
    for word in ("Sanitizer", "runtime error"):
        check(word not in output, output[:6000])
    equal(done.returncode, expect, f"exit: {output}")
    return output


def declares(amount, most=10**9):
    """A reply to /leak; after `most` calls the scenario fails."""
    calls = []

    def leak(_):
        calls.append(1)
        if len(calls) > most:
            return 500, "no more"
        return json.dumps({"declared": {"heap_bytes": amount}})

    return leak


def test_first_sample_fails():
    """A heap profile that fails at the first sample of the warm-up is no verdict."""
    for failing in ("leaky", "fixed"):
        asked = []

        def broken(_, asked=asked):
            asked.append(1)
            return heap(100) if len(asked) == 1 else (500, "broken")

        changes = {"leaky": {}, "fixed": {}}
        changes[failing] = {"debug_pprof_heap": broken}
        with half("leaky", declares(100), **changes["leaky"]) as leaky:
            with half("fixed", declares(100), **changes["fixed"]) as fixed:
                output = judge(leaky.url, fixed.url, expect=2)
        check("/debug/pprof/heap" in output and "answered 500" in output, output)
        equal(len(asked), 2, "profiles asked for")


def test_declared_overflows():
    """A declaration that overflows over the calls is multiplied without harm."""
    with (
        half("leaky", declares(HUGE, most=1200)) as leaky,
        half("fixed", declares(HUGE, most=1200)) as fixed,
    ):
        output = judge(leaky.url, fixed.url, "--rounds", 2, "--calls", 1100, expect=2)
    check("answered 500" in output, output)
    with half("leaky", declares(HUGE)) as leaky, half("fixed", declares(HUGE)) as fixed:
        output = judge(leaky.url, fixed.url, "--rounds", 2, "--calls", 2, expect=1)
    check("LEAK NOT SHOWN" in output, output)


def test_gate():
    """One server: judged as ever, a leak and none."""
    for leak, expect in (("none", 0), ("heap", 1), ("thread", 1)):
        with Small("--status", "lab", "--threads", "--leak", leak) as server:
            words = ("--url", server.url, "--drive", "/work", "--pid", server.pid)
            judge(*words, expect=expect)
