"""leakcheck on small servers that each report something different about themselves,
with a leak of every kind in each: the verdict is right, and "holds" is said only of
what was measured. What is not measured is named; a limit on it gives no verdict."""

import concurrent.futures
import json
import os
import re
import signal
import subprocess
import tempfile

import pytest

from checks import check, equal, wait_until
from commands import run
from small_server import Small
from tree import BUILD, scratch
from turns import in_turns

pytestmark = [pytest.mark.slow, pytest.mark.one_of("judge of other servers", "servers")]

JUDGE = os.path.join(BUILD, "leakcheck")
OLDER = {"heap", "threads", "fds", "timers", "rss"}
ALL = OLDER | {"mappings", "children"}
WORDS = {
    "heap": "heap",
    "threads": "threads",
    "fds": "descriptors",
    "timers": "timers",
    "rss": "resident set",
    "mappings": "mappings",
    "children": "children",
}
LEAKS = {
    "heap": "heap",
    "thread": "threads",
    "fd": "fds",
    "timer": "timers",
    "rss": "rss",
    "mapping": "mappings",
    "child": "children",
}

# Each server: its options, and what can be measured of it from outside.
SERVERS = {
    "no status": ([], {"heap"}),
    "status 302": (["--status", "302"], {"heap"}),
    "status 500": (["--status", "500"], {"heap"}),
    "status HTML": (["--status", "html"], {"heap"}),
    "status too long": (["--status", "long"], {"heap"}),
    "status as the lab's": (["--status", "lab"], ALL),
    "an older status": (["--status", "older"], OLDER),
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
    target = os.path.join(tempfile.mkdtemp(dir=scratch()), "gate.json")
    done = run(
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


def every_leak(options, measured, process=False):
    """One server for each leak, all at once: a verdict is mostly waiting."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        leaks = ("none", *LEAKS)
        jobs = [
            pool.submit(one_leak, leak, options, measured, process) for leak in leaks
        ]
    for job in jobs:
        job.result()


@pytest.mark.parametrize("name", in_turns("small servers", SERVERS, parts=3))
def test_what_is_measured_holds(name):
    """No leak that is measured holds, the rest is named."""
    every_leak(*SERVERS[name])


@pytest.mark.parametrize(
    "options",
    in_turns(
        "small servers, --pid", ("", "--status 500", "--close plain", "--threads")
    ),
)
def test_with_pid_all_is_measured(options):
    """With --pid all is measured, whatever is served."""
    every_leak(options.split(), ALL, process=True)


def test_one_source():
    """Goroutines are not measured by the kernel's threads, nor by two sources in
    turn."""
    go = ("--heap", "go")
    threads = "/debug/pprof/goroutine"
    for options, measured, process in (
        (go, ALL - {"threads"}, True),
        ((*go, "--threads", "--vanish", threads), ALL - {"threads"}, True),
        (("--status", "lab", "--threads", "--vanish", "/status"), {"heap"}, False),
    ):
        for leak in ("none", "thread"):
            with Small(*options, "--leak", leak) as server:
                # A thread's stack is resident, and mapped; that is not the question.
                words = ("--max-rss", "1M", "--max-mappings", "10")
                words = ("--pid", str(server.pid), *words) if process else ()
                right(judge(server, *words), measured, leak)


def test_no_thread_profile():
    """A thread profile that fails is missed by no count of /proc."""
    for answers in ("1", "2"):  # the baseline's fails, or the last
        options = (
            "--threads",
            "--vanish",
            "/debug/pprof/goroutine",
            "--vanish-after",
            answers,
        )
        with Small(*options, "--leak", "thread") as server:
            done = judge(server, "--pid", str(server.pid))
            right(done, ALL, "thread")
            equal(done[2]["resources"]["threads"]["blamed"], None)


def test_limit_not_measured():
    """A limit on what cannot be measured is no verdict."""
    counts = ("threads", "fds", "timers", "mappings", "children")
    for option in (*(f"--max-{count}" for count in counts), "--max-rss"):
        with Small("--leak", "thread") as server:
            status, output, _ = judge(server, option, "0")
            equal(status, 2, output)
            check("cannot be measured" in output, output)
            status, output, _ = judge(
                server, option, "1M"[: 2 if "rss" in option else 1]
            )
            equal(status, 2, output)


def test_limit_measured():
    """A limit that is asked for is kept where --pid measures it."""
    for leak, option in (
        ("fd", "--max-fds"),
        ("mapping", "--max-mappings"),
        ("child", "--max-children"),
    ):
        with Small("--leak", leak) as server:
            pid = ("--pid", str(server.pid))
            equal(judge(server, option, "1", *pid)[0], 0, option)
            equal(judge(server, option, "0", *pid)[0], 1, option)


def test_limit_close():
    """Growth and a limit that look the same when rounded are told in bytes."""
    with Small("--leak", "heap") as server:
        growth = judge(server)[2]["resources"]["heap"]["growth_per_call"]
        equal(growth, int(growth), "growth of an exact heap")
        status, output, _ = judge(server, "--max-growth", str(int(growth) - 1))
    equal(status, 1, output)
    check(
        f"heap         {growth} B a call, limit {growth - 1} B: OVER" in output, output
    )


def test_wrong_process():
    """--pid of another process is refused: none, a parent, one that serves nothing."""
    with Small() as server, Small() as other:
        gone = subprocess.Popen(["true"])
        gone.wait()
        for pid in (gone.pid, os.getpid(), other.pid):
            status, output, _ = judge(server, "--pid", str(pid))
            equal(status, 2, output)
            check("--pid" in output, output)


def test_busy_after_reply():
    """Work that goes on after the reply does not hide a leak."""
    with Small("--leak", "busy") as server:
        status, output, _ = judge(server)
        equal(status, 1, output)


def test_noise():
    """A heap that moves by itself: a leak beside the noise is found, noise is none."""
    with Small("--heap", "go", "--leak", "noisy") as server:
        status, output, figures = judge(server, "--rounds", "12")
        equal(status, 1, output)
        equal(figures["rounds"], 12)
    with Small("--heap", "go", "--leak", "noise") as server:
        status, output, _ = judge(server, "--rounds", "12")
        equal(status, 0, output)


def test_resident_steps():
    """Resident memory that leaks, and falls a little now and then, is found."""
    with Small("--leak", "rss-steps") as server:
        # It falls every 24 calls: twelve a round are enough to see it rise for all that.
        options = ("--rounds", "4", "--calls", "12")
        status, output, figures = judge(server, *options, "--pid", str(server.pid))
        equal(status, 1, output)
        check(figures["resources"]["rss"]["over"], output)


def test_now_and_then():
    """Growth now and then is a leak where it goes on, and else no verdict."""
    rounds = ("--rounds", "4")
    with Small("--leak", "third") as server:
        equal(judge(server, *rounds, "--calls", "2")[0], 1)
    with Small("--leak", "twentieth") as server:
        status, output, _ = judge(
            server, *rounds, "--calls", "5", "--max-growth", "400"
        )
        equal(status, 2, output)
        check("--calls" in output, output)
        status, output, _ = judge(
            server, *rounds, "--calls", "30", "--max-growth", "400"
        )
        equal(status, 1, output)


def test_coarse_samples():
    """A profile of few samples proves a leak, and never that there is none."""
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


def test_shared_port():
    """--pid of one of two processes that share the port is refused: any may answer."""
    with Small("--close", "plain", "--worker") as server:
        status, output, _ = judge(server, "--pid", str(server.pid))
        equal(status, 2, output)
        check("listens on its port, too" in output, output)


def test_cache_fills():
    """A cache that fills is no leak; growth in every call is one."""
    with Small("--leak", "cache") as server:
        status, output, _ = judge(server, "--max-growth", "100")
        equal(status, 0, output)
        check(" a call, limit 100 B, but not in every round\n" in output, output)


def test_hostile_numbers():
    """Hostile numbers: a clear line and exit 2, or a verdict that is not holds."""
    with Small("--heap", "hostile") as server:
        status, output, _ = judge(server)
        equal(status, 2, output)
        check("profile" in output, output)
    with Small("--heap", "huge") as server:
        status, output, _ = judge(server)
        check(status in (0, 2), output)  # what is in use is huge, and does not grow
        check("nan" not in output and "inf" not in output, output)


def test_dripping():
    """A heap profile that drips ends with the run's time, exit 2."""
    with Small("--drip", "/pprof/heap") as server:
        status, output, _ = judge(server, "--timeout", "3", limit=15)
        equal(status, 2, output)
        check("--timeout" in output, output)


def test_restarted():
    """A server that is restarted in the middle is no verdict."""
    # The second life starts with the counts of none: what leaked is gone.
    with Small("--status", "lab", "--leak", "thread") as server:
        target = ["--url", server.url, "--drive", "/work", "--pid", str(server.pid)]
        with subprocess.Popen(
            [JUDGE, *target, "--rounds", "50"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as judging:
            wait_until(
                lambda: len(os.listdir(f"/proc/{server.pid}/task")) > 20, 20, "calls"
            )
            server.process.send_signal(signal.SIGKILL)
            out, errors = judging.communicate(timeout=60)
        equal((judging.returncode, out), (2, ""), errors)


def test_restarted_in_place():
    """A restart that only the place of a library shows is no verdict."""
    with Small("--heap", "sampled", "--leak", "heap", "--restart", "16") as server:
        status, output, _ = judge(server)
        equal(status, 2, output)
        check("was restarted" in output, output)


def test_allocations():
    """Allocated a call is printed where it was counted only."""
    with Small() as server:
        _, output, figures = judge(server)
        check("\nallocated " in output, output)
        check(figures["allocated_bytes_per_call"] is not None, output)
    with Small("--heap", "sampled") as server:
        _, output, figures = judge(server)
        check("\nallocated " not in output, output)
        equal(figures["allocated_bytes_per_call"], None)


def test_ownership():
    """A file in a directory named common is the program's own, and --own decides."""
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
            told = (
                f"\nown code     no stack that has names passes through --own {own}\n"
            )
            equal(told in output, own == "app/comm", f"--own {own}: {output}")


def test_no_binary():
    """A --binary that is not there is said at once, exit 2."""
    with Small() as server:
        status, output, _ = judge(server, "--binary", "/nowhere/server")
        equal(status, 2, output)
        check("--binary /nowhere/server: No such file" in output, output)


def test_no_names():
    """Where no function can be named, it says why."""
    with Small("--heap", "bare", "--leak", "heap") as server:
        status, output, figures = judge(server)
        equal(status, 1, output)
        check("/pprof/symbol" in output and "--binary" in output, output)
        equal(figures["resources"]["heap"]["blamed"], None)
