"""The line of sums in what /debug/pprof/lost and /debug/pprof/retained reply: as text, or
as the comment of a profile.proto."""

import re
from collections import namedtuple

from checks import check, equal

LINE = re.compile(
    r"in use (-?\d+) blocks, (-?\d+) bytes; retained (-?\d+) blocks, (-?\d+) bytes; "
    r"lost (-?\d+) blocks, (-?\d+) bytes; (\d+) threads stopped for "
)

# The first three are (blocks, bytes).
ReachSums = namedtuple("ReachSums", "in_use retained lost threads")


def reach_sums(text):
    """The sums; what is retained and what is lost must be together what is in use."""
    found = LINE.search(text)
    check(found, f"no sums in {text[:500]}")
    numbers = list(map(int, found.groups()))
    in_use, retained, lost = (tuple(numbers[at : at + 2]) for at in (0, 2, 4))
    both = (retained[0] + lost[0], retained[1] + lost[1])
    equal(both, in_use, f"retained and lost, and in use: {found[0]}")
    return ReachSums(in_use, retained, lost, numbers[6])
