"""leakcheck judges a program by the threads that live: its main thread may have ended,
and what is proved of old threads explains nothing of the new ones."""

import json
import os

import pytest

from checks import check, equal
from commands import run
from judged import line_of
from programs import compiled, free_port
from tree import BUILD, scratch

pytestmark = pytest.mark.slow

SOURCE = "judged_threads.c"


def test_main_thread_ended_and_an_old_deadlock():
    """A program whose main thread has ended is started, measured and stopped. Each call
    leaves a thread and a descriptor; in the deadlock are two threads of the start."""
    port, path = free_port(), os.path.join(scratch(), "threads.json")
    done = run(
        *(os.path.join(BUILD, "leakcheck"), "--json", path, "--rounds", "2"),
        *("--run", f"'{compiled(SOURCE)}' {port}"),
        *("--drive", f"http://127.0.0.1:{port}/"),
        check_exit=False,
        limit=60,
    )
    equal(done.returncode, 1, done.stdout + done.stderr)
    with open(path, encoding="utf-8") as file:
        resources = json.load(file)["resources"]
    for name, each in resources.items():
        check(each["measured"], f"{name}: {done.stdout}")
    for name in ("threads", "fds"):
        equal(resources[name]["growth_per_call"], 1, done.stdout)
    check(resources["rss"]["growth_per_call"] > 0, done.stdout)
    proved = resources["threads"]["proved"]
    equal((proved["kind"], proved["threads"], proved["explains"]), ("deadlock", 2, 0))
    place = f"tests/programs/{SOURCE}:{line_of(SOURCE, 'LEAK old')}"
    words = f"proved: deadlock of 2 threads, {place} (none of the threads that grew)"
    equal(proved["words"], words)
    check(f"\nalso stuck   {words}\n" in done.stdout, done.stdout)
    check("stopped, signal SIGTERM" in done.stdout, done.stdout)
