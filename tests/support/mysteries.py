"""Mysteries of ./learn.sh: a copy of the tree to play in, and a learner that reads only
the two profiles."""

import json
import re
import urllib.request

from checks import equal, wait_until
from commands import run
from exercises import environment

SPEED = 40  # times as fast as for a person: a minute of traffic in 1.5 s


class Lab:
    """A copy of the tree, with what is built, and the commands of ./learn.sh in it."""

    def __init__(self, tree):
        self.tree = tree

    def environment(self, speed=SPEED):
        """What ./learn.sh is started with."""
        return environment(LEARN_TRAFFIC_SPEED=str(speed), NO_COLOR="1")

    def learn(self, *arguments, speed=SPEED, expect=0, limit=200):
        """Runs ./learn.sh; returns what it printed, errors last."""
        done = run(
            *("./learn.sh", *arguments),
            cwd=self.tree,
            env=self.environment(speed),
            check_exit=False,
            limit=limit,
        )
        said = done.stdout + done.stderr
        equal(done.returncode, expect, f"exit of {arguments}: {said}")
        return said

    def known(self):
        """What ./learn.sh has written down of the mystery."""
        with open(f"{self.tree}/mine/progress.json", encoding="utf-8") as file:
            return json.load(file)["mystery"]


class Learner:
    """Looks at a server's heap profile and thread profile, and at nothing else but how
    many calls there were."""

    WINDOWS = 4
    SETTLED = 300  # calls of the busiest route, after which what is bounded is flat
    WINDOW_CALLS = 3  # that each route gets in a window, at least

    def __init__(self, told):
        self.url = told["url"]
        self.debug = told["debug"]

    def read(self, url):
        """A page as text."""
        with urllib.request.urlopen(url, timeout=30) as reply:
            return reply.read().decode()

    def calls(self):
        """How often each route was called."""
        scenarios = json.loads(self.read(self.url + "/status"))["scenarios"]
        return {name: scenario["calls"] for name, scenario in scenarios.items()}

    def heap(self):
        """Bytes in use by the function nearest to malloc that is of a route's
        source."""
        text = self.read(self.debug + "/debug/pprof/heap?debug=1")
        return self.owners(text, r" *\d+: +(\d+) \[")

    def threads(self):
        """How many threads are in each function of a route's source."""
        text = self.read(self.debug + "/debug/pprof/goroutine?debug=1")
        return self.owners(text, r"(\d+) @")

    def owners(self, text, row):
        """The amounts of a profile's rows, by (file, function). What the dynamic linker
        allocates for a thread does not count: it stays with the thread's stack, which
        the C library gives to another function's thread later."""
        owned, amount = {}, 0
        for line in text.splitlines():
            begins = re.match(row, line)
            frame = re.match(r"#\t\S+\t(\w+)\+\S+\t\S*(mine/mystery-\S+):\d+$", line)
            if begins:
                amount = int(begins[1])
            elif "/ld-linux" in line:
                amount = 0
            elif frame and amount:
                owner = (frame[2], frame[1])
                owned[owner] = owned.get(owner, 0) + amount
                amount = 0
        return owned

    def look(self):
        """Both profiles: of a few readings the least, so that what belongs to a call
        that is running does not count."""
        readings = [(self.heap(), self.threads()) for _ in range(3)]
        least = []
        for profile in (0, 1):
            owners = set().union(*(reading[profile] for reading in readings))
            least.append(
                {
                    owner: min(reading[profile].get(owner, 0) for reading in readings)
                    for owner in owners
                }
            )
        return least

    def suspects(self):
        """The functions, with their files, that grow in every one of the windows."""
        wait_until(
            lambda: max(self.calls().values()) >= self.SETTLED
            and min(self.calls().values()) >= self.WINDOW_CALLS,
            limit=120,
            what="the beginning of the traffic",
        )
        looks = [self.look()]
        for _ in range(self.WINDOWS):
            before = self.calls()
            wait_until(
                lambda: all(
                    calls >= before[name] + self.WINDOW_CALLS
                    for name, calls in self.calls().items()
                ),
                limit=120,
                what="calls of every route",
            )
            looks.append(self.look())
        found = set()
        for profile in (0, 1):
            for owner in looks[-1][profile]:
                amounts = [look[profile].get(owner, 0) for look in looks]
                if all(late > early for early, late in zip(amounts, amounts[1:])):
                    found.add(owner)
        return sorted(found)
