"""Child processes that never outlive what started them."""

import contextlib
import os
import signal
import subprocess

from learn.place import ROOT


@contextlib.contextmanager
def group(command, **options):
    """Runs a command in a session of its own, from the lab's tree. At the end, also by
    an exception such as Ctrl-C, all that it started and left is ended."""
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
