"""tests/programs/resource_storm.c under leakprobe: it makes and ends things as fast as it
can, and says what it has alive when it is quiet."""

import collections
import glob
import os
import re

from checks import equal
from http_request import request
from programs import Program, compiled, own_lines
from tree import ROOT

SOURCES = glob.glob(os.path.join(ROOT, "tests", "programs", "resources", "*.c"))
FILES = {os.path.basename(path) for path in SOURCES} | {"resource_storm.c"}
BUSY = {409, 503}


class Storm(Program):
    """The program; it is quiet at first. Its input are wishes."""

    def __init__(self, options):
        reader, self._writer = os.pipe()
        program = compiled("resource_storm.c", *SOURCES)
        probe = (*options, "--only", "resource_storm")
        super().__init__([program], probe=probe, stdin=reader)
        os.close(reader)
        self.wishes = 0

    def wish(self, what):
        self.wishes += 1
        os.write(self._writer, what.encode() + b"\n")

    def alive(self):
        """Waits until it is quiet; returns what it has alive: for each profile, for each
        function, two numbers."""
        end = f"\nquiet {self.wishes}\n".encode()
        self.await_(lambda: end in self.output(), f"rest {self.wishes}")
        text = self.output().partition(end)[0].rpartition(b"quiet")[2].decode()
        found = collections.defaultdict(dict)
        for row in re.findall(r"^(\w+) (\w+) (-?\d+) (-?\d+)$", text, re.M):
            found[row[0]][row[1]] = (int(row[2]), int(row[3]))
        return found

    def over(self):
        """Ends its input: all that it has checked was right. Returns how much it did."""
        os.close(self._writer)
        self._writer = os.open(os.devnull, os.O_WRONLY)
        equal(self.end(sign=None), 9, f"exit status: {self.errors()[-2000:]}")
        return int(re.findall(rb"steps (\d+)", self.output())[-1])

    def __exit__(self, *_):
        os.close(self._writer)
        super().__exit__()

    def page(self, target):
        """The reply; None if another such profile is being made."""
        try:
            reply = request(self.debug_port(), "GET", target, limit=60)
        except OSError as error:
            said = own_lines(self.errors())
            raise AssertionError(
                f"{target}: {error}, exit {self.process.poll()}, {said}"
            ) from None
        return None if reply.status in BUSY else reply.expect(200)
