"""For lock_model.py: threads, locks, and what a thread waits for."""

import dataclasses
import errno

MUTEX_WORDS = ("pi", "robust", "processes", "shared", "c11")
RWLOCK_WORDS = ("processes", "shared")


@dataclasses.dataclass(eq=False)
class Thread:
    number: int
    main: bool = False
    ended: bool = False
    cancelled: bool = False  # it ends as soon as it has the mutex again
    wait: object = None  # a Wait, if it is blocked
    joined: bool = False
    foreign: bool = False  # it is the parent's, in a forked child

    @property
    def idle(self):
        return not self.ended and self.wait is None

    @property
    def waits_for_lock(self):
        return self.wait is not None and self.wait.kind == "lock"

    def joins(self, other):
        return (
            self.wait is not None
            and self.wait.kind == "join"
            and self.wait.what is other
        )


@dataclasses.dataclass(eq=False)
class Wait:
    kind: str  # lock, condition, join
    what: object  # the lock, or the thread that is joined
    wants: str = ""  # of a lock: mutex, read, write, mutex after condition
    timed: bool = False  # of a condition it is not: that does not hold for its mutex
    lost: bool = False  # glibc has sent it to sleep: nothing wakes it up


@dataclasses.dataclass(eq=False)
class Mutex:
    number: int
    type: str  # normal, recursive, errorcheck, adaptive
    pi: bool = False
    robust: bool = False
    processes: bool = False  # its attribute, which changes nothing
    shared: bool = False  # its memory
    c11: bool = False
    owner: Thread = None  # one that has ended, too, unless robust
    count: int = 0
    state: str = "sound"  # or, if robust: owner died, inconsistent, not recoverable
    old: bool = False  # its owner took it before it forked: it has another number now

    kind = "mutex"

    @property
    def line(self):
        words = ["mutex", self.type]
        return " ".join(words + [w for w in MUTEX_WORDS if getattr(self, w)])

    @property
    def free(self):
        return self.owner is None

    def take(self, thread):
        """A free one gets an owner. Returns what the call returns."""
        if self.state == "not recoverable":
            return errno.ENOTRECOVERABLE
        self.owner, self.count = thread, 1
        if self.state == "owner died":
            self.state = "inconsistent"
            return errno.EOWNERDEAD
        return 0

    def held_by(self, thread):
        return self.owner is thread


@dataclasses.dataclass(eq=False)
class RwLock:
    number: int
    type: str  # readers or writers: whom it prefers
    processes: bool = False
    shared: bool = False
    owner: Thread = None  # the writer, also one that has ended
    readers: list = dataclasses.field(default_factory=list)
    old: bool = False  # as a mutex

    kind = "rwlock"
    pi = False

    @property
    def line(self):
        words = ["rwlock", self.type]
        return " ".join(words + [w for w in RWLOCK_WORDS if getattr(self, w)])

    @property
    def free(self):
        return self.owner is None and not self.readers

    def held_by(self, thread):
        return self.owner is thread or thread in self.readers
