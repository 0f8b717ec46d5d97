"""leakcheck judges a server that is not the lab's, a Go program with net/http/pprof: a kept
slice and a stuck goroutine are found and named, clean work passes."""

import os
import re
import subprocess

import pytest

from checks import check, equal
from commands import run
from tree import BUILD, ROOT, scratch

# One worker builds and starts the program.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("goserver"),
    pytest.mark.one_of("judge of other servers", "go"),
]

JUDGE = os.path.join(BUILD, "leakcheck")
SOURCE = os.path.join(ROOT, "tests", "e2e", "goserver", "main.go")


@pytest.fixture(scope="module", autouse=True)
def started():
    """Builds the program and starts it twice; sets its URLs."""
    global url, proto_url
    directory = scratch()
    program = os.path.join(directory, "goserver")
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOCACHE": os.environ.get("GOCACHE", os.path.join(directory, "cache")),
        "GOTOOLCHAIN": "local",
        "HOME": directory,
    }
    run("go", "build", "-o", program, SOURCE, env=environment, limit=300)
    with subprocess.Popen([program], stdout=subprocess.PIPE, text=True) as process:
        with subprocess.Popen(
            [program, "proto"], stdout=subprocess.PIPE, text=True
        ) as proto:
            url = process.stdout.readline().split()[-1]
            proto_url = proto.stdout.readline().split()[-1]
            yield
            proto.kill()
        process.kill()


def judge(path, expect, *options, server=None):
    done = run(
        *(JUDGE, "--url", server or url, "--drive", path, *options), check_exit=False
    )
    equal(done.returncode, expect, f"exit: {done.stdout}{done.stderr}")
    return done.stdout


def line_of(text):
    with open(SOURCE, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if text in line:
                return number
    raise AssertionError(f"no line with {text}")


def test_kept_slice():
    """A kept slice: heap climbs, main.payloadRead is blamed, exit 1."""
    out = judge("/slice", 1)
    check("in-use climbs" in out and "LEAKS" in out, out)
    check(f"main.payloadRead {SOURCE}:{line_of('make([]byte')}" in out, out)


def test_stuck_goroutine():
    """A stuck goroutine: goroutines climb, main.waitForever is named, exit 1."""
    out = judge("/goroutine", 1)
    check("threads climb" in out and re.search("goroutines +1 a call", out), out)
    check(f"main.waitForever {SOURCE}:{line_of('<-never')}" in out, out)


def test_clean_work():
    """Clean work passes, exit 0, three times."""
    for _ in range(3):
        out = judge("/clean", 0)
        check("holds" in out and "nothing measured climbs" in out, out)


def test_limits():
    """The limits decide: what is allowed is no failure."""
    judge("/slice", 0, "--max-growth", "1M", "--rounds", "3")
    judge("/goroutine", 0, "--max-threads", "2", "--rounds", "3")


def test_profile_proto():
    """The same verdicts from profile.proto alone, with the same lines."""
    out = judge("/slice", 1, server=proto_url)
    check(f"main.payloadRead {SOURCE}:{line_of('make([]byte')}" in out, out)
    check("LEAKS: heap; holds for threads" in out, out)
    out = judge("/goroutine", 1, server=proto_url)
    check("threads climb" in out and re.search("goroutines +1 a call", out), out)
    check(f"main.waitForever {SOURCE}:{line_of('<-never')}" in out, out)
    out = judge("/clean", 0, "--rounds", "12", server=proto_url)
    check("holds for heap, threads" in out, out)
