#!/usr/bin/python3
"""Thirty servers that one Prometheus asks every 5 s, as a class has them: whether all
are up at every turn, and the processor time that it takes."""

import contextlib
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))

import bench  # noqa: E402
from checks import check, wait_until  # noqa: E402
from prometheus import Monitor  # noqa: E402
from servers import Server  # noqa: E402
from tree import scratch  # noqa: E402

SERVERS = 30
INTERVAL = 5
TURNS = 12  # a minute
# Of one core. It took 1 % of one here, the servers included.
CPU_BOUND = 0.25


def write_targets(directory, servers):
    """One file for each learner."""
    for number, server in enumerate(servers):
        target = {
            "targets": [f"127.0.0.1:{server.debug_port}"],
            "labels": {"learner": f"{number:02}"},
        }
        path = os.path.join(directory, f"{number:02}.json")
        with open(path, "w", encoding="ascii") as file:
            json.dump([target], file)


def cpu_seconds(pids):
    """User and system time of processes."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def prometheus_of(monitor):
    path = f"/proc/{monitor.process.pid}/task/{monitor.process.pid}/children"
    with open(path, encoding="ascii") as file:
        children = file.read().split()
    for pid in children:
        with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
            if comm.read().strip() == "prometheus":
                return int(pid)
    raise AssertionError(f"no prometheus among {children}")


def measure(monitor, servers):
    """Watches for a minute; returns the time it took, and the processor time of
    Prometheus and of the servers."""
    watcher = [prometheus_of(monitor)]
    asked = [server.pid for server in servers]
    everyone = f"count(up == 1) == {SERVERS}"
    wait_until(lambda: monitor.query(everyone), limit=60, what="all are up")
    before = cpu_seconds(watcher), cpu_seconds(asked)
    started = time.monotonic()
    time.sleep(INTERVAL * TURNS)  # this is what is measured
    took = time.monotonic() - started
    return (
        took,
        cpu_seconds(watcher) - before[0],
        cpu_seconds(asked) - before[1],
    )


def check_samples(monitor):
    """In any minute each server has a sample for each turn, and was up at all."""
    window = f"[{INTERVAL * TURNS}s]"
    counts = monitor.query(f"count_over_time(up{window})")
    least = monitor.query(f"min_over_time(up{window})")
    check(len(counts) == SERVERS, f"{len(counts)} servers")
    for labels, count in counts:
        check(count == TURNS, f"{count} of {TURNS} samples of {labels}")
    check({value for _, value in least} == {1.0}, f"not always up: {least}")
    slowest = monitor.query("max(max_over_time(scrape_duration_seconds[1m]))")[0][1]
    series = monitor.query("sum(scrape_samples_scraped)")[0][1]
    return slowest, series


def main():
    targets = scratch()
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(Server("fixed", "--max-heap", "32M"))
            for _ in range(SERVERS)
        ]
        write_targets(targets, servers)
        with Monitor("--targets", f"{targets}/*.json") as monitor:
            took, watcher, asked = measure(monitor, servers)
            slowest, series = check_samples(monitor)
    share = (watcher + asked) / took
    print(
        f"{SERVERS} servers, every {INTERVAL} s for {took:.0f} s, {series:.0f} series: "
        f"{TURNS} of {TURNS} samples of each, all up; slowest reply "
        f"{slowest * 1000:.1f} ms; of one core Prometheus took {watcher / took:.1%}, "
        f"the servers {asked / took:.1%} together (bound {CPU_BOUND:.0%})"
    )
    check(share < CPU_BOUND, f"{share:.1%} of a core")
    return True


if __name__ == "__main__":
    bench.run(main)
