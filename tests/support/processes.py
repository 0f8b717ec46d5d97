"""The descendants of this process: found by their parents, ended by their ids. Orphans
become children of this process, because it is a subreaper (see prctl(2))."""

import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36


def take_in_orphans():
    """From now on, descendants whose parent has ended become children of this
    process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _table():
    """Whether each process still runs, and its parent, by process id. A process whose
    first thread has ended before the others is in state Z, too, and runs."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                # The name in parentheses may hold anything.
                fields = file.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, threads = fields[0], int(fields[1]), int(fields[17])
        found[int(pid)] = (state not in b"ZX" or threads > 1, parent)
    return found


_families = set()  # processes that are kept together with all that they start


def descendants(of=None):
    """The ids of the children of this process (or of those in `of`), of their children,
    and so on, but of those that have ended."""
    table = _table()
    found, added = set(), {os.getpid()} if of is None else set(of)
    while added:
        added = {pid for pid, (_, parent) in table.items() if parent in added}
        found |= added
    return {pid for pid in found if table[pid][0]}


def ended(pid):
    """Whether the process has ended; nobody may have waited for it yet."""
    return not _table().get(int(pid), (False, 0))[0]


def keep_families(pids):
    """From now on, where one of these is kept, so is all that it starts at any time. A
    browser needs that: it starts a process for each new page."""
    _families.update(pids)


def end_families(pids):
    """Ends these processes, and all that they have started."""
    _families.difference_update(pids)
    end_all_but(descendants() - pids - descendants(pids))


def end_all_but(kept):
    """Ends every descendant whose id is not in `kept`."""
    while True:
        left = descendants() - kept - descendants(_families & kept)
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.005)
    for pid, (state, parent) in _table().items():
        if parent == os.getpid() and state == "Z" and pid not in kept:
            os.waitpid(pid, os.WNOHANG)
