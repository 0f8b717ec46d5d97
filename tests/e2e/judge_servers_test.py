#!/usr/bin/python3
"""leakcheck on twelve small servers that each tell something else of themselves, with a
leak of every kind in each: the verdict is right, and "holds" is said of what was
measured only. What is not measured is named; a limit on it is no verdict."""

import concurrent.futures
import functools
import json
import os
import re
import signal
import subprocess
import tempfile

import lab
from lab import check, equal, test

JUDGE = os.path.join(lab.BUILD, "leakcheck")
SERVER = os.path.join(lab.ROOT, "tests", "e2e", "smallserver", "server.py")
ALL = {"heap", "threads", "fds", "timers", "rss"}
WORDS = {
    "heap": "heap",
    "threads": "threads",
    "fds": "descriptors",
    "timers": "timers",
    "rss": "resident set",
}
LEAKS = {"heap": "heap", "thread": "threads", "fd": "fds", "timer": "timers", "rss": "rss"}

# Each server: its options, and what can be measured of it from outside.
SERVERS = {
    "no status": ([], {"heap"}),
    "status 302": (["--status", "302"], {"heap"}),
    "status 500": (["--status", "500"], {"heap"}),
    "status HTML": (["--status", "html"], {"heap"}),
    "status too long": (["--status", "long"], {"heap"}),
    "status as the lab's": (["--status", "lab"], ALL),
    "a thread profile": (["--threads"], {"heap", "threads"}),
    "no names": (["--heap", "bare"], {"heap"}),
    "sampled": (["--heap", "sampled"], {"heap"}),
    "Go's text": (["--heap", "go", "--threads"], {"heap", "threads"}),
    "closes connections": (["--close", "plain"], {"heap"}),
    "resets connections": (["--close", "reset", "--threads"], {"heap", "threads"}),
    "no lengths": (["--close", "unframed"], {"heap"}),
}


class Small:
    """One small server, for the time of a test."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [SERVER, *options], stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().strip()
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def judge(server, *options, limit=60):
    """Runs the gate; returns its exit status, its output, and its JSON or None."""
    target = os.path.join(tempfile.mkdtemp(dir=lab.scratch()), "gate.json")
    done = lab.run(
        *(JUDGE, "--url", server.url, "--drive", "/work", "--rounds", "4"),
        *("--calls", "6", "--json", target, *options),
        check_exit=False,
        limit=limit,
    )
    figures = None
    if os.path.exists(target):
        with open(target, encoding="utf-8") as file:
            figures = json.load(file)
    if done.returncode == 2:
        equal(done.stdout, "", "a verdict in spite of exit 2")
        equal(len(done.stderr.splitlines()), 1, f"lines of {done.stderr!r}")
        equal(figures, None, "a report in spite of exit 2")
    return done.returncode, done.stdout + done.stderr, figures


def right(done, measured, leak):
    """Checks a verdict against what is known."""
    status, output, figures = done
    leaking = LEAKS.get(leak)
    wanted = 1 if leaking in measured else 0
    equal(status, wanted, f"exit, with a leak of {leak}: {output}")
    equal(figures["verdict"], "leaks" if wanted else "holds", output)
    for name, one in figures["resources"].items():
        equal(one["measured"], name in measured, f"{name} is measured: {output}")
        over = name == leaking if name in measured else None
        # What leaks otherwise takes memory, too.
        if leak == "none" or name in ("heap", leaking):
            equal(one["over"], over, f"{name} is over its limit: {output}")
    verdict = re.search(r"^verdict +(.*)$", output, re.MULTILINE)[1]
    held, _, missing = verdict.partition("; not measured: ")
    for name, word in WORDS.items():
        check((word in missing) == (name not in measured), f"{word}: {verdict}")
        check((word in held) == (name in measured), f"{word}: {verdict}")


def every_leak(options, measured, process=False):
    """One server for each leak; all at once, because a verdict is mostly waiting."""

    def one(leak):
        with Small(*options, "--leak", leak) as server:
            words = ("--pid", str(server.pid)) if process else ()
            right(judge(server, *words), measured, leak)

    with concurrent.futures.ThreadPoolExecutor(len(LEAKS) + 1) as pool:
        list(pool.map(one, ("none", *LEAKS)))


for _name, (_options, _measured) in SERVERS.items():
    test(f"{_name}: no leak that is measured holds, the rest is named")(
        functools.partial(every_leak, _options, _measured)
    )


@test("with --pid everything is measured, whatever the server says of itself")
def process_known():
    for options in ([], ["--status", "500"], ["--close", "plain"], ["--threads"]):
        every_leak(options, ALL, process=True)


@test("a limit on what cannot be measured is no verdict")
def limit_not_measured():
    for option in ("--max-threads", "--max-fds", "--max-timers", "--max-rss"):
        with Small("--leak", "thread") as server:
            status, output, _ = judge(server, option, "0")
            equal(status, 2, output)
            check("cannot be measured" in output, output)
            status, output, _ = judge(server, option, "1M"[: 2 if "rss" in option else 1])
            equal(status, 2, output)


@test("a limit that is asked for is kept where --pid measures it")
def limit_measured():
    with Small("--leak", "fd") as server:
        pid = ("--pid", str(server.pid))
        equal(judge(server, "--max-fds", "1", *pid)[0], 0)
        equal(judge(server, "--max-fds", "0", *pid)[0], 1)


@test("growth and a limit that look the same when rounded are told in bytes")
def limit_close():
    with Small("--leak", "heap") as server:
        growth = judge(server)[2]["resources"]["heap"]["growth_per_call"]
        equal(growth, int(growth), "growth of an exact heap")
        status, output, _ = judge(server, "--max-growth", str(int(growth) - 1))
    equal(status, 1, output)
    check(f"heap         {growth} B a call, limit {growth - 1} B: OVER" in output, output)


@test("--pid of another process is refused: none, a parent, one that serves nothing")
def wrong_process():
    with Small() as server, Small() as other:
        gone = subprocess.Popen(["true"])
        gone.wait()
        for pid in (gone.pid, os.getpid(), other.pid):
            status, output, _ = judge(server, "--pid", str(pid))
            equal(status, 2, output)
            check("--pid" in output, output)


@test("a cache that fills is no leak; growth in every call is one")
def cache_fills():
    with Small("--leak", "cache") as server:
        status, output, _ = judge(server, "--max-growth", "100")
        equal(status, 0, output)
        check(" a call, limit 100 B, but not in every round\n" in output, output)


@test("hostile numbers: a clear line and exit 2, or a verdict that is not holds")
def hostile_numbers():
    with Small("--heap", "hostile") as server:
        status, output, _ = judge(server)
        equal(status, 2, output)
        check("profile" in output, output)
    with Small("--heap", "huge") as server:
        status, output, _ = judge(server)
        check(status in (0, 2), output)  # what is in use is huge, and does not grow
        check("nan" not in output and "inf" not in output, output)


@test("a heap profile that drips ends with the run's time, exit 2")
def dripping():
    with Small("--drip", "/pprof/heap") as server:
        status, output, _ = judge(server, "--timeout", "3", limit=15)
        equal(status, 2, output)
        check("--timeout" in output, output)


@test("a server that is restarted in the middle is no verdict")
def restarted():
    # The second life starts with the counts of none: what leaked is gone.
    with Small("--status", "lab", "--leak", "thread") as server:
        target = ["--url", server.url, "--drive", "/work", "--pid", str(server.pid)]
        with subprocess.Popen(
            [JUDGE, *target, "--rounds", "50"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as judging:
            lab.wait_until(
                lambda: len(os.listdir(f"/proc/{server.pid}/task")) > 20, 20, "calls"
            )
            server.process.send_signal(signal.SIGKILL)
            out, errors = judging.communicate(timeout=60)
        equal((judging.returncode, out), (2, ""), errors)


@test("allocated a call is printed where it was counted only")
def allocations():
    with Small() as server:
        _, output, figures = judge(server)
        check("\nallocated " in output, output)
        check(figures["allocated_bytes_per_call"] is not None, output)
    with Small("--heap", "sampled") as server:
        _, output, figures = judge(server)
        check("\nallocated " not in output, output)
        equal(figures["allocated_bytes_per_call"], None)


@test("a file in a directory named common is the program's own, and --own decides")
def ownership():
    with Small("--leak", "heap") as server:
        status, output, figures = judge(server)
        equal(status, 1, output)
        blamed = figures["resources"]["heap"]["blamed"]
        equal((blamed["function"], blamed["line"]), ("cache_fill", 12))
        check("allocated in cache_fill /srv/app/common/cache.c:12" in output, output)
    for own, function in (
        ("main.c", "main"),
        ("/srv/app/common", "cache_fill"),
        ("libx.so", "copy_make"),
        ("libx", "copy_make"),
        ("app/comm", "cache_fill"),
    ):
        with Small("--leak", "heap") as server:
            _, output, figures = judge(server, "--own", own)
            blamed = figures["resources"]["heap"]["blamed"]
            equal(blamed["function"], function, f"--own {own}: {output}")
            told = f"\nown code     no stack that has names passes through --own {own}\n"
            equal(told in output, own == "app/comm", f"--own {own}: {output}")


@test("where no function can be named, it says why")
def no_names():
    with Small("--heap", "bare", "--leak", "heap") as server:
        status, output, figures = judge(server)
        equal(status, 1, output)
        check("/pprof/symbol" in output and "--binary" in output, output)
        equal(figures["resources"]["heap"]["blamed"], None)


lab.main()
