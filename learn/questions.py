"""What a graded server is asked, and what its /status says of what is left."""

import dataclasses
import random
import time

from learn.server import CALL_SECONDS, Gone, Hangs, Refused

STACK_BYTES = 9 << 20  # more than a thread's stack has room for
AT_ONCE = 4  # calls at the same time
LONG_ENOUGH = 0.02  # seconds
MOST_REPEATED = 1024
NAMES = ("threads", "timers", "fds", "heap")

dice = random.SystemRandom()


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The bounds of a case's bytes=N."""

    low: int
    usual: int
    most: int


def sizes_of(server, scenario):
    """The bounds that a server of the lab tells."""
    listed = server.json("/scenarios")
    told = next(item for item in listed if item["name"] == scenario)
    bounds = next(item for item in told["parameters"] if item["name"] == "bytes")
    return Sizes(bounds["min"], bounds["default"], bounds["max"])


def answered(sizes, churn):
    """What is asked for the answers: several ids, sizes and counts. Some are new each
    time, so that no answer can be written down; one is larger than usual, for buffers
    of a fixed size. `churn`: a call is cheap in memory, so that may be larger still."""
    small = min(sizes.usual, max(sizes.low, 8192))
    large = max(2 * sizes.usual, STACK_BYTES if churn else 0)
    unusual = f"%{dice.randrange(10**9)}'\"\\ {dice.randrange(10**9)}"
    return (
        {"id": "first"},
        {"id": f"guest-{dice.randrange(10**6)}", "bytes": small},
        {"id": unusual, "bytes": min(sizes.most, small + dice.randrange(1, 999))},
        {"id": f"large {dice.randrange(10**6)}", "bytes": min(sizes.most, large)},
        {"id": "first", "bytes": sizes.low, "count": 2},
        {"id": f"guest-{dice.randrange(10**6)}", "bytes": small, "count": 3},
        {"id": "last " + "x" * 100, "bytes": small},
    )


def new_sizes(sizes, number=4):
    """What is asked with ids and sizes that were not asked before. The sizes are about
    the usual one, so that a full cache of so many things stays as large as it is."""
    least = max(sizes.low, sizes.usual * 3 // 4)
    most = min(sizes.most, sizes.usual * 5 // 4)
    picked = [dice.randint(least, most) for _ in range(number)]
    return [{"id": f"new-{dice.randrange(10**9)}", "bytes": size} for size in picked]


def together(server, scenario, sizes):
    """What is asked at the same time, with what a server of the lab answers to it. Each
    repeats its work until it takes long enough for the others to meet it."""
    small = min(sizes.usual, max(sizes.low, 8192))
    found, count = [], 1
    for number in range(AT_ONCE):
        question = {"id": f"together-{dice.randrange(10**9)}-{number}", "bytes": small}
        begin = time.monotonic()
        answer = server.call(scenario, **question, count=count)
        while time.monotonic() - begin < LONG_ENOUGH and count < MOST_REPEATED:
            try:
                begin = time.monotonic()
                answer = server.call(scenario, **question, count=4 * count)
            except Refused:
                break
            count *= 4
        found.append((question | {"count": count}, answer))
    return found


def held(server, name):
    """How many things a scenario keeps, by /status, and after how many calls; 0 if the
    server is not there."""
    try:
        told = server.json("/status")["scenarios"][name]
        return int(told["held"]), int(told["calls"])
    except (Gone, Hangs, Refused, KeyError, TypeError, ValueError):
        return 0, 0


def counts(server):
    """What the process has now. The figures of /status have an age, so this asks until
    they are new. Raises Gone if they are damaged."""
    begin = time.monotonic()
    try:
        told = server.json("/status")
        asked = begin
        while asked - told["age_ms"] / 1000 < begin:
            if asked > begin + CALL_SECONDS:
                raise Hangs("/status")
            time.sleep(0.02)
            asked = time.monotonic()
            told = server.json("/status")
        found = [told["threads"], told["timers"], told["fds"]]
        return dict(zip(NAMES, map(int, [*found, told["memory"]["alloc_bytes"]])))
    except (KeyError, TypeError, ValueError):
        raise Gone("/status is damaged") from None


def settled(server, limits, seconds):
    """Waits until nothing is over its limit, or for so long. Returns the counts then, and
    the name of the first that is over; None if none is."""
    end = time.monotonic() + seconds
    while True:
        late = time.monotonic() > end
        now = counts(server)
        over = next((name for name in NAMES if now[name] > limits[name]), None)
        if over is None or late:
            return now, over
