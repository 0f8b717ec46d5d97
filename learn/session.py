"""The learner's cases: which is on, its source in mine/, and its server."""

import contextlib
import os
import shutil
import signal
import time

from learn import source
from learn.case import cases, find
from learn.failure import UsageError
from learn.place import MINE, absolute
from learn.server import Client, Server

SERVED = f"{MINE}/server"  # what the learner's server writes
HOURS = 8  # after which a forgotten server ends by itself

# The profiler that can say who holds a block, and which blocks are lost.
PROFILER = ("--profile", "recorder")


def route(case):
    """Where the case's server calls it."""
    return f"/leak/{case.name}"


def heading(case):
    """What begins the case's source."""
    return f"{case.name}: {case.title}"


def untouched(case):
    """The source as `start` lays it out."""
    return source.lay_out(case.leaky, heading(case), route(case))


def solution(case):
    """The lab's own solution, in the same form."""
    return source.lay_out(case.fixed, heading(case), route(case), told=True)


def current(known):
    """The case that the learner is at."""
    if "current" not in known:
        raise UsageError("no case is started: ./learn.sh start")
    return find(known["current"])


def following(known):
    """The next case to start: the first unsolved one after the current one, or else the
    first of all. None if all are solved."""
    unsolved = [
        case for case in cases() if not known["cases"].get(case.name, {}).get("solved")
    ]
    if not unsolved:
        return None
    here = find(known["current"]).number if "current" in known else 0
    return next((case for case in unsolved if case.number > here), unsolved[0])


# -- the server that runs while the learner looks --------------------------------------


def identity(pid):
    """A process id and when the process began, in clock ticks since the machine did:
    the id alone may be another's by the next command. None if the process has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else [pid, int(fields[19])]


def lives(known):
    """Whether a process is the one whose identity was kept, and runs."""
    return known is not None and identity(known[0]) == known


def running(known):
    """A Client of the learner's server; None if that does not run."""
    told = known.get("server")
    if told and lives(told["process"]):
        return Client(told["process"][0], told["url"], told["debug"])
    return None


def end_all(known):
    """Ends what earlier commands left running: a case's server, or a mystery's with its
    traffic. Whether something ran."""
    places = (known, known.get("mystery", {}))
    told = [place.pop("server") for place in places if "server" in place]
    return any([end(each) for each in told])  # a list: all are ended, not the first


def serve(program, ports=(0, 0)):
    """Starts a server that outlives this command. What is known of it."""
    directory = absolute(SERVED)
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    keeper = ("timeout", "--kill-after=5", f"{HOURS}h")
    server = Server(
        program, *PROFILER, ports=ports, wrapper=keeper, directory=directory
    )
    server.process.stdout.close()
    return {
        "keeper": identity(server.process.pid),
        "process": identity(server.pid),
        "url": server.url,
        "debug": server.debug,
    }


def end(told):
    """Kills a server that an earlier command started, if it still runs, with its
    children. What it leaves behind is all in its directory. Whether it ran."""
    runs = lives(told["process"])
    if lives(told["keeper"]):  # the leader of the group
        with contextlib.suppress(ProcessLookupError):
            os.killpg(told["keeper"][0], signal.SIGKILL)
        while lives(told["keeper"]) or lives(told["process"]):
            time.sleep(0.005)
        shutil.rmtree(absolute(SERVED), ignore_errors=True)
    return runs
