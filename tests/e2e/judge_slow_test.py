"""leakcheck on a real server that leaks slowly: from 12 rounds on, a leak in one call of
twenty is found, and the caller of the allocation wrapper is blamed; a cache that fills is
not called a leak."""

import concurrent.futures
import os
import re
import subprocess

import pytest

from checks import check, equal
from commands import run
from tree import BUILD, ROOT, scratch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.one_of("judge of other servers", "slow"),
    pytest.mark.xdist_group("slowserver"),
]

JUDGE = os.path.join(BUILD, "leakcheck")
SOURCE = os.path.join(ROOT, "tests", "e2e", "slowserver", "server.c")


@pytest.fixture(scope="module", name="program")
def build_program():
    """The server, compiled."""
    program = os.path.join(scratch(), "slowserver")
    run("gcc", "-g", "-O0", "-Wall", "-o", program, SOURCE, "-ltcmalloc")
    return program


def judge(program, path, *options):
    """Judges a path of a fresh server; returns the exit status and the output."""
    environment = os.environ | {
        "HEAP_PROFILE_ALLOCATION_INTERVAL": "0",
        "HEAP_PROFILE_INUSE_INTERVAL": "0",
        "TCMALLOC_STACKTRACE_METHOD": "libgcc",
        "PERFTOOLS_VERBOSE": "-1",
    }
    with subprocess.Popen(
        [program], stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        url = server.stdout.readline().strip()
        done = run(
            *(JUDGE, "--url", url, "--drive", path, "--pid", server.pid, *options),
            check_exit=False,
            limit=120,
        )
        server.kill()
    return done.returncode, done.stdout + done.stderr


def test_slow_leaks(program):
    """All paths at once, 12 rounds each: a verdict is mostly waiting."""
    skip = ("--wrapper", "session_*")
    wanted = {
        ("/heap",): 1,
        ("/heap", *skip): 1,
        ("/descriptor",): 1,
        ("/cache",): 0,
        ("/clean",): 0,
    }
    with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
        jobs = {
            words: pool.submit(judge, program, *words, "--rounds", "12")
            for words in wanted
        }
    outputs = {}
    for words, job in jobs.items():
        status, outputs[words] = job.result()
        equal(status, wanted[words], f"exit for {words}: {outputs[words]}")
    heap = outputs["/heap",]
    check(re.search(r"^heap +3\.[0-9] KiB a call.*OVER$", heap, re.M), heap)
    check(re.search(r"^allocated in session_open .*server\.c:\d+ ", heap, re.M), heap)
    skipped = outputs[("/heap", *skip)]
    check("allocated in path_serve " in skipped, skipped)
    descriptor = outputs["/descriptor",]
    check("LEAKS: descriptors" in descriptor, descriptor)
    for path in ("/cache", "/clean"):
        check("holds for heap" in outputs[path,], outputs[path,])


def test_wrapper_usage():
    """A pattern that would be every function, or none, is refused."""
    for wrong in ("*", "a*b"):
        done = run(
            *(JUDGE, "--url", "http://127.0.0.1:1", "--drive", "/", "--wrapper", wrong),
            check_exit=False,
        )
        equal(done.returncode, 2, f"--wrapper {wrong!r}: {done.stdout}{done.stderr}")
        check("--wrapper takes" in done.stderr, done.stderr)
