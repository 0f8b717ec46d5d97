#!/usr/bin/python3
"""How reliable leakcheck --run is: judges each of the twelve small servers ten times in a
row (or as often as the argument says), and prints how often verdict and line were right,
and the seconds that it took. Exit 0 if all were right."""

import concurrent.futures
import os
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))

import bench  # noqa: E402
from judged import LIBRARY, TWELVE, judged, program, verdict_check  # noqa: E402
from tree import scratch  # noqa: E402

TOGETHER = 3  # servers at the same time: most of the time they wait


def runs(server, count):
    """The seconds of each run, and what was wrong."""
    seconds, wrong = [], []
    for _ in range(count):
        try:
            *said, took = judged(server)
            seconds.append(took)
            verdict_check(server, *said)
        except AssertionError as error:
            wrong.append(str(error))
    return seconds, wrong


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    tempfile.tempdir = scratch()
    servers = (*TWELVE, LIBRARY)
    for server in servers:
        program(server)
    held = True
    print(f"{'server':<14}{'leaks':<10}{'right':>8}{'seconds':>9}{'slowest':>9}")
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        results = pool.map(lambda server: runs(server, count), servers)
        for server, (seconds, wrong) in zip(servers, results):
            right = f"{count - len(wrong)}/{count}"
            median, most = statistics.median(seconds or [0]), max(seconds or [0])
            print(
                f"{str(server):<14}{server.leaks or '-':<10}{right:>8}{median:9.1f}{most:9.1f}",
                flush=True,
            )
            for each in wrong:
                held = False
                print(each, flush=True)
    return held


if __name__ == "__main__":
    bench.run(main)
