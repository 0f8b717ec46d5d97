"""Reading heap profiles as gperftools itself writes them."""

import re

from checks import check

MIB = 1024 * 1024


class HeapProfile:
    """gperftools' text: the objects and bytes in use, by stack. A stack is a tuple of
    addresses, the caller of malloc first."""

    HEADER = re.compile(r"heap profile:\s*(\d+):\s*(\d+) \[\s*(\d+):\s*(\d+)\] @")
    ROW = re.compile(r"\s*(\d+):\s*(\d+) \[\s*(\d+):\s*(\d+)\] @((?: 0x[0-9a-f]+)*)")

    def __init__(self, text):
        lines = text.splitlines()
        found = HeapProfile.HEADER.match(lines[0]) if lines else None
        check(found, f"not a heap profile: {text[:200]!r}")
        self.objects, self.bytes = int(found[1]), int(found[2])
        self.total_bytes = int(found[4])
        self.stacks = {}
        for line in lines[1:]:
            row = HeapProfile.ROW.match(line)
            if row is None:
                break
            stack = tuple(int(address, 16) for address in row[5].split())
            objects, size = self.stacks.get(stack, (0, 0))
            self.stacks[stack] = (objects + int(row[1]), size + int(row[2]))

    def growth(self, base):
        """Bytes that each stack grew by since the profile `base`."""
        grown = {}
        for stack in set(self.stacks) | set(base.stacks):
            size = self.stacks.get(stack, (0, 0))[1] - base.stacks.get(stack, (0, 0))[1]
            if size != 0:
                grown[stack] = size
        return grown
