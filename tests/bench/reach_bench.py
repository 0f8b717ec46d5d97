#!/usr/bin/python3
"""What a question for lost blocks costs a program with 1 GiB of heap and 100 threads: how
long its threads stand still, when the answer comes, the processor time, and the memory of
the copy. Of several questions the quickest counts, because other work on the machine only
adds to it."""

import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))

import bench  # noqa: E402
from checks import check  # noqa: E402
from commands import run  # noqa: E402
from http_request import request  # noqa: E402
from processes import descendants  # noqa: E402
from programs import LEAKPROBE, Program  # noqa: E402
from tree import scratch  # noqa: E402

THREADS = 100
ROUNDS = 7
STOPPED_BOUND_MS = 100.0
# Blocks, and their bytes, 1 GiB each; and when the answer is to come, in seconds.
HEAPS = ((2097152, 512, 5.0), (8388608, 128, 10.0))
TICK = os.sysconf("SC_CLK_TCK")


def compiled():
    program = os.path.join(scratch(), "reach_heap")
    source = os.path.join(HERE, "reach_heap.c")
    run("gcc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-pthread", "-o", program, source)
    return program


def copies_cpu(pid):
    """Processor time of the copies that have ended, in seconds."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / TICK


def asked(program):
    """One question: how long the threads stood still in ms, when the answer came in
    seconds, and the processor time of the copy."""
    cpu = copies_cpu(program.pid)
    began = time.monotonic()
    reply = request(
        program.debug_port(), "GET", "/debug/pprof/lost?debug=1", limit=120
    ).expect(200)
    took = time.monotonic() - began
    found = re.search(r"(\d+) threads stopped for ([\d.]+) ms", reply.text)
    check(int(found[1]) >= THREADS, f"{found[0]}: too few")
    lost = int(re.match(r"lost: (\d+): ", reply.text)[1])
    check(lost > 0, "nothing was lost")
    return float(found[2]), took, copies_cpu(program.pid) - cpu


def own_memory(pid):
    """What a process alone has written, in MiB; of the copy, its answer too, before the
    program reads that, and the pages that the program has written to meanwhile."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Private_Dirty:\s+(\d+)", file.read(), re.M)[1]) / 1024


def copy_memory(program):
    """The most memory that the copy had, looked at now and then, in MiB."""
    target = "/debug/pprof/lost?debug=1"
    url = f"http://127.0.0.1:{program.debug_port()}{target}"
    most = 0.0
    with subprocess.Popen(["curl", "-s", "-o", "/dev/null", url]) as client:
        while client.poll() is None:
            try:
                copies = descendants({program.pid}) - {program.pid}
                most = max([most, *map(own_memory, copies)])
            except (OSError, TypeError):
                pass  # it has just ended
            time.sleep(0.02)
    return most


def measure(program, blocks, size, bound):
    """Asks; prints what it took, and returns whether it is within the bounds."""
    rounds = [asked(program) for _ in range(ROUNDS)]
    stopped, took, cpu = (min(values) for values in zip(*rounds))
    good = stopped < STOPPED_BOUND_MS and took < bound
    print(
        f"lost blocks of {blocks} of {size} bytes, {THREADS} threads: stopped for "
        f"{stopped:.1f} ms (bound {STOPPED_BOUND_MS:.0f}), answer after {took:.2f} s "
        f"(bound {bound:.0f}), {cpu:.2f} s of processor time in the copy, "
        f"which had {copy_memory(program):.0f} MiB; the longest stop of {ROUNDS} was "
        f"{max(each[0] for each in rounds):.1f} ms: {'ok' if good else 'TOO SLOW'}",
        flush=True,
    )
    return good


def main():
    check(os.access(LEAKPROBE, os.X_OK), f"there is no {LEAKPROBE}")
    path = compiled()
    good = True
    for blocks, size, bound in HEAPS:
        reader, writer = os.pipe()
        command = [path, blocks, size, THREADS]
        with Program(command, probe=(), stdin=reader) as program:
            program.await_(lambda: b"ready" in program.output(), "its heap")
            good &= measure(program, blocks, size, bound)
        os.close(reader)
        os.close(writer)
    return good


if __name__ == "__main__":
    bench.run(main)
