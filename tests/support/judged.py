"""The twelve small servers of tests/programs/judged.c, and what leakcheck --run must say
of each."""

import dataclasses
import glob
import json
import os
import time

from checks import check, equal
from commands import run
from programs import compiled, free_port
from server_programs import Redis
from tree import BUILD, ROOT, scratch

SOURCES = os.path.join(ROOT, "tests", "programs")
# A call without a client of its own: any shell can open a connection.
CALL = (
    "bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; "
    r'printf "GET / HTTP/1.1\r\n\r\n" >&3; read -r line <&3; '
    """[[ $line == *" 200 "* ]]'"""
)


@dataclasses.dataclass(frozen=True)
class Judged:
    """A server, how it is judged, and the verdict that is right."""

    kind: str  # the first argument of judged.c
    leaks: str = ""  # the resource that grows, as in the JSON report; "": it is clean
    function: str = ""  # that must be blamed, at the line with the comment
    marker: str = ""
    file: str = "judged.c"
    closes: bool = False  # the connection after each reply
    by_command: bool = False
    jemalloc: bool = False
    options: tuple = ()
    name: str = ""
    makes: str = ""  # the function that makes what grows, at the line with `making`
    making: str = ""

    def __str__(self):
        return self.name or self.kind


TWELVE = (
    Judged("heap", "heap", "heap_serve", "LEAK heap", by_command=True),
    Judged("thread", "threads", "stuck_main", "LEAK thread", closes=True),
    Judged("descriptor", "fds", closes=True),
    Judged("timer", "timers"),
    Judged(
        *("seldom", "heap", "seldom_serve", "LEAK seldom"), options=("--rounds", "12")
    ),
    Judged("cache"),
    Judged("clean"),
    Judged("pool", closes=True),
    Judged("wrapper", "heap", "wrapper_serve", "LEAK wrapper"),
    Judged("library", "heap", "library_serve", "LEAK caller"),
    Judged("heap", "heap", "heap_serve", "LEAK heap", jemalloc=True, name="jemalloc"),
    Judged("forked", "heap", "heap_serve", "LEAK heap"),
)
# The same leak, if the library is what the user answers for.
LIBRARY = Judged(
    *("library", "heap", "library_remember", "LEAK library", "judged_library.c"),
    options=("--own", "judged_library.so"),
    name="own-library",
)


# What grows is made in the program, which its own profiles tell.
MADE = (
    Judged("descriptor", "fds", makes="descriptor_serve", making="LEAK descriptor"),
    Judged("timer", "timers", makes="timer_serve", making="LEAK timer"),
    Judged("thread", "threads", makes="thread_serve", making="LEAK start"),
    Judged("locked", "threads", makes="locked_serve", making="LEAK pair"),
    Judged("mapping", "mappings", makes="mapping_serve", making="LEAK mapping"),
    Judged("child", "children", makes="child_serve", making="LEAK child"),
)


def jemalloc_path():
    """The library that redis-server comes with, or the machine's own."""
    tree = Redis().tree()
    found = glob.glob(tree.path("usr/lib/*/libjemalloc.so.2"))
    found += glob.glob("/usr/lib/*/libjemalloc.so.2")
    check(found, "no libjemalloc.so.2")
    return found[0]


def program(server):
    """The compiled server."""
    library = compiled(
        "judged_library.c", "-shared", "-fPIC", target="judged_library.so"
    )
    options = [library, f"-Wl,-rpath,{os.path.dirname(library)}"]
    if not server.jemalloc:
        return compiled("judged.c", *options)
    path = jemalloc_path()
    options += ["-Wl,--no-as-needed", path, f"-Wl,-rpath,{os.path.dirname(path)}"]
    return compiled("judged.c", *options, target="judged-jemalloc")


def line_of(file, marker):
    """The number of the line with this comment."""
    with open(os.path.join(SOURCES, file), encoding="utf-8") as source:
        return next(n for n, line in enumerate(source, 1) if f"/* {marker} */" in line)


def judged(server):
    """Has leakcheck judge the server with its defaults; returns the exit status, what it
    printed, the JSON report, and the seconds."""
    port = free_port()
    report = os.path.join(scratch(), "report.json")
    command = f"'{program(server)}' {server.kind} {port}"
    command += " closes" if server.closes else ""
    drive = ("--drive", f"http://127.0.0.1:{port}/")
    if server.by_command:
        drive = ("--drive-command", CALL.format(port=port))
    began = time.monotonic()
    done = run(
        *(os.path.join(BUILD, "leakcheck"), "--run", command, *drive),
        *("--json", report, *server.options),
        check_exit=False,
    )
    seconds = time.monotonic() - began
    check(done.returncode != 2, done.stderr)
    with open(report, encoding="utf-8") as file:
        return done.returncode, done.stdout, json.load(file), seconds


def verdict_check(server, status, text, figures):
    """Checks verdict, resource and blame."""
    resources = figures["resources"]
    over = {name for name, each in resources.items() if each["over"]}
    # Heap and stacks that leak are resident, and stacks are mapped; so that may be over
    # its limit, too.
    beside = {"heap": {"rss"}, "threads": {"rss", "mappings"}}.get(server.leaks, set())
    equal(over - beside, {server.leaks} - {""}, f"what grows: {text}")
    equal(status, int(bool(server.leaks)), text)
    equal(figures["verdict"], "leaks" if server.leaks else "holds", text)
    for name in ("heap", "threads", "fds", "timers", "children"):
        check(resources[name]["measured"], f"{name}: {text}")
    if server.function:
        blamed = resources[server.leaks]["blamed"]
        wanted = (server.function, server.file, line_of(server.file, server.marker))
        place = os.path.basename(blamed["file"])
        equal((blamed["function"], place, blamed["line"]), wanted, text)
