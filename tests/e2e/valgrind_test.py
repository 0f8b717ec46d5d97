"""Both servers under Valgrind, on a build without gperftools: the fixed one has no
errors, loses nothing and has joined every thread, and of the leaky one Valgrind finds
just what is lost."""

import re
import socket

import pytest

from builds import built
from checks import check, equal
from commands import run
from scenarios import LOST, owners, small_bytes
from servers import Server
from tree import scratch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.one_of("thorough", "valgrind"),
]
CALLS = 20
LIMITS = ("--max-threads", "4000", "--max-timers", "20000", "--max-fds", "4000")
ERROR = re.compile(r"^==\d+== ERROR SUMMARY: (\d+) errors", re.MULTILINE)
LOST_BYTES = re.compile(r"^==\d+==\s+(\w+) lost: ([\d,]+) bytes", re.MULTILINE)
# Of the leaky server's threads many never end. Each has memory of the C library, which
# nothing but the thread itself points into: Valgrind's "possibly lost".
NO_THREADS = (
    "--errors-for-leak-kinds=definite,indirect",
    "--show-leak-kinds=definite,indirect",
)


@pytest.fixture(scope="module", autouse=True)
def started():
    """Builds both servers without gperftools; sets the directory."""
    global build
    build = built("CC=gcc", "ALLOCATOR=libc")


def call_all(name, *options):
    """Calls every scenario on one server under Valgrind with these options; returns
    Valgrind's report, and the server's functions by scenario."""
    wrapper = (
        *("valgrind", "--leak-check=full", "--num-callers=40", "--max-threads=2000"),
        *("--error-limit=no", *options),
    )
    server = Server(name, *LIMITS, build=build, wrapper=wrapper, limit=60)
    for scenario in server.scenarios():
        size = small_bytes(scenario)
        server.leak(scenario["name"], bytes=size, count=CALLS, limit=120)
    server.get("/status").expect(200)
    server.stop(limit=60)
    report = server.errors()
    check("HEAP SUMMARY" in report, f"no report: {report[-3000:]}")
    # The server's child, its upstream, reports too: the server's own is what counts.
    own = [line for line in report.splitlines() if line.startswith(f"=={server.pid}==")]
    return "\n".join(own), owners(server.program)


def test_fixed_every_scenario_20_times_0_errors_0_bytes_lost():
    """Fixed: every scenario 20 times, 0 errors, 0 bytes lost, not even possibly."""
    report, _ = call_all("fixed")
    equal(ERROR.findall(report), ["0"], f"errors: {report[:6000]}")
    if "All heap blocks were freed" not in report:
        none = {"definitely": "0", "indirectly": "0", "possibly": "0"}
        equal(dict(LOST_BYTES.findall(report)), none, "bytes lost")


def test_fixed_0_errors_also_when_it_cannot_start():
    """Fixed: 0 errors also when it cannot start, and when nothing was asked of it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(
            *("valgrind", "--leak-check=full", "--error-exitcode=99"),
            *(f"{build}/fixed", "--port", taken.getsockname()[1]),
            *("--debug-port", "0", "--profile-dir", scratch()),
            check_exit=False,
        )
    equal(done.returncode, 1, f"exit: {done.stderr[-3000:]}")
    server = Server(
        *("fixed", "--upstream", "http://127.0.0.1:9"),
        build=build,
        wrapper=("valgrind", "--leak-check=full", "--error-exitcode=99"),
    )
    server.stop(limit=60)


def test_leaky_no_errors_but_what_is_lost():
    """Leaky: no errors but what is lost, as LeakSanitizer finds it."""
    report, owned = call_all("leaky", *NO_THREADS)
    found = set()
    # One paragraph an error; Valgrind ends each with an empty line.
    for block in re.split(r"^==\d+== ?$", report, flags=re.MULTILINE):
        names = re.findall(r"0x[0-9A-F]+: (\w+) \(", block)
        if " are definitely lost in " in block or " are indirectly lost in " in block:
            guilty = {owned[name] for name in names if name in owned}
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
        sorted(LOST | {"file-unclosed"}),
        "scenarios that lose memory",
    )
