"""The traffic of a mystery: a process in the background that runs the server as its
child and calls all its routes, at a steady rate. They end together."""

import contextlib
import heapq
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

from learn import session
from learn.failure import Broken, UsageError
from learn.mysteries.mystery import DECOY, Dice, Mystery
from learn.place import MINE, ROOT, absolute, read
from learn.server import Gone, Hangs, Refused, Server

LOG = f"{MINE}/traffic.log"
HOURS = 2  # after which the server and its traffic end by themselves
STOP_SECONDS = 5  # that a server may take to end

# How fast the routes are called: with as many leaks as there may be, no guard rail is
# reached for LIFE seconds. Each of LEAKS leaks gets its share of what is free below the
# servers' default ceilings.
LIFE = 2000
LEAKS = 3
FREE = {"threads": 1800, "fds": 850, "timers": 2000}
HEAP_FREE = 448 * 2**20
HEAP_RATE = 48 * 1024  # bytes per second of one leak: seen within a minute
RAIL = 503  # the status with which a guard rail refuses a call
PERIOD = 1.0  # seconds between two calls of a route, at least
GROWING_BYTES = 128  # the main size where threads go on allocating by themselves

# The main sizes of the decoys: so large that they grow no less than the leaks at first.
DECOY_BYTES = {
    "cache-bounded": 64 * 1024,
    "pool-peak": 64 * 1024,
    "table-lazy": 128 * 1024,
    "allocator-keeps": 24 * 1024,
    "burst-ends": 64 * 1024,
}


def speed():
    """How many times faster than usual the traffic is: for the lab's own tests."""
    text = os.environ.get("LEARN_TRAFFIC_SPEED", "1")
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 1 <= value <= 1000:
        raise UsageError(
            f"LEARN_TRAFFIC_SPEED is a number from 1 to 1000, not '{text}'"
        )
    return value


# -- what `mystery` does with it -------------------------------------------------------


@contextlib.contextmanager
def launched(seed, leaks, program):
    """Starts the traffic with its server, and gives what is known of them. They go on
    after the block, but not after an exception in it, nor if this process is killed
    before its end."""
    speed()  # a wrong setting is told here, and not in the log
    command = (
        *(sys.executable, "-m", "learn.mysteries.traffic"),
        *(str(seed), str(leaks or 0), program),
    )
    pipe = subprocess.PIPE
    with open(absolute(LOG), "wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=pipe,
            stdout=pipe,
            stderr=log,
            start_new_session=True,
        )
    try:
        line = process.stdout.readline()
        if not line:
            said = read(LOG).strip().splitlines()
            raise Broken("the traffic does not start: " + (said or ["it ended"])[-1])
        yield json.loads(line)
        process.stdin.write(b"go\n")
        process.stdin.flush()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


# -- the plan --------------------------------------------------------------------------


def pace(listed, decoy_bytes=None, factor=1):
    """How to call a route, by what /scenarios says of it: seconds between calls, and
    the main size. The sizes are multiplied by a factor, so that they tell nothing."""
    bounds = next(item for item in listed["parameters"] if item["name"] == "bytes")
    leaves = listed["leaves"]
    period = max(
        [PERIOD] + [LIFE * leaves[name] * LEAKS / free for name, free in FREE.items()]
    )
    if decoy_bytes is not None:
        return period, int(decoy_bytes * factor)
    if listed["growth_bytes_per_second"] > 0:
        # A thread a call, and each adds `rate`: in all rate * LIFE^2 / (2 * period).
        rate = listed["growth_bytes_per_second"] * GROWING_BYTES / bounds["default"]
        return max(period, rate * LIFE**2 / 2 / (HEAP_FREE / LEAKS)), GROWING_BYTES
    blocks = max(1, leaves["heap_bytes"] // bounds["default"])
    size = max(bounds["min"], int(factor * HEAP_RATE * period / blocks))
    return max(period, blocks * size / HEAP_RATE), min(size, bounds["max"])


def guest(dice):
    """The id of a caller: short names are common, long ones are rare."""
    length = 4 + int(36 * dice.random() ** 3)
    return "".join(dice.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(length))


class Ended(Exception):
    """The server has ended."""


class Traffic:
    """The calls to one server. `paces` has for each route what pace() says."""

    def __init__(self, server, paces, seed, faster):
        self.server = server
        self.dice = random.Random(seed)
        self.paces = {
            route: (period / faster, size) for route, (period, size) in paces.items()
        }
        now = time.monotonic()
        self.due = [
            (now + self.dice.random() * period, route)
            for route, (period, _) in self.paces.items()
        ]
        heapq.heapify(self.due)

    def step(self):
        """Waits until the next call is due, and makes it. Raises Ended if the server
        has ended, Refused if a guard rail has refused the call. Any other failure of a
        call is ignored."""
        when, route = self.due[0]
        if self.waited(when - time.monotonic()):
            raise Ended
        period, size = self.paces[route]
        try:
            self.server.call(route, id=guest(self.dice), bytes=size)
        except (Gone, Hangs):
            pass
        except Refused as refused:
            if refused.status == RAIL:
                raise
        again = time.monotonic() + period * (0.5 + self.dice.random())
        heapq.heapreplace(self.due, (again, route))

    def waited(self, seconds):
        """Waits, but not beyond the server's end. Whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.server.process.wait(max(0, seconds))
            return True
        return False


# -- the process -----------------------------------------------------------------------


def serve(seed, leaks, program):
    """Runs the server and its traffic to their end."""
    mystery = Mystery(seed, leaks)
    decoys = {each.name: each.scenario for each in mystery.routes if each.kind == DECOY}
    directory = absolute(session.SERVED)
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    # If this process is killed, the kernel kills the server.
    bound = ("setpriv", "--pdeathsig", "KILL")
    with Server(program, wrapper=bound, directory=directory) as server:
        dice = Dice(seed)
        paces = {}
        for listed in server.json("/scenarios?answers=1"):
            decoy = decoys.get(listed["name"])
            factor = 0.75 + dice.below(100) / 200
            paces[listed["name"]] = pace(listed, DECOY_BYTES.get(decoy), factor)
        traffic = Traffic(server, paces, seed, speed())
        announce(server)
        try:
            if sys.stdin.readline() == "go\n":
                run(traffic)
        finally:
            server.end(STOP_SECONDS)


def announce(server):
    """Tells `mystery` where the server is, in the form that session.end() takes. This
    process is the keeper: the server ends with it."""
    told = {
        "keeper": session.identity(os.getpid()),
        "process": session.identity(server.pid),
        "url": server.url,
        "debug": server.debug,
    }
    print(json.dumps(told), flush=True)


def run(traffic):
    """Calls until the time is over, or the server has ended. When a guard rail refuses
    a call, the calls end, and the server stays to be looked at."""
    end = time.monotonic() + HOURS * 3600
    try:
        while time.monotonic() < end:
            traffic.step()
    except Refused as refused:
        print(f"the calls have ended: {refused}", file=sys.stderr, flush=True)
        traffic.waited(end - time.monotonic())
    except Ended:
        pass


def quit_on_signal(_number, _frame):
    """Leaves through every `finally`."""
    sys.exit(0)


def main():
    """Takes a seed, the number of leaks (0: the seed says it) and the server's path."""
    seed, leaks, program = sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, quit_on_signal)
    try:
        serve(int(seed), int(leaks) or None, program)
    except (Broken, Gone, Hangs, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
