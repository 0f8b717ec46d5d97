#!/usr/bin/python3
"""Both servers under Valgrind, on a build without gperftools: the fixed one has no
errors and loses nothing, and of the leaky one Valgrind finds just what is lost."""

import re

import lab
from lab import check, equal, test

CALLS = 20
LIMITS = ("--max-threads", "4000", "--max-timers", "20000", "--max-fds", "4000")
ERROR = re.compile(r"^==\d+== ERROR SUMMARY: (\d+) errors", re.MULTILINE)
LOST = re.compile(
    r"^==\d+==\s+(definitely|indirectly) lost: ([\d,]+) bytes", re.MULTILINE
)

build = lab.scratch()
lab.run(
    *("make", "-s", "-j2", f"BUILD={build}", "ALLOCATOR=libc"),
    *(f"{build}/leaky", f"{build}/fixed"),
    cwd=lab.ROOT,
    limit=200,
)


def run(name):
    """Calls every scenario on one server under Valgrind; returns Valgrind's report, and
    the server's functions by scenario."""
    wrapper = (
        *("valgrind", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect"),
        *("--num-callers=40", "--max-threads=2000", "--error-limit=no"),
        "--show-leak-kinds=definite,indirect",
    )
    server = lab.Server(name, *LIMITS, build=build, wrapper=wrapper, limit=60)
    for scenario in server.scenarios():
        size = lab.small_bytes(scenario)
        server.leak(scenario["name"], bytes=size, count=CALLS, limit=120)
    server.get("/status").expect(200)
    server.stop(limit=60)
    report = server.errors()
    check("HEAP SUMMARY" in report, f"no report: {report[-3000:]}")
    # The server's child, its upstream, reports too: the server's own is what counts.
    own = [line for line in report.splitlines() if line.startswith(f"=={server.pid}==")]
    return "\n".join(own), lab.owners(server.program)


@test("fixed: every scenario 20 times, 0 errors, 0 bytes definitely or indirectly lost")
def _():
    report, _ = run("fixed")
    equal(ERROR.findall(report), ["0"], f"errors: {report[:6000]}")
    lost = {kind: size for kind, size in LOST.findall(report)}
    check(set(lost.values()) <= {"0"}, f"lost: {lost}")


@test("leaky: no errors but what is lost, as LeakSanitizer finds it")
def _():
    report, owners = run("leaky")
    found = set()
    # One paragraph an error; Valgrind ends each with an empty line.
    for block in re.split(r"^==\d+== ?$", report, flags=re.MULTILINE):
        names = re.findall(r"0x[0-9A-F]+: (\w+) \(", block)
        if " are definitely lost in " in block or " are indirectly lost in " in block:
            guilty = {owners[name] for name in names if name in owners}
            check(guilty, f"lost by no scenario:\n{block}")
            found |= guilty
        else:
            check(
                not re.search(r"^==\d+== +(at|by) 0x", block, re.M),
                f"an error:\n{block}",
            )
    # At exit the C library takes the buffers away from all open files; LeakSanitizer
    # looks before that, Valgrind after it.
    equal(
        sorted(found),
        sorted(lab.LOST | {"file-unclosed"}),
        "scenarios that lose memory",
    )


lab.main()
