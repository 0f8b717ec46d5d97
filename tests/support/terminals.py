"""Terminals, and what a script of the lab leaves running."""

import os
import pty
import select
import time

import pytest

from checks import check, wait_until


def processes_of(copy):
    """Ids of the processes that run a program of the copy, or run in it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            paths = [os.readlink(f"/proc/{pid}/{name}") for name in ("exe", "cwd")]
        except OSError:
            continue
        if any(path.startswith(copy) for path in paths):
            found.append(int(pid))
    return found


def nothing_left(copy):
    wait_until(lambda: not processes_of(copy), 8, "all that was started has ended")


class Terminal:
    """A script of a copy of the tree on a terminal of its own, as a person runs it."""

    def __init__(self, copy, script, *arguments, **environment):
        self.output = b""
        try:
            self.pid, self.fd = pty.fork()
        except OSError as error:
            pytest.skip(f"no terminals here: {error}")
        if self.pid == 0:
            os.environ.pop("BUILD", None)
            os.environ.pop("NO_COLOR", None)
            os.environ.update({"TERM": "xterm"} | environment)
            os.chdir("/")
            os.execv(os.path.join(copy, script), [script, *arguments])

    def read(self, limit):
        """Reads what comes within `limit` seconds; False at the end."""
        if not select.select([self.fd], [], [], limit)[0]:
            return True
        try:
            part = os.read(self.fd, 65536)
        except OSError:
            return False
        self.output += part
        return part != b""

    def wait_for(self, words, limit=60):
        end = time.monotonic() + limit
        while words.encode() not in self.output:
            check(self.read(0.1), f"ended without {words!r}: {self.output}")
            check(time.monotonic() < end, f"no {words!r} in {self.output}")

    def type(self, data):
        os.write(self.fd, data)

    def end(self, limit=30):
        """Waits for the end; returns the exit status."""
        stop = time.monotonic() + limit
        while self.read(0.1):
            check(time.monotonic() < stop, f"did not end: {self.output[-1000:]}")
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
