"""The names of a running program's functions, by address."""

import bisect
import os

from checks import check
from commands import run


class Functions:
    """The functions of a program, by address; from nm and /proc, so that a test
    does not depend on what the server says."""

    def __init__(self, program, pid):
        rows = run("nm", "-n", "--defined-only", program).stdout.splitlines()
        code = [row.split() for row in rows if row.split()[1] in "tT"]
        self.starts = [int(row[0], 16) for row in code]
        self.names = [row[2] for row in code]
        self.program = os.path.realpath(program)
        self.low = None
        self.mapped = []  # (first address, address after the last, path)
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            for line in maps:
                fields = line.split()
                if len(fields) < 6:
                    continue
                low, high = (int(part, 16) for part in fields[0].split("-"))
                self.mapped.append((low, high, fields[5]))
                if fields[5] == self.program and self.low is None:
                    self.low = low - int(fields[2], 16)
        check(self.low is not None, f"{program} is not mapped in {pid}")

    def module(self, address):
        """The path of the program or library that an address is in."""
        for low, high, path in self.mapped:
            if low <= address < high:
                return path
        return ""

    def name(self, address):
        """The function of a return address, None outside of the program."""
        if self.module(address) != self.program:
            return None
        return self.names[bisect.bisect_right(self.starts, address - 1 - self.low) - 1]

    def stack(self, addresses):
        """The names of a stack."""
        return [self.name(address) for address in addresses]
