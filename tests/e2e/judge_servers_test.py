#!/usr/bin/python3
"""leakcheck on small servers that each report something different about themselves, with
a leak of every kind in each: the verdict is right, and "holds" is said only of what was
measured. What is not measured is named; a limit on it gives no verdict."""

import concurrent.futures
import json
import os
import re
import signal
import subprocess
import tempfile

import lab
from lab import check, equal, test
from small import Small

JUDGE = os.path.join(lab.BUILD, "leakcheck")
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


def judge(server, *options, limit=60):
    """Runs the gate; returns its exit status, its output, and its JSON or None."""
    target = os.path.join(tempfile.mkdtemp(dir=lab.scratch()), "gate.json")
    done = lab.run(
        *(JUDGE, "--url", server.url, "--drive", "/work", "--rounds", "3"),
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


def one_leak(leak, options, measured, process=False):
    with Small(*options, "--leak", leak) as server:
        words = ("--pid", str(server.pid)) if process else ()
        right(judge(server, *words), measured, leak)


# A verdict is mostly waiting, so several are made at a time.
_pool = concurrent.futures.ThreadPoolExecutor(10)


def soon(promise):
    """Marks a function as a test that runs beside the others."""

    def mark(function):
        test(promise)(_pool.submit(function).result)
        return function

    return mark


def every_leak(promise, options, measured, process=False):
    """A test with one server for each leak."""
    jobs = [
        _pool.submit(one_leak, leak, options, measured, process)
        for leak in ("none", *LEAKS)
    ]
    test(promise)(lambda: [job.result() for job in jobs])


for _name, (_options, _measured) in SERVERS.items():
    every_leak(
        f"{_name}: no leak that is measured holds, the rest is named",
        _options,
        _measured,
    )

for _options in ([], ["--status", "500"], ["--close", "plain"], ["--threads"]):
    every_leak(
        f"with --pid all is measured, whatever {' '.join(_options) or 'is served'}",
        _options,
        ALL,
        process=True,
    )


@soon("goroutines are not measured by the kernel's threads, nor by two sources in turn")
def one_source():
    go = ("--heap", "go")
    threads = "/debug/pprof/goroutine"
    for options, measured, process in (
        (go, ALL - {"threads"}, True),
        ((*go, "--threads", "--vanish", threads), ALL - {"threads"}, True),
        (("--status", "lab", "--threads", "--vanish", "/status"), {"heap"}, False),
    ):
        for leak in ("none", "thread"):
            with Small(*options, "--leak", leak) as server:
                # A thread's stack is resident memory, too; it is not the question here.
                words = ("--pid", str(server.pid), "--max-rss", "1M") if process else ()
                right(judge(server, *words), measured, leak)


@soon("a thread profile that fails is missed by no count of /proc")
def no_thread_profile():
    for answers in ("1", "2"):  # the baseline's fails, or the last
        options = ("--threads", "--vanish", "/debug/pprof/goroutine", "--vanish-after", answers)
        with Small(*options, "--leak", "thread") as server:
            done = judge(server, "--pid", str(server.pid))
            right(done, ALL, "thread")
            equal(done[2]["resources"]["threads"]["blamed"], None)


@soon("a limit on what cannot be measured is no verdict")
def limit_not_measured():
    for option in ("--max-threads", "--max-fds", "--max-timers", "--max-rss"):
        with Small("--leak", "thread") as server:
            status, output, _ = judge(server, option, "0")
            equal(status, 2, output)
            check("cannot be measured" in output, output)
            status, output, _ = judge(server, option, "1M"[: 2 if "rss" in option else 1])
            equal(status, 2, output)


@soon("a limit that is asked for is kept where --pid measures it")
def limit_measured():
    with Small("--leak", "fd") as server:
        pid = ("--pid", str(server.pid))
        equal(judge(server, "--max-fds", "1", *pid)[0], 0)
        equal(judge(server, "--max-fds", "0", *pid)[0], 1)


@soon("growth and a limit that look the same when rounded are told in bytes")
def limit_close():
    with Small("--leak", "heap") as server:
        growth = judge(server)[2]["resources"]["heap"]["growth_per_call"]
        equal(growth, int(growth), "growth of an exact heap")
        status, output, _ = judge(server, "--max-growth", str(int(growth) - 1))
    equal(status, 1, output)
    check(f"heap         {growth} B a call, limit {growth - 1} B: OVER" in output, output)


@soon("--pid of another process is refused: none, a parent, one that serves nothing")
def wrong_process():
    with Small() as server, Small() as other:
        gone = subprocess.Popen(["true"])
        gone.wait()
        for pid in (gone.pid, os.getpid(), other.pid):
            status, output, _ = judge(server, "--pid", str(pid))
            equal(status, 2, output)
            check("--pid" in output, output)


@soon("work that goes on after the reply does not hide a leak behind it")
def busy_after_reply():
    with Small("--leak", "busy") as server:
        status, output, _ = judge(server)
        equal(status, 1, output)


@soon("a heap that moves by itself: a leak beside the noise is found, noise is none")
def noise():
    with Small("--heap", "go", "--leak", "noisy") as server:
        status, output, figures = judge(server, "--rounds", "12")
        equal(status, 1, output)
        equal(figures["rounds"], 24)
    with Small("--heap", "go", "--leak", "noise") as server:
        status, output, _ = judge(server, "--rounds", "12")
        equal(status, 0, output)


@soon("resident memory that leaks, and falls a little now and then, is found")
def resident_steps():
    with Small("--leak", "rss-steps") as server:
        status, output, figures = judge(server, "--rounds", "4", "--pid", str(server.pid))
        equal(status, 1, output)
        check(figures["resources"]["rss"]["over"], output)


@soon("growth now and then is a leak where it goes on, and else no verdict")
def now_and_then():
    rounds = ("--rounds", "4")
    with Small("--leak", "third") as server:
        equal(judge(server, *rounds, "--calls", "2")[0], 1)
    with Small("--leak", "twentieth") as server:
        status, output, _ = judge(server, *rounds, "--calls", "5", "--max-growth", "400")
        equal(status, 2, output)
        check("--calls" in output, output)
        status, output, _ = judge(server, *rounds, "--calls", "30", "--max-growth", "400")
        equal(status, 1, output)


@soon("a profile of few samples proves a leak, and never that there is none")
def coarse_samples():
    with Small("--heap", "coarse", "--leak", "heap") as server:
        equal(judge(server)[0], 1)
    with Small("--heap", "coarse") as server:
        status, output, _ = judge(server)
        equal(status, 2, output)
        check("one sample in 524288 bytes, which needs 5120 calls" in output, output)
        status, output, _ = judge(server, "--pid", str(server.pid))
        equal(status, 0, output)
        check("not measured: heap" in output, output)
        equal(judge(server, "--pid", str(server.pid), "--max-growth", "1K")[0], 2)
        equal(judge(server, "--max-growth", "1M")[0], 0)


@soon("--pid of one of two processes that share the port is refused: any may answer")
def shared_port():
    with Small("--close", "plain", "--worker") as server:
        status, output, _ = judge(server, "--pid", str(server.pid))
        equal(status, 2, output)
        check("listens on its port, too" in output, output)


@soon("a cache that fills is no leak; growth in every call is one")
def cache_fills():
    with Small("--leak", "cache") as server:
        status, output, _ = judge(server, "--max-growth", "100")
        equal(status, 0, output)
        check(" a call, limit 100 B, but not in every round\n" in output, output)


@soon("hostile numbers: a clear line and exit 2, or a verdict that is not holds")
def hostile_numbers():
    with Small("--heap", "hostile") as server:
        status, output, _ = judge(server)
        equal(status, 2, output)
        check("profile" in output, output)
    with Small("--heap", "huge") as server:
        status, output, _ = judge(server)
        check(status in (0, 2), output)  # what is in use is huge, and does not grow
        check("nan" not in output and "inf" not in output, output)


@soon("a heap profile that drips ends with the run's time, exit 2")
def dripping():
    with Small("--drip", "/pprof/heap") as server:
        status, output, _ = judge(server, "--timeout", "3", limit=15)
        equal(status, 2, output)
        check("--timeout" in output, output)


@soon("a server that is restarted in the middle is no verdict")
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


@soon("a restart that only the place of a library shows is no verdict")
def restarted_in_place():
    with Small("--heap", "sampled", "--leak", "heap", "--restart", "16") as server:
        status, output, _ = judge(server)
        equal(status, 2, output)
        check("was restarted" in output, output)


@soon("allocated a call is printed where it was counted only")
def allocations():
    with Small() as server:
        _, output, figures = judge(server)
        check("\nallocated " in output, output)
        check(figures["allocated_bytes_per_call"] is not None, output)
    with Small("--heap", "sampled") as server:
        _, output, figures = judge(server)
        check("\nallocated " not in output, output)
        equal(figures["allocated_bytes_per_call"], None)


@soon("a file in a directory named common is the program's own, and --own decides")
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


@soon("a --binary that is not there is said at once, exit 2")
def no_binary():
    with Small() as server:
        status, output, _ = judge(server, "--binary", "/nowhere/server")
        equal(status, 2, output)
        check("--binary /nowhere/server: No such file" in output, output)


@soon("where no function can be named, it says why")
def no_names():
    with Small("--heap", "bare", "--leak", "heap") as server:
        status, output, figures = judge(server)
        equal(status, 1, output)
        check("/pprof/symbol" in output and "--binary" in output, output)
        equal(figures["resources"]["heap"]["blamed"], None)


lab.main()
