"""What POSIX and glibc say of locks, as a model: threads that lock, wait, signal and
end, one step at a time. It shares nothing with the probe. What depends on chance, or is
undefined, is refused: Unknown."""

import copy
import errno

from lock_things import Thread, Wait


class Unknown(Exception):
    """Nobody can say what this step comes to."""


class Model:
    """Threads and locks, and the steps that have been taken: lines for lock_plan.c."""

    def __init__(self, threads, locks):
        self.threads, self.locks = threads, locks
        self.steps = []
        self.forked = None  # the thread that goes on in a child

    def copy(self):
        return copy.deepcopy(self)

    # -- steps: each adds its lines, or raises Unknown and leaves the model useless ----

    def step(self, thread, call, number=0, way=0):
        """One step of a thread. Returns whether it has come to an end at once."""
        thread = self.threads[thread]
        if not thread.idle:
            raise Unknown("the thread is not free")
        self.steps.append("")
        at = len(self.steps) - 1
        outcome = getattr(self, f"_{call}")(thread, number, way)
        self.steps[at] = f"{thread.number} {call} {number} {way} {outcome}"
        return thread.idle

    def _later(self, thread, outcome):
        self.steps.append(f"{thread.number} later {outcome}")

    def _block(self, thread, *arguments, **more):
        """The thread waits. Returns where the kernel must see it."""
        thread.wait = Wait(*arguments, **more)
        elsewhere = thread.wait.lost or thread.wait.kind == "join"
        return "elsewhere" if elsewhere else thread.wait.kind

    def _returned(self, thread, outcome):
        """The thread goes on, unless it waits for another thing now."""
        if thread.idle and thread.cancelled:
            self._later(thread, "ends")
            self._end(thread)
        else:
            self._later(thread, outcome)

    def waiting(self, lock):
        """Those who wait for the lock and may still get it."""
        return [
            each
            for each in self.threads
            if each.waits_for_lock and each.wait.what is lock and not each.wait.lost
        ]

    # -- mutexes

    def _mutex(self, number):
        if self.locks[number].kind != "mutex":
            raise Unknown("no mutex")
        return self.locks[number]

    def _lock(self, thread, number, way, wants="mutex", timed=False):
        mutex = self._mutex(number)
        if mutex.free:
            return mutex.take(thread)
        if mutex.owner is thread and not mutex.old:
            if mutex.type == "recursive":
                mutex.count += 1
                return 0
            if mutex.type == "errorcheck":
                return errno.EDEADLK
        lost = mutex.pi and self._kernel_refuses(thread, mutex)
        return self._block(thread, "lock", mutex, wants=wants, timed=timed, lost=lost)

    def _kernel_refuses(self, thread, mutex):
        """Whether a priority would be inherited by a thread that has ended, or in a
        cycle. glibc then lets the thread sleep for ever, or ends the program."""
        owner = mutex.owner
        if owner.ended:
            return True
        while owner is not thread:
            if not owner.waits_for_lock or owner.wait.lost or not owner.wait.what.pi:
                return False
            owner = owner.wait.what.owner
        if mutex.type in ("recursive", "errorcheck"):
            raise Unknown("glibc ends the program")
        return True

    def _timedlock(self, thread, number, way):
        return self._lock(thread, number, way, timed=True)

    def _trylock(self, thread, number, way):
        mutex = self._mutex(number)
        if mutex.old and mutex.owner is thread:
            return errno.EBUSY
        if mutex.owner is thread and mutex.type == "errorcheck":
            # The plain ones differ.
            return errno.EDEADLK if mutex.pi or mutex.robust else errno.EBUSY
        if mutex.free or (mutex.owner is thread and mutex.type == "recursive"):
            return self._lock(thread, number, way)
        return errno.EBUSY

    def _check_owner(self, lock):
        """A lock that names its owner by an old number is not released by that one."""
        plain = lock.kind == "mutex" and lock.type in ("normal", "adaptive")
        if lock.old and not plain or lock.owner and lock.owner.foreign:
            raise Unknown("undefined")

    def _unlock(self, thread, number, way):
        mutex = self._mutex(number)
        self._check_owner(mutex)
        if mutex.owner is not thread:
            checked = mutex.type in ("recursive", "errorcheck")
            if mutex.c11 or not (mutex.robust or mutex.pi or checked):
                raise Unknown("undefined")
            return errno.EPERM
        mutex.count -= 1
        if mutex.count == 0:
            self._mutex_free(mutex)
        return 0

    def _mutex_free(self, mutex):
        mutex.owner, mutex.old = None, False
        if mutex.state == "inconsistent":
            mutex.state = "not recoverable"
        self._hand_over(mutex)

    def _hand_over(self, mutex):
        waiting = self.waiting(mutex)
        if len(waiting) > 1:
            raise Unknown("which one gets the mutex")
        for thread in waiting:
            thread.wait = None
            self._returned(thread, mutex.take(thread))

    def _consistent(self, thread, number, way):
        mutex = self._mutex(number)
        if not mutex.robust or mutex.state != "inconsistent":
            return errno.EINVAL
        if mutex.owner is not thread:
            raise Unknown("undefined")
        mutex.state = "sound"
        return 0

    # -- condition variables: each mutex has one

    def _wait(self, thread, number, way):
        mutex = self._mutex(number)
        self._check_owner(mutex)
        if mutex.owner is not thread or mutex.state != "sound":
            raise Unknown("undefined")
        self._block(thread, "condition", mutex, wants="mutex after condition")
        mutex.count -= 1
        if mutex.count == 0:
            self._mutex_free(mutex)
        return "condition"

    def _signal(self, thread, number, way):
        mutex = self._mutex(number)
        woken = [
            each
            for each in self.threads
            if each.wait and each.wait.kind == "condition" and each.wait.what is mutex
        ]
        if len(woken) > 1 and (way == 0 or mutex.free):
            raise Unknown("which one is woken")
        for each in woken:
            self._wake(each, mutex)
        return 0

    def _wake(self, thread, mutex):
        """The end of a wait for the condition. It has no time limit from now on."""
        thread.wait = None
        outcome = self._lock(thread, mutex.number, 0, wants="mutex after condition")
        self._returned(thread, outcome)

    def _cancel(self, thread, number, way):
        other = self.threads[number]
        if not other.wait or other.wait.kind != "condition" or other.main:
            raise Unknown("what becomes of it")
        other.cancelled = True
        self._wake(other, other.wait.what)
        return 0

    # -- rwlocks

    def _rwlock(self, number):
        if self.locks[number].kind != "rwlock":
            raise Unknown("no rwlock")
        return self.locks[number]

    def _rdlock(self, thread, number, way, timed=False):
        lock = self._rwlock(number)
        if lock.owner is thread and not lock.old:
            return errno.EDEADLK
        if not self._readable(lock):
            return self._block(thread, "lock", lock, wants="read", timed=timed)
        lock.readers.append(thread)
        return 0

    def _readable(self, lock):
        writers = any(each.wait.wants == "write" for each in self.waiting(lock))
        return lock.owner is None and not (lock.type == "writers" and writers)

    def _timedrdlock(self, thread, number, way):
        return self._rdlock(thread, number, way, timed=True)

    def _tryrdlock(self, thread, number, way):
        if self._readable(self._rwlock(number)):
            return self._rdlock(thread, number, way)
        return errno.EBUSY

    def _wrlock(self, thread, number, way, timed=False):
        lock = self._rwlock(number)
        if lock.owner is thread and not lock.old:
            return errno.EDEADLK
        if not lock.free:
            return self._block(thread, "lock", lock, wants="write", timed=timed)
        lock.owner = thread
        return 0

    def _timedwrlock(self, thread, number, way):
        return self._wrlock(thread, number, way, timed=True)

    def _trywrlock(self, thread, number, way):
        if self._rwlock(number).free:
            return self._wrlock(thread, number, way)
        return errno.EBUSY

    def _rwunlock(self, thread, number, way):
        lock = self._rwlock(number)
        self._check_owner(lock)
        if lock.owner is thread:
            lock.owner = None
        elif thread in lock.readers:
            lock.readers.remove(thread)
        else:
            raise Unknown("undefined")
        waiting = self.waiting(lock)
        if not lock.free or not waiting:
            return 0
        if len(waiting) > 1 and any(each.wait.wants == "write" for each in waiting):
            raise Unknown("which one gets the rwlock")
        for each in waiting:
            if each.wait.wants == "write":
                lock.owner = each
            else:
                lock.readers.append(each)
            each.wait = None
            self._later(each, 0)
        return 0

    # -- threads

    def _join(self, thread, number, way):
        other = self.threads[number]
        if other is thread or other.main or other.joined or other.joins(thread):
            raise Unknown("undefined")
        other.joined = True
        return 0 if other.ended else self._block(thread, "join", other)

    def _end(self, thread, number=0, way=0):
        if thread is self.forked:
            raise Unknown("the child's first thread: /proc has no names then")
        thread.ended = True
        for lock in self.locks:
            if lock.kind == "mutex" and lock.owner is thread:
                if lock.robust:
                    lock.owner, lock.count, lock.state = None, 0, "owner died"
                    self._hand_over(lock)
                elif lock.pi and self.waiting(lock):
                    raise Unknown("glibc ends the program")
        for each in self.threads:
            if each.joins(thread):
                each.wait = None
                self._later(each, 0)
        return "ends"

    def _fork(self, thread, number, way):
        """Only this thread goes on, in a child; what the others have they keep."""
        if any(not each.idle for each in self.threads if not each.ended):
            raise Unknown("what becomes of their waits")
        self.forked = thread
        self.parent = Thread(thread.number, foreign=True)
        for lock in self.locks:
            self._fork_lock(lock, thread)
        for each in self.threads:
            each.ended = each is not thread
            each.main = each is thread
        return 0

    def _fork_lock(self, lock, thread):
        if lock.owner is None:
            return
        if lock.kind == "mutex" and (lock.pi or lock.robust):
            raise Unknown("the kernel knows its owner")
        if lock.shared:
            same = lock.owner is thread
            number = lock.owner.number
            lock.owner = self.parent if same else Thread(number, foreign=True)
        else:
            lock.old = lock.owner is thread

    def add_thread(self):
        """Returns its number."""
        thread = Thread(len(self.threads))
        self.threads.append(thread)
        self.steps.append(f"thread {{name}}.{thread.number}")
        return thread.number
