"""The rules of all tests, tried with made-up tests in a copy of the tree: what a test
started ends with it, however the test or the run ends, and a run that did not test what
it should does not succeed."""

import glob
import os
import re
import signal
import subprocess
import sys

import pytest

from checks import check, equal, wait_until
from commands import run, run_tests
from processes import ended
from tree import BUILD, ROOT, copy_of_tree, copy_with_build, scratch
from turns import in_turns

# What a made-up test starts: a server, and an orphan in a session of its own. Their ids
# go to the file PIDS.
START = """
import os
import subprocess
import time

import pytest

from servers import Server


def start():
    server = Server("leaky")
    shell = "setsid sleep 300 >&- 2>&- & echo $!"
    orphan = subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE).stdout
    with open(os.environ["PIDS"], "a") as file:
        file.write(f"{server.pid} {int(orphan)}\\n")


def gone():
    from processes import ended

    with open(os.environ["PIDS"]) as file:
        return all(ended(pid) for pid in file.read().split())

"""


def test_benchmarks_find_what_they_import():
    """The benchmarks in Python start, so that what they import is there."""
    benchmarks = glob.glob(os.path.join(ROOT, "tests", "bench", "*_bench.py"))
    check(benchmarks, "there is no benchmark")
    for path in benchmarks:
        run(sys.executable, "-B", "-c", f"import runpy; runpy.run_path({path!r})")


def made_up(text, copy=None):
    """Adds a test file to a copy of the tree; returns the copy and the file."""
    copy = copy or copy_of_tree()
    path = os.path.join(copy, "tests", "e2e", "made_up_test.py")
    with open(path, "w", encoding="ascii") as file:
        file.write(START + text)
    return copy, path


@pytest.fixture(name="pids")
def pids_file(monkeypatch):
    """The file with the ids of what the made-up tests started."""
    path = os.path.join(scratch(), "pids")
    monkeypatch.setenv("PIDS", path)
    return path


def all_ended(pids, count):
    """Checks that so many processes were started, and that all of them have ended."""
    with open(pids, encoding="ascii") as file:
        found = file.read().split()
    equal(len(found), count, "processes that were started")
    left = [pid for pid in found if not ended(pid)]
    equal(left, [], "processes that are left")


def test_what_a_test_started_ends_with_it(pids):
    """Whether it passes, fails or takes too long; the next one finds nothing of it."""
    _, path = made_up(
        """
def test_passes():
    start()

def test_after_passing():
    assert gone()

def test_fails():
    start()
    assert False

def test_after_failing():
    assert gone()

@pytest.mark.timeout(3)
def test_takes_too_long():
    start()
    time.sleep(100)

def test_after_the_limit():
    assert gone()
"""
    )
    done = run_tests(path, build=BUILD)
    check("2 failed, 4 passed" in done.stdout, done.stdout)
    all_ended(pids, 6)


def started(pids):
    """Waits until a test has started a server. On a busy machine it takes long until the
    first test runs."""
    wait_until(lambda: os.path.exists(pids) and os.path.getsize(pids), 120, "a server")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [0, 2])
def test_interrupted_run_leaves_nothing(pids, workers, number):
    """No process and no file, whether workers run the tests or pytest itself."""
    copy, path = made_up("def test_waits():\n    start()\n    time.sleep(100)\n")
    temporary = scratch()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-n", str(workers), path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"TMPDIR": temporary, "BUILD": BUILD},
        cwd=copy,
    )
    started(pids)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    check(process.returncode != 0, f"it ended well: {output}")
    all_ended(pids, 2)
    equal(os.listdir(temporary), [], "files that are left")


def test_worker_that_ends_leaves_nothing(pids):
    """A test that ends its worker has failed, and what it started ends all the same."""
    _, path = made_up("def test_ends_all():\n    start()\n    os._exit(0)\n")
    done = run_tests(path, "-n", "1", build=BUILD)
    check("1 failed" in done.stdout, done.stdout)
    all_ended(pids, 2)


# -- scripts/test.sh -------------------------------------------------------------------


def last_line(output):
    """The counts in the last line: passed, failed."""
    found = re.fullmatch(r"(\d+) passed, (\d+) failed", output.splitlines()[-1])
    check(found, f"the last line: {output}")
    return int(found[1]), int(found[2])


def script(copy, *words):
    """The command that runs the tests of a copy that is built."""
    return [os.path.join(copy, "scripts", "test.sh"), *words]


@pytest.fixture(name="built", scope="module")
def built_copy():
    """A copy of the tree that is built."""
    return copy_with_build()


GOOD = "def test_good():\n    pass\n"
# One that passes, and five that do not: it fails, ends its worker (among others and by
# itself), has a fixture that is not there, and one that fails when it is taken down.
BAD = (
    GOOD
    + """
def test_fails():
    assert False

def test_ends_its_worker():
    os._exit(0)

@pytest.mark.alone
def test_ends_its_worker_alone():
    os._exit(0)

def test_has_no_fixture(nothing):
    pass

@pytest.fixture
def falls():
    yield
    assert False

def test_passes_and_its_fixture_fails(falls):
    pass
"""
)


# The text of a test program, and how many of its tests pass and fail.
PROGRAMS = {
    "good": (GOOD, (1, 0)),
    "bad": (BAD, (2, 5)),
    "no python": (GOOD + "no python\n", (0, 2)),
    "no test": ("", (0, 0)),
}


@pytest.mark.slow
@pytest.mark.one_of("script", "counts")
@pytest.mark.parametrize("name", in_turns("last line", PROGRAMS))
def test_last_line_counts_what_failed(built, name):
    """The last line and the exit status of scripts/test.sh; tests that measure are run
    by themselves, and counted with the others."""
    text, expected = PROGRAMS[name]
    made_up(text, built)
    environment = os.environ | {"BUILD": os.path.join(built, "build")}
    done = run(*script(built, "made_up"), check_exit=False, env=environment)
    equal(last_line(done.stdout), expected, done.stdout + done.stderr)
    equal(done.returncode, 0 if expected == (1, 0) else 1, "exit status")


@pytest.mark.slow
@pytest.mark.one_of("script", "interrupted")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_script_has_failed(built, pids, number):
    """The last line of an interrupted run says that something failed."""
    made_up("def test_waits():\n    start()\n    time.sleep(100)\n", built)
    process = subprocess.Popen(
        script(built, "made_up"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"BUILD": os.path.join(built, "build")},
    )
    started(pids)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    equal(process.returncode, 128 + number, "exit status")
    equal(last_line(output), (0, 1), output)
    all_ended(pids, 2)


def test_usage_of_the_script(built):
    """--help, wrong usage, and a seed that is printed."""
    usage = run(*script(built, "--help")).stdout
    for word in ("--quick", "--long", "--seed", "WORD"):
        check(word in usage, usage)
    check(max(map(len, usage.splitlines())) <= 80, "wider than 80 columns")
    for wrong in (["--fast"], ["--seed"], ["--seed", "x"], ["--quick", "--long"]):
        done = run(*script(built, *wrong), check_exit=False)
        equal((done.returncode, done.stdout), (2, ""), f"{wrong}: {done.stderr}")


# -- unit tests ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program, passes",
    [
        ("echo 1..2; echo ok 1 - a; echo ok 2 - b", True),
        ("true", False),
        ("echo 1..0", False),
        ("echo 1..2; echo ok 1 - a", False),
        ("echo 1..2; echo ok 1 - a; echo ok 2 - b '# SKIP'", False),
        ("echo 1..1; echo not ok 1 - a; exit 1", False),
        ("echo 1..1; echo not ok 1 - a", False),
        ("echo 1..1; echo ok 1 - a; kill -SEGV $$", False),
    ],
)
def test_unit_program(program, passes):
    """A unit test's program fails when it crashes, plans nothing, or stops early; what
    it printed is shown."""
    folder = os.path.join(scratch(), "tests", "unit")
    os.makedirs(folder)
    path = os.path.join(folder, "box_test")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\n{program}\n")
    os.chmod(path, 0o755)
    tests = os.path.join(ROOT, "tests", "unit")
    build = os.path.dirname(os.path.dirname(folder))
    done = run_tests(tests, "--word", "box_test", build=build)
    equal(done.returncode, 0 if passes else 1, done.stdout)
    if not passes and "echo" in program:
        check("1.." in done.stdout, done.stdout)
