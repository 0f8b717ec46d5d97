"""What a mystery is: a server whose routes leak, or are healthy, or only look like a
leak. Which is which follows from the seed alone, so it is written down nowhere."""

import dataclasses
import random
import re

from learn import source
from learn.place import MINE

ROUTES = 12
LEAKS_MAX = 3

# The pairs that may be on a route, as their leaky or their fixed half. The order is
# part of what a seed means: new ones go to the end. Left out are ticker_many, a hundred
# timers a call, which reaches its guard rail before it is seen to grow; and those that
# leave nothing: array_by_value, buffer_churn, loop_defer.
PAIRS = (
    *("thread_loop", "thread_wait", "thread_ignored_exit", "lock_never_released"),
    *("lock_deadlock", "channel_no_receiver", "channel_never_closed", "channel_nil"),
    *("channel_one_receiver", "channel_backlog", "global_cache", "global_list"),
    *("slice_prefix", "slice_return", "slice_tail", "string_prefix"),
    *("slice_lost_pointers", "http_body", "file_unclosed", "database_statement"),
    *("ticker_unstopped", "finalizer_cycle", "interface_struct", "interface_list"),
    "cstring_argument",
)
# What looks like a leak and is none, in exercises/decoys/.
DECOYS = ("cache_bounded", "pool_peak", "table_lazy", "allocator_keeps", "burst_ends")

LEAK, HEALTHY, DECOY = "leak", "healthy", "decoy"


class Dice:
    """Draws that a seed makes the same on every machine. Python promises this of
    random() alone, not of choice or shuffle."""

    def __init__(self, seed):
        self._random = random.Random(seed).random

    def below(self, limit):
        """A whole number from 0 to limit - 1."""
        return int(self._random() * limit)

    def shuffled(self, items):
        """The items in another order."""
        rest = list(items)
        return [rest.pop(self.below(len(rest))) for _ in items]


@dataclasses.dataclass(frozen=True)
class Route:
    """One route of a mystery's server."""

    name: str  # route-07
    half: str  # the C file that it is made from
    kind: str  # LEAK, HEALTHY or DECOY
    file: str  # the source that the learner sees

    @property
    def scenario(self):
        """The pair's or decoy's name: slice-prefix."""
        return re.search(r"(\w+)\.c$", self.half)[1].replace("_", "-")

    @property
    def text(self):
        """The source, without what gives it away."""
        return source.lay_out(self.half, self.name, f"/leak/{self.name}", held=False)


class Mystery:
    """The routes that a seed stands for. `leaks` is how many leak; None: the seed says
    that, too."""

    def __init__(self, seed, leaks=None):
        dice = Dice(seed)
        self.seed = seed
        self.directory = f"{MINE}/mystery-{seed}"
        drawn = 1 + dice.below(LEAKS_MAX)
        count = leaks or drawn
        pairs = dice.shuffled(PAIRS)[: ROUTES - len(DECOYS)]
        halves = (
            [(f"leaky/{stem}.c", LEAK) for stem in pairs[:count]]
            + [(f"fixed/{stem}.c", HEALTHY) for stem in pairs[count:]]
            + [(f"exercises/decoys/{stem}.c", DECOY) for stem in DECOYS]
        )
        self.routes = tuple(
            Route(f"route-{i:02}", half, kind, f"{self.directory}/route-{i:02}.c")
            for i, (half, kind) in enumerate(dice.shuffled(halves), 1)
        )

    @property
    def leaks(self):
        """The routes that leak."""
        return [route for route in self.routes if route.kind == LEAK]
