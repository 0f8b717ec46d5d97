"""What the kernel counts of a server, beside what the server says of itself. A
learner's code is part of its server and could change what that says; it cannot
change this."""

import concurrent.futures
import dataclasses
import math
import os
import secrets
import time

from learn.homework import kernel

CALL_SECONDS = 30  # these requests are many calls in one
SETTLE_SECONDS = 5
STEP_SECONDS = 0.02
SAME_SAMPLES = 15
SEEN_BYTES = 48 << 20  # so much must be left behind to be seen among all else
MOST_CALLS = 10000  # that one request can ask for
FEW_CALLS = 8  # enough where the kernel counts one by one
MOST_COUNTED = 500  # threads, descriptors or timers that all calls leave: guard rails
HOLD_SECONDS = 0.3  # how long a temporary one is at its peak
COUNTED = ("threads", "fds", "timers")


class Unseen(Exception):
    """The kernel does not show it."""


@dataclasses.dataclass
class Figures:
    """What a process and all that it started have. Memory in bytes: resident or swapped
    out now, and the most that was ever resident."""

    threads: int = 0
    fds: int = 0
    timers: int = 0
    memory: int = 0
    peak: int = 0


def add_process(total, pid):
    """Adds what one process has."""
    base = kernel.shown(pid)
    with open(f"{base}/status", encoding="utf-8", errors="replace") as file:
        said = dict(line.split(":", 1) for line in file if ":" in line)
    total.threads += int(said["Threads"])
    total.memory += 1024 * sum(
        int(said[name].split()[0]) for name in ("VmRSS", "VmSwap") if name in said
    )
    total.peak += 1024 * int(said.get("VmHWM", "0").split()[0])
    total.fds += len(os.listdir(f"{base}/fd"))
    with open(f"/proc/{pid}/timers", encoding="ascii") as file:
        total.timers += sum(line.startswith("ID:") for line in file)


def figures(server):
    """What a server has now, with everything below it."""
    total = Figures()
    ancestor = server.process.pid
    for pid in (ancestor, *kernel.descendants(ancestor)):
        try:
            add_process(total, pid)
        except (FileNotFoundError, ProcessLookupError, KeyError):
            continue  # it has just ended
        except OSError as error:
            raise Unseen(f"the kernel does not show what it has: {error}") from None
    return total


def settled(server, before=None):
    """What a server has when its counts are no greater than `before` or, without that,
    when they stay as they are. A thread that just ends, or a connection of ours that is
    just being closed, is nothing that stays."""
    end = time.monotonic() + SETTLE_SECONDS
    last, same = None, 0
    while True:
        now = figures(server)
        counts = [getattr(now, name) for name in COUNTED]
        same = same + 1 if counts == last else 0
        last = counts
        if before is None and same >= SAME_SAMPLES:
            return now
        if before is not None and all(
            count <= getattr(before, name) for name, count in zip(COUNTED, counts)
        ):
            return now
        if time.monotonic() > end:
            return now
        time.sleep(STEP_SECONDS)


@dataclasses.dataclass(frozen=True)
class Measure:
    """How a case is measured, by what the pair declares: the request, and what it
    leaves (or holds, if it is `temporary`) in the leaky half."""

    request: dict
    memory: int
    counted: dict
    temporary: bool


def plan(told):
    """The Measure for an item of /scenarios; None if the kernel could see nothing."""
    if told["kind"] == "churn":
        return None
    temporary = told["kind"] == "temporary"
    amounts = told["holds" if temporary else "leaves"]
    counted = {name: amounts[name] for name in COUNTED if amounts[name]}
    request = {"id": secrets.token_hex(4)}  # nothing that could be known before
    if temporary:
        memory = 0 if counted else amounts["heap_bytes"] + amounts["stack_bytes"]
        request["hold"] = int(HOLD_SECONDS * 1000)
        return Measure(request, memory, counted, True)
    if counted:
        calls = max(1, min(FEW_CALLS, MOST_COUNTED // max(counted.values())))
        counted = {name: each * calls for name, each in counted.items()}
        return Measure(request | {"count": calls}, 0, counted, False)
    heap = amounts["heap_bytes"]
    calls = min(MOST_CALLS, max(FEW_CALLS, math.ceil(SEEN_BYTES / heap)))
    return Measure(request | {"count": calls}, heap * calls, {}, False)


def growth(server, name, measure):
    """What a server takes more by the request of a measure: the counts, memory after
    it, and the peak since the server began. The first requests fill what has a
    limit."""
    begin = figures(server)
    for _ in range(2):
        server.call(name, CALL_SECONDS, **measure.request)
    before = settled(server)
    if measure.temporary:
        after = meanwhile(server, name, measure)
    else:
        server.call(name, CALL_SECONDS, **measure.request)
        after = settled(server, before)
    grown = {each: getattr(after, each) - getattr(before, each) for each in COUNTED}
    memory, peak = after.memory - before.memory, after.peak - begin.peak
    return grown | {"memory": memory, "peak": peak}


def meanwhile(server, name, measure):
    """The greatest of each figure during a request."""
    most = Figures()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        done = pool.submit(server.call, name, CALL_SECONDS, **measure.request)
        while True:
            ended = done.done()
            now = dataclasses.asdict(figures(server))
            most = Figures(*(max(now[name], getattr(most, name)) for name in now))
            if ended:
                done.result()
                return most


def excess(mine, model, measure):
    """Of two growths, in words by how much the first is over the lab's; None if it is
    not. What is half of the leak is one."""
    when = "during a call" if measure.temporary else "after the calls"
    for name, leaked in measure.counted.items():
        if mine[name] - model[name] >= max(1, leaked / 2):
            return f"the kernel counts {mine[name]} more {name} {when}"
    kind = "peak" if measure.temporary else "memory"
    over = mine[kind] - model[kind]
    if measure.memory and over >= measure.memory / 2:
        return f"the kernel counts {over >> 20} MiB more memory {when}"
    return None
