"""A program that says "ready PID", it and the children that it forks, and then waits for
the end of its input."""

import os
import re

from programs import Program

READY = re.compile(rb"^ready (\d+)$", re.M)


class WaitingProgram(Program):
    """Started until `processes` are ready; `pids` are theirs, its own first."""

    def __init__(self, command, *, probe=None, processes=1, env=None):
        reader, self._writer = os.pipe()
        try:
            super().__init__(command, probe=probe, stdin=reader, env=env)
        finally:
            os.close(reader)
        self.await_(lambda: len(self._ready()) == processes, f"{processes} ready")
        self.pids = [self.pid, *(pid for pid in self._ready() if pid != self.pid)]

    def _ready(self):
        return list(map(int, READY.findall(self.output())))

    def finish(self):
        """Ends its input; returns its exit status."""
        os.close(self._writer)
        self._writer = None
        return self.end(sign=None)

    def __exit__(self, *failure):
        if self._writer is not None:
            os.close(self._writer)  # its children end by that
        super().__exit__(*failure)
