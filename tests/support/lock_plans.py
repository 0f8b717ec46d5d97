"""Random plans of locking, with an end that is known: see lock_model.py for what they
come to, and tests/programs/lock_plan.c for how they are written."""

import random

from lock_model import Model, Unknown
from lock_things import Mutex, RwLock, Thread


class Plan:
    """A plan, made step by step; what cannot be known is never done."""

    def __init__(
        self, seed, *, threads=(2, 8), locks=(2, 5), shared=0.15, main=False, forks=False
    ):
        self.seed, self.shared = seed, shared  # how often memory is shared
        self.random = random.Random(seed)
        self.threads, self.main = self.random.randint(*threads), main
        people = [Thread(each, main=main and each == 0) for each in range(self.threads)]
        chances = self._chances()
        count = self.random.randint(*locks)
        things = [self._lock(number, chances) for number in range(count)]
        self.model = Model(people, things)
        if forks:
            self.fork()
        for purpose in self._purposes():
            purpose()

    # -- what there is

    def _chances(self):
        """How often a lock is of a kind: in some plans nearly all are."""
        usual = {"rwlock": 0.25, "c11": 0.15, "pi": 0.15, "robust": 0.2}
        usual["processes"] = 0.2
        if self.shared:
            usual["shared"] = self.shared
        if self.random.random() < 0.25:
            usual[self.random.choice(list(usual))] = 0.9
        return usual

    def _lock(self, number, chances):
        choice = self.random.choice
        words = {kind for kind in chances if self.random.random() < chances[kind]}
        if "rwlock" in words:
            whom = choice(("readers", "readers", "writers"))
            return RwLock(number, whom, "processes" in words, "shared" in words)
        kind = choice(("normal", "normal", "recursive", "errorcheck", "adaptive"))
        if "c11" in words and kind in ("normal", "recursive"):
            return Mutex(number, kind, c11=True)
        words -= {"c11"}
        return Mutex(number, kind, **dict.fromkeys(words, True))

    def _idle(self):
        """The numbers of the threads that can take a step, in any order."""
        idle = [each.number for each in self.model.threads if each.idle]
        return self.random.sample(idle, len(idle))

    def _free(self, kind=None):
        """The numbers of the locks that nobody has, in any order."""
        free = [
            each.number
            for each in self.model.locks
            if each.free
            and kind in (None, each.kind)
            and getattr(each, "state", "sound") == "sound"
        ]
        return self.random.sample(free, len(free))

    def _is_mutex(self, lock):
        return self.model.locks[lock].kind == "mutex"

    # -- steps

    def step(self, thread, call, number=0, way=None):
        """Takes a step if it can be known what that comes to; tells whether it was."""
        way = self.random.randrange(3) if way is None else way
        trial = self.model.copy()
        number = thread if call == "fork" else number
        try:
            trial.step(thread, call, number, way)
        except Unknown:
            return False
        self.model = trial
        return True

    def acquire(self, thread, lock):
        """Takes a lock that is free, alone."""
        calls = ("lock", "lock", "timedlock", "trylock")
        if not self._is_mutex(lock):
            calls = ("wrlock", "wrlock", "timedwrlock", "trywrlock")
        self.step(thread, self.random.choice(calls), lock)
        if self._is_mutex(lock) and self.random.random() < 0.3:
            # Of a recursive one the owner may have more.
            if self.model.locks[lock].type in ("recursive", "errorcheck"):
                self.step(thread, "lock", lock)

    def want(self, thread, lock, timed=False):
        """Waits for a lock that another one has."""
        calls = ("lock",) if self._is_mutex(lock) else ("rdlock", "wrlock")
        prefix = "timed" if timed else ""
        return self.step(thread, prefix + self.random.choice(calls), lock)

    # -- purposes

    def _purposes(self):
        """What the plan is to come to; some may not be possible any more."""
        kinds = {
            self.cycle: 5,
            self.broken_cycle: 3,
            self.alone: 2,
            self.abandon: 3,
            self.inherit: 1,
            self.cancel: 1,
            self.signal_held: 2,
            self.join: 1,
        }
        count = self.random.choice((0, 1, 1, 2, 2, 3))
        chosen = self.random.choices(list(kinds), list(kinds.values()), k=count)
        result = [self.noise]
        for purpose in chosen:
            result += [purpose, self.noise] if self.random.random() < 0.3 else [purpose]
        return result + [self.followers]

    def noise(self):
        """Any steps. Few of them block, so that there is something left to do."""
        for _ in range(self.random.choice((0, 0, 3, 6, 12))):
            self._any_step()

    def _any_step(self):
        calls = (
            "lock trylock timedlock unlock unlock unlock consistent wait signal rdlock "
            "wrlock timedrdlock tryrdlock trywrlock rwunlock rwunlock rwunlock"
        ).split()
        idle = self._idle()
        if not idle:
            return
        before = self.model
        lock = self.random.choice(self.model.locks).number
        self.step(idle[0], self.random.choice(calls), lock)
        blocked = any(not self.model.threads[number].idle for number in idle)
        if blocked and self.random.random() < 0.9:
            self.model = before

    def cycle(self, twist=None):
        """Each of some threads has a lock and waits for that of the next one."""
        threads, locks = self._idle(), self._free()
        most = min(len(threads), len(locks))
        if most < 2:
            return
        length = self.random.choice((2, 2, 3, 4, most, most))
        length = min(length, most)
        threads, locks = threads[:length], locks[:length]
        waiter = self.random.random() < 0.3 and self._wait_in_cycle(threads, locks)
        for thread, lock in zip(threads, locks):
            if twist != "reader" or thread != threads[0]:
                self.acquire(thread, lock)
            elif not self.step(thread, "rdlock", lock):
                return
        if waiter and self.random.random() < 0.5:
            # The mutex of the first one's condition is the second one's now.
            self.step(self.random.choice(threads[1:]), "signal", locks[1])
        edges = [(t, locks[(i + 1) % length]) for i, t in enumerate(threads)]
        for thread, lock in self.random.sample(edges, length):
            if twist == "gap" and thread == threads[-1]:
                continue
            timed = twist == "timed" and thread == threads[-1]
            if self.model.threads[thread].idle:
                self.want(thread, lock, timed)
        if waiter and self._idle():
            self.step(self._idle()[0], "signal", locks[1])

    def _wait_in_cycle(self, threads, locks):
        """The first thread waits for a condition, the second one gets its mutex."""
        if not self._is_mutex(locks[1]) or not self._is_mutex(locks[0]):
            return False
        self.step(threads[0], "lock", locks[0])
        self.step(threads[0], "lock", locks[1])
        return self.step(threads[0], "wait", locks[1])

    def broken_cycle(self):
        """It looks like a cycle, but is none: somebody may go on."""
        self.cycle(self.random.choice(("timed", "timed", "reader", "reader", "gap")))

    def alone(self):
        """One thread waits for what it has itself."""
        idle, free = self._idle(), self._free()
        if idle and free:
            self.acquire(idle[0], free[0])
            self.want(idle[0], free[0], timed=self.random.random() < 0.2)

    def abandon(self):
        """A thread ends and keeps its locks; some wait before that, some afterwards."""
        idle, free = self._idle(), self._free()
        if len(idle) < 2 or not free:
            return
        thread, *others = idle
        if len(others) > 1 and self._is_mutex(free[0]) and self.random.random() < 0.3:
            self.step(others[0], "lock", free[0])
            self.step(others.pop(0), "wait", free[0])
        for lock in free[: self.random.choice((1, 1, 2))]:
            if not self._is_mutex(lock) and self.random.random() < 0.2:
                self.step(thread, "rdlock", lock)
            else:
                self.acquire(thread, lock)
        for number, other in enumerate(others[: self.random.choice((1, 1, 2, 3))]):
            if number == self.random.randrange(2):
                self.step(thread, "end")
            self.want(other, free[0], timed=self.random.random() < 0.2)
        if self.model.threads[thread].idle:
            self.step(thread, "end")

    def inherit(self):
        """The owner of a robust mutex ends; the next one has it then."""
        robust = [
            each
            for each in self._free("mutex")
            if self.model.locks[each].robust
        ]
        idle = self._idle()
        if len(idle) < 3 or not robust:
            return
        owner, heir, third = idle[:3]
        self.step(owner, "lock", robust[0])
        waits = self.random.random() < 0.5 and self.want(heir, robust[0])
        self.step(owner, "end")
        if not waits:
            self.step(heir, "lock", robust[0])
        if self.random.random() < 0.4:
            self.step(heir, "consistent", robust[0])
        self.want(third, robust[0])
        if self.random.random() < 0.5:
            self.step(heir, "unlock", robust[0])

    def cancel(self):
        """A thread is cancelled while it waits for a condition: it ends with it."""
        idle, free = self._idle(), self._free("mutex")
        if len(idle) < 2 or not free:
            return
        thread, other = idle[:2]
        self.step(thread, "lock", free[0])
        self.step(thread, "wait", free[0])
        busy = self.random.random() < 0.5
        if busy:
            self.step(other, "lock", free[0])
        self.step(other, "cancel", thread)
        if busy and self.random.random() < 0.7:
            self.step(other, "unlock", free[0])

    def signal_held(self):
        """A thread that is woken wants its mutex back, which another one has."""
        idle, free = self._idle(), self._free("mutex")
        if len(idle) < 2 or not free:
            return
        thread, other = idle[:2]
        self.step(thread, "lock", free[0])
        if self.random.random() < 0.2:
            self.step(thread, "lock", free[0])
        self.step(thread, "wait", free[0])
        self.step(other, "lock", free[0])
        if self.random.random() < 0.8:
            self.step(other, "signal", free[0])
        if self.random.random() < 0.5:
            # The other one never gives it back.
            self.random.choice((self._wait_for_own, self._end_with))(other, free[0])

    def _wait_for_own(self, thread, lock):
        self.want(thread, lock)

    def _end_with(self, thread, lock):
        del lock
        self.step(thread, "end")

    def fork(self):
        """Threads take locks, and one of them forks. More begin in the child."""
        for lock in self._free():
            unusual = self.model.locks[lock]
            if not unusual.pi and not getattr(unusual, "robust", False):
                self.acquire(self._idle()[0], lock)
        forked = self._idle()[0]
        if not self.step(forked, "fork"):
            return
        for _ in range(self.random.randint(1, 4)):
            self.model.add_thread()
        own = [each.number for each in self.model.locks if each.owner and each.old]
        if own and self.random.random() < 0.3:
            self.want(forked, self.random.choice(own))

    def join(self):
        """A thread waits for the end of one that waits for it: no lock says so."""
        idle, free = self._idle(), self._free()
        if len(idle) < 2 or not free:
            return
        thread, other = idle[:2]
        self.acquire(thread, free[0])
        self.want(other, free[0])
        self.step(thread, "join", other)

    def followers(self):
        """Others wait for what is held, by whomever."""
        for thread in self._idle():
            held = [each.number for each in self.model.locks if not each.free]
            if held and self.random.random() < 0.5:
                lock = self.random.choice(held)
                self.want(thread, lock, timed=self.random.random() < 0.15)

    # -- for the program

    def lines(self, name):
        """The plan as the program reads it. `name` begins the names of its threads."""
        lines = ["plan", *(lock.line for lock in self.model.locks)]
        for number in range(self.threads):
            main = " main" if self.main and number == 0 else ""
            lines.append(f"thread {name}.{number}{main}")
        steps = [step.replace("{name}", name) for step in self.model.steps]
        return lines + steps + ["show"]
