"""The main thread has ended, and another one goes on: /proc/PID has no longer what the
threads share. The pages show the process as it is all the same."""

import contextlib
import os
import re

from checks import check, equal
from programs import Program, compiled
from reach_sums import reach_sums


@contextlib.contextmanager
def without_main():
    reader, writer = os.pipe()
    program = Program([compiled("main_over.c")], probe=(), stdin=reader)
    os.close(reader)
    with program, os.fdopen(writer, "wb") as kept_open:
        program.await_(lambda: b"ready" in program.output(), "end of the main thread")
        yield program
        kept_open.close()
        equal(program.end(sign=None), 0, "exit status")


def living(program):
    """The directory in /proc of a thread that goes on."""
    directory = f"/proc/{program.pid}/task"
    others = [tid for tid in os.listdir(directory) if int(tid) != program.pid]
    return f"{directory}/{others[0]}"


def test_figures_and_profiles():
    """Descriptors, memory and mappings are those of the threads that go on."""
    with without_main() as program:
        equal(os.listdir(f"/proc/{program.pid}/fd"), [], "descriptors of the main thread")
        status = program.get("/status").json()
        check(status["fds"] >= 3, f"{status['fds']} descriptors")
        check(status["mappings"] >= 10, f"{status['mappings']} mappings")
        check(status["memory"]["rss_bytes"] > 100_000, str(status["memory"]))
        check(status["memory"]["peak_rss_bytes"] > 100_000, str(status["memory"]))
        program.get("/debug/pprof/mmaps?debug=1")  # the first loads what reads symbols
        text = program.get("/debug/pprof/mmaps?debug=1").text
        with open(f"{living(program)}/maps", encoding="ascii") as file:
            mapped = len(file.readlines())
        total = int(re.match(r"mmaps profile: total (\d+)", text)[1])
        check(abs(total - mapped) <= 3, f"{total} mappings, the kernel lists {mapped}")
        text = program.get("/debug/pprof/fds?debug=1").text
        check(re.search(r"made unseen\n(#\t.*\n)*#\t0 pipe:", text), text)


def test_what_is_lost():
    """The main thread need not be stopped, and what was on its stack holds nothing."""
    with without_main() as program:
        text = program.get("/debug/pprof/lost?debug=1").text
        equal(reach_sums(text).lost, (1, 1000), f"lost: {text}")
        text = program.get("/debug/pprof/retained?debug=1").text
        check("global kept" in text and "2000 @" in text, text)
        check("kernel: epoll" in text and "3000 @" in text, text)
        check("mapping [stack]" in text and "4000 @" in text, text)


def test_stacks():
    """The main thread has none any more, and is not waited for."""
    with without_main() as program:
        text = program.get("/debug/pprof/goroutine?debug=2").text
        main = f'thread {program.pid} "main_over" [dead, '
        _, found, rest = text.partition(main)
        check(found and rest.partition("\n")[2].startswith("no stack: it has ended\n"), text)
        check("work\n" in text, "the thread that goes on")
