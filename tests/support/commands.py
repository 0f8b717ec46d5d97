"""Running commands to their end, or beside a test."""

import os
import shutil
import subprocess
import sys


def run(*command, limit=120, check_exit=True, **options):
    """Runs a program without standard input; returns the finished process, with its
    output as text. A wrong exit fails the test and shows the output."""
    command = [str(part) for part in command]
    options |= {"stdin": subprocess.DEVNULL, "text": True, "timeout": limit}
    try:
        done = subprocess.run(command, capture_output=True, **options)
    except subprocess.TimeoutExpired as late:
        said = [
            part.decode("utf-8", "replace")
            for part in (late.stdout, late.stderr)
            if part
        ]
        raise AssertionError(
            f"{' '.join(command)}: no end within {limit} s\n" + "\n".join(said)
        ) from None
    if check_exit and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(command)}: exit {done.returncode}\n"
            f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
    return done


def start(*command, **options):
    """Starts a program without standard input, with all that it prints in one pipe;
    returns the process."""
    options |= {"stdin": subprocess.DEVNULL, "text": True}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )


def finish(process, limit=60):
    """Waits for the end of a program that start() started; returns its exit status and
    what it has printed."""
    output, _ = process.communicate(timeout=limit)
    return process.returncode, output


def run_tests(*options, build, limit=280):
    """Runs other tests, on what is built in the directory; returns as run() does."""
    # This pytest's own notes for the processes that it starts are not for that one.
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    command = (sys.executable, "-m", "pytest", "-q", *options)
    return run(*command, env=clean | {"BUILD": build}, check_exit=False, limit=limit)


def profile_readers():
    """The commands here that read heap profiles: google-pprof, which Debian unstable no
    longer has, and go tool pprof. Both take --text, --base and --lines."""
    readers = [["google-pprof"]] if shutil.which("google-pprof") else []
    return readers + [["go", "tool", "pprof"]]
