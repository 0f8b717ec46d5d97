"""Child processes that do not outlive the block that started them."""

import contextlib
import os
import signal
import subprocess

from learn.place import ROOT


def fork():
    """os.fork(), but a signal that comes meanwhile is handled after it: Python runs
    functions of several modules around a fork, and forgets what is raised in these. In
    the child these signals end the process at once, without its parent's `finally`."""
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, handled)
        child = os.fork()
        if child == 0:
            for number in handled:
                signal.signal(number, signal.SIG_DFL)
        return child
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def group(command, **options):
    """Runs a command in a session of its own, from the lab's tree. If it still runs at
    the end of the block, also by an exception such as Ctrl-C, it is killed with all
    that it started."""
    options.setdefault("stdin", subprocess.DEVNULL)
    started = subprocess.Popen(command, cwd=ROOT, start_new_session=True, **options)
    try:
        yield started
    finally:
        if started.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
        if started.stdout is not None:
            started.stdout.close()
