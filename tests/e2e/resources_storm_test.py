"""A program's threads make and end descriptors, threads, timers, mappings and children as
fast as they can, while its profiles are asked for all the time. Each profile adds up to
what the kernel lists; when the program is quiet, also to what anybody sees from outside,
and every function has made just as much of what is alive as the program says. Nothing is
left over, and the probe's own memory does not grow."""

import collections
import os
import re
import threading
import time

import pytest

from checks import LIMIT, check, equal
from resource_profile import OWN, START, SUBJECTS, UNSEEN, ProtoProfile, TextProfile
from resource_storm import FILES, Storm
from turns import in_turns

# The options of leakprobe, how many clients ask for the profiles of resources, and what
# else is asked for meanwhile.
OTHERS = (
    "/debug/pprof/heap",
    "/debug/pprof/goroutine?debug=2",
    "/debug/pprof/goroutineleak",
    "/debug/pprof/retained",
    "/debug/locks",
    "/metrics",
    "/status",
)
KINDS = {
    "resources alone": (("--heap", "off", "--resources", "on"), 2, ()),
    "everything": (("--heap", "exact", "--resources", "on"), 2, OTHERS),
    "many clients": (("--heap", "sampled", "--resources", "on"), 12, ()),
}
KERNEL = re.compile(r"the kernel lists (\d+)")
# Lines of private mappings side by side are one: these functions have only their bytes.
MERGED = {"map_private", "map_moved", "map_hole"}
GROWTH = 256 * 1024  # of the probe's memory between two drained rests: bytes
OTHER_THREADS = 3  # the main one, the probe's, and one for all timers of SIGEV_THREAD


# -- what the kernel shows -------------------------------------------------------------


def lines(path):
    with open(path, encoding="ascii") as file:
        return file.read().splitlines()


def outside(pid):
    """What the kernel lists, by profile."""
    tasks = f"/proc/{pid}/task"
    children = [
        child
        for task in os.listdir(tasks)
        for child in " ".join(lines(f"{tasks}/{task}/children")).split()
    ]
    return {
        "fds": len(os.listdir(f"/proc/{pid}/fd")),
        "threadcreate": len(os.listdir(tasks)),
        "timers": sum(row.startswith("ID:") for row in lines(f"/proc/{pid}/timers")),
        "mmaps": len(lines(f"/proc/{pid}/maps")),
        "children": len(children),
    }


def settled(pid, threads):
    """The same, when nothing changes any more: the last threads to end are gone, and the
    connections of the last clients are closed."""
    same, last = 0, None
    end = time.monotonic() + LIMIT
    while same < 4:
        now = outside(pid)
        check(time.monotonic() < end, f"it does not settle, {threads} threads: {now}")
        same = same + 1 if now == last and now["threadcreate"] <= threads else 0
        last = now
        time.sleep(0.01)
    return last


# -- what the profiles say -------------------------------------------------------------


def consistent(subject, profile, text):
    """Checks the two forms of a profile, which were not asked for at the same moment:
    each adds up to what it says that the kernel lists."""
    for comment, total, ended in (
        (profile.comment, profile.totals()[0], 0),
        (text.comment, text.total, sum(text.values()[1:])),
    ):
        kernel = KERNEL.search(comment)
        check(kernel, f"{subject} does not say what the kernel lists: {comment!r}")
        # In the text an ended thread is an item, too; the kernel lists it no more.
        total -= ended if subject == "threadcreate" else 0
        equal(total, int(kernel[1]), f"sum of {subject}: {comment}")


def asked(storm, subject):
    """A profile in both forms; None if one was refused."""
    bodies = [storm.page(f"/debug/pprof/{subject}{form}") for form in ("", "?debug=1")]
    if None in bodies:
        return None
    profile, text = ProtoProfile(bodies[0].body), TextProfile(bodies[1].text)
    consistent(subject, profile, text)
    return profile


def by_function(profile):
    """The sums of a profile by who has made it: the innermost function of the program, or
    what stands in place of a stack."""
    found = collections.Counter(), collections.Counter()
    for sample in profile.samples:
        frames = [f for f in sample.frames if os.path.basename(f.file) in FILES]
        name = (frames or sample.frames)[0].function
        for sums, value in zip(found, sample.values):
            sums[name] += value
    return found


# -- asking during the storm -----------------------------------------------------------


class Client(threading.Thread):
    """Asks for profiles until it is told to stop."""

    def __init__(self, storm, number, others):
        super().__init__(daemon=True)
        self._storm, self._number, self._others = storm, number, others
        self.stopped = threading.Event()
        self.asked = collections.Counter()
        self.error = None

    def run(self):
        try:
            turn = self._number
            while not self.stopped.is_set():
                self._ask(turn)
                turn += 1
        except BaseException as error:  # it fails the test: see end()
            self.error = error

    def _ask(self, turn):
        subject = SUBJECTS[turn % len(SUBJECTS)]
        if asked(self._storm, subject) is not None:
            self.asked[subject] += 1
        if self._others:
            target = self._others[turn % len(self._others)]
            self.asked[target] += self._storm.page(target) is not None

    def end(self):
        self.stopped.set()
        self.join(120)
        if self.error:
            raise self.error
        return self.asked


def blow(storm, seconds, clients, others):
    """Lets the storm go on for a while, and asks meanwhile; returns how often each profile
    has come."""
    storm.wish("go")
    running = [Client(storm, number, others) for number in range(clients)]
    for client in running:
        client.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end and all(client.is_alive() for client in running):
        time.sleep(0.05)
    return sum((client.end() for client in running), collections.Counter())


# -- at rest ---------------------------------------------------------------------------


class Rest:
    """The program is quiet: what it says, and what its profiles say."""

    def __init__(self, storm):
        self.alive = storm.alive()
        started = sum(one for one, _ in self.alive["threadcreate"].values())
        self.profiles, self.functions, self.outside = {}, {}, {}
        for subject in SUBJECTS:
            settled(storm.pid, started + OTHER_THREADS)
            self.profiles[subject] = self._asked(storm, subject)
            self.functions[subject] = by_function(self.profiles[subject])
        self.own_bytes = self.functions["mmaps"][1][OWN]

    def _asked(self, storm, subject):
        """The profile. For a page the C library may map memory of its own, and keep it:
        then the mappings are looked at again."""
        for _ in range(20):
            self.outside[subject] = outside(storm.pid)[subject]
            profile = asked(storm, subject)
            check(profile, f"{subject} was refused")
            if subject != "mmaps" or profile.totals()[0] == self.outside[subject]:
                break
        return profile

    def total(self, subject):
        return self.profiles[subject].totals()[0]

    def of(self, subject, name):
        return self.functions[subject][0][name]

    def check_functions(self):
        """Every function has made what the program says, and no other one anything."""
        for subject in SUBJECTS:
            wrong = {}
            counts, seconds = self.functions[subject]
            for name, (count, second) in self.alive[subject].items():
                got = [counts[name], seconds[name]]
                wanted = [got[0] if name in MERGED else count, second]
                if wanted != got:
                    wrong[name] = f"{got}, expected {wanted}"
            others = set(counts) - set(self.alive[subject]) - {UNSEEN, OWN, START}
            if subject != "mmaps":  # there the C library's own calls are, too
                wrong |= {name: f"{counts[name]}, expected none" for name in others}
            check(not wrong, f"{subject}: {wrong}\n{self.profiles[subject]}")

    def check_like(self, first):
        """As before anything was made: nothing else is there, and nothing was unseen."""
        for subject in ("fds", "timers", "children"):
            for name in (UNSEEN, OWN, START):
                equal(self.of(subject, name), first.of(subject, name), (subject, name))
            more, other = self.request_takes(subject), first.request_takes(subject)
            equal(more, other, f"{subject}: what a request itself takes")
        # The C library has a thread for timers of SIGEV_THREAD.
        unseen = self.of("threadcreate", UNSEEN)
        check(unseen <= 1, f"{unseen} threads made unseen")
        for subject in ("threadcreate", "mmaps"):
            equal(self.request_takes(subject), 0, f"{subject}, and from outside")

    def request_takes(self, subject):
        """What is there only while the program answers."""
        return self.total(subject) - self.outside[subject]


def check_first(first):
    """Before the storm: a request takes a descriptor at most; unseen are the standard
    ones."""
    taken = {subject: first.request_takes(subject) for subject in SUBJECTS}
    check(0 <= taken["fds"] <= 2, f"descriptors: {taken}")
    equal(set(taken.values()) - {taken["fds"]}, {0} - {taken["fds"]}, f"{taken}")
    equal(first.of("fds", UNSEEN) + first.of("fds", START), 3, "descriptors before it")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", in_turns("resources' storm", KINDS))
def test_profiles_are_right_in_a_storm(kind, pytestconfig):
    """3 s, and 60 s with --long, with four rests."""
    options, clients, others = KINDS[kind]
    wishes = ("drain", "pause", "pause", "drain")
    seconds = (60 if pytestconfig.option.long else 3) / len(wishes)
    answers, rests = collections.Counter(), []
    with Storm(options) as storm:
        Rest(storm)  # what the probe keeps for good is made by now
        first = Rest(storm)
        check_first(first)
        for wish in wishes:
            answers += blow(storm, seconds, clients, others)
            storm.wish(wish)
            rests.append(Rest(storm))
            rests[-1].check_functions()
            rests[-1].check_like(first)
        for subject in ("fds", "timers", "children"):
            equal(rests[-1].outside[subject], first.outside[subject], f"{subject} left")
        grown = rests[-1].own_bytes - rests[0].own_bytes
        check(grown <= GROWTH, f"the probe's memory has grown by {grown} bytes")
        steps = storm.over()
    print(f"{steps} steps, {grown} bytes more, {dict(answers)}")
    equal(set(answers), set(SUBJECTS) | set(others), "profiles that have come")
