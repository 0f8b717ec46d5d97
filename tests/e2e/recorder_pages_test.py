"""The heap profile by the probe's own recorder, --profile recorder: it counts what
gperftools counts, and every page, dump and tool works as with gperftools."""

import contextlib
import os
import re
import shutil

import pytest

from builds import ADDRESS, built
from checks import check, equal, wait_until
from commands import run
from heap_profile import MIB, HeapProfile
from metrics import parse_metrics
from servers import Server
from tree import BUILD, scratch

pytestmark = pytest.mark.xdist_group("recorder pages")

RECORDER = ("--profile", "recorder")
ROW = re.compile(r" *(-?\d+): *(-?\d+) \[ *(\d+): *(\d+)\] @")
COMMENT = re.compile(r"#\t0x[0-9a-f]+\t(\S+)\t(\S+)")
SCENARIO = (
    " leaky/"  # the file of a function on every stack of what a scenario allocates
)


@contextlib.contextmanager
def both():
    """The leaky server twice: with gperftools' profiler, and with the recorder."""
    with Server("leaky") as exact, Server("leaky", *RECORDER) as recorder:
        yield exact, recorder


@pytest.fixture(name="server", scope="module")
def started():
    """A server with the recorder, after five calls of slice-prefix."""
    with Server("leaky", *RECORDER) as server:
        server.leak("slice-prefix", count=5)
        yield server


def stacks(server):
    """The figures of each stack of the heap profile, in-use and allocated, by the
    functions and lines on it. With gperftools a stack ends after 32 frames."""
    text = server.get("/debug/pprof/heap?debug=1").expect(200).text
    lines = text.partition("MAPPED_LIBRARIES:")[0].splitlines()[1:]
    found, rows = {}, []
    for line in lines:
        row, comment = ROW.match(line), COMMENT.match(line)
        if row:
            rows.append((tuple(map(int, row.groups())), []))
        elif comment:
            rows[-1][1].append(f"{comment[1]} {comment[2]}")
    for values, frames in rows:
        key = tuple(frames[:32])
        sums = found.get(key, (0, 0, 0, 0))
        found[key] = tuple(a + b for a, b in zip(sums, values))
    return found


def grown(before, after):
    """What scenarios allocated in between, by stack, without what is all zero. A reply
    is as long as its figure of milliseconds, so what else a call allocates differs."""
    none = (0, 0, 0, 0)
    changes = {}
    for stack, values in after.items():
        change = tuple(a - b for a, b in zip(values, before.get(stack, none)))
        if change != none and any(SCENARIO in frame for frame in stack):
            changes[stack] = change
    return changes


# Scenarios whose calls allocate the same each time, all of it before they reply: large
# blocks and small ones, kept and freed, realloc, threads, a library's.
ALIKE = (
    *("slice-prefix", "slice-tail", "string-prefix", "cstring-argument"),
    *("global-list", "global-cache", "interface-list", "finalizer-cycle"),
    *("loop-defer", "buffer-churn", "thread-wait", "database-statement"),
)


def test_recorder_counts_what_gperftools_counts():
    """The same calls on two servers: each stack's objects and bytes are equal."""
    with both() as servers:
        changes = []
        for server in servers:
            for name in ALIKE:  # what is made once
                server.leak(name)
            server.settle()
            before = stacks(server)
            for name in ALIKE:
                server.leak(name, count=3, id="again")
            server.settle()
            changes.append(grown(before, stacks(server)))
        exact, recorder = changes
        check(len(exact) > 2 * len(ALIKE), f"only {len(exact)} stacks: {exact}")
        for stack in exact.keys() | recorder.keys():
            equal(recorder.get(stack), exact.get(stack), f"figures of {stack}")
        check(sum(values[1] for values in exact.values()) > 50 * MIB, exact)


def test_tools_read_the_recorders_pages(server):
    """go tool pprof and google-pprof name the function and the bytes, from each page
    that has the heap, and from a dump, with and without a base."""
    folder = scratch()
    env = os.environ | {"HOME": folder, "PPROF_TMPDIR": folder}
    server.dump()
    for path in ("/debug/pprof/heap", "/debug/pprof/heap?debug=1", "/pprof/heap"):
        command = ("go", "tool", "pprof", "-top", "-unit=mb", server.url + path)
        shown = run(*command, env=env).stdout
        check(re.search(r"^ *50(\.\d+)?MB .* payload_read$", shown, re.M), shown)
    if not shutil.which("google-pprof"):
        return  # gperftools 2.17 and later have none
    server.leak("slice-prefix")
    server.dump()
    dumps = [os.path.join(server.profiles, f"leaky.000{n}.heap") for n in (1, 2)]
    reports = {
        "60.0": (f"{server.debug_url}/pprof/heap",),
        "50.0": (server.program, dumps[0]),
        "10.0": (f"--base={dumps[0]}", server.program, dumps[1]),
    }
    for megabytes, arguments in reports.items():
        shown = run("google-pprof", "--text", *arguments, env=env).stdout
        row = next(row for row in shown.splitlines() if row.endswith(" payload_read"))
        equal(row.split()[0], megabytes, f"MB by {arguments}")


def test_dump_is_in_gperftools_format(server):
    """A dump parses as gperftools' text, and its reply says the bytes in it."""
    reply = server.post("/debug/heap/dump").expect(200).json()
    with open(os.path.join(server.directory, reply["path"]), encoding="utf-8") as file:
        text = file.read()
    dump = HeapProfile(text)
    equal(dump.bytes, reply["in_use_bytes"], "bytes in use")
    equal(dump.bytes, sum(size for _, size in dump.stacks.values()), "of all stacks")
    check("\nMAPPED_LIBRARIES:\n" in text and server.program in text, text[-2000:])


def test_pages_say_what_records(server):
    """/status, /metrics and the index page name the recorder, and what it takes."""
    equal(server.status()["profile"], "recorder", "profile")
    metrics = parse_metrics(server.get("/metrics").expect(200).text)
    (labels,) = metrics["leakprobe_info"].values
    check("recorder" in labels, labels)
    check(metrics["leakprobe_recorder_bytes"].value > 4096, "what the recorder takes")
    equal(metrics["leakprobe_recorder_lost_total"].value, 0, "what is lost")
    index = server.get("/debug/pprof/").expect(200).text
    check(re.search(r"recorder itself has taken \d+ bytes", index), index)
    check("gperftools records" not in index, index)


def test_difference_over_seconds(server):
    """?seconds=N on the recorder has what was allocated meanwhile, and no more."""
    body = server.get("/debug/pprof/heap?seconds=1").expect(200).body
    path = os.path.join(scratch(), "difference")
    with open(path, "wb") as file:
        file.write(body)
    shown = run("go", "tool", "pprof", "-top", path).stdout
    check("payload_read" not in shown, shown)
    check(re.search(r"Duration: 1(\.\d+)?s", shown), shown)


def is_refused(server, size):
    """Runs global-list with blocks of this size; whether the ceiling refused it."""
    reply = server.get(f"/leak/global-list?id=t&bytes={size}")
    if reply.status == 200:
        return False
    reply.error(503, "heap_limit")
    return True


def test_at_the_heap_ceiling_every_page_answers():
    """At the ceiling, where malloc has next to nothing left, all is as before."""
    with Server("leaky", "--max-heap", "64M", *RECORDER) as server:
        for size in ("1M", "4K"):
            wait_until(lambda size=size: is_refused(server, size))
        for path in ("/debug/pprof/heap", "/debug/pprof/heap?debug=1", "/pprof/heap"):
            server.get(path, debug=True).expect(200)
        check(server.heap().bytes > 56 * MIB, "the heap is not full")


@pytest.mark.slow
def test_judge_is_right_by_the_recorder():
    """leakcheck shows leaks and fixes on two servers with the recorder."""
    names = ("slice-prefix", "global-cache", "thread-wait")
    with Server("leaky", *RECORDER) as leaky, Server("fixed", *RECORDER) as fixed:
        chosen = [part for name in names for part in ("--scenario", name)]
        judge = os.path.join(BUILD, "leakcheck")
        shown = run(judge, *chosen, leaky.url, fixed.url, limit=120).stdout
        check("3 of 3 leaks shown, 3 of 3 fixes hold" in shown, shown)
        check("payload_read" in shown and "leaky/slice_prefix.c" in shown, shown)


@pytest.mark.slow
def test_without_gperftools_there_is_the_recorder():
    """A build on the C library's allocator: the recorder sees all of its family."""
    build = built("CC=gcc", "ALLOCATOR=libc")
    with Server("leaky", *RECORDER, build=build) as server:
        server.leak("slice-prefix", count=3)
        found = stacks(server)
        kept = [v for stack, v in found.items() if stack[0].startswith("payload_read")]
        equal([values[0] for values in kept], [3], "blocks in use")
        memory = server.status()["memory"]
        check(memory["live_objects"] > 3 and memory["heap_sys_bytes"] > 0, memory)


@pytest.mark.slow
@pytest.mark.one_of("thorough", "sanitizer")
def test_sanitizer_has_the_allocations():
    """Under a sanitizer --profile recorder is refused, and the reason is said."""
    program = os.path.join(built(*ADDRESS), "leaky")
    options = ("--port", "0", "--debug-port", "0", "--profile-dir", scratch())
    done = run(program, *options, *RECORDER, check_exit=False)
    equal(done.returncode, 1, done.stderr)
    check("a sanitizer or Valgrind has this program's allocations" in done.stderr, done)
