#!/usr/bin/python3
"""Runs test programs that print TAP, two at a time, and adds up their results.

usage: tests/run.py PROGRAM...

A program that has the line "# alone" in it measures time or load, so it runs by
itself, after the others. Output is shown for a program that fails. The last line is
"N passed, N failed", with ", N skipped" if any were. Exits 1 unless all passed.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

JOBS = 2
LIMIT = 300.0  # seconds for one program
RESULT = re.compile(rb"^(not )?ok\b[^#]*(# SKIP)?", re.IGNORECASE)
PLAN = re.compile(rb"^1\.\.(\d+)")


class Program:
    """One test program, its process while it runs, and its results."""

    def __init__(self, path):
        self.path = path
        self.passed = self.failed = self.skipped = 0
        self.process = None
        with open(path, "rb") as file:
            self.alone = b"\n# alone\n" in file.read(4096)

    def run(self):
        """Runs it to its end and prints how it went."""
        started = time.monotonic()
        with tempfile.TemporaryFile() as output:
            # A session of its own: ending the group ends all that the test started.
            self.process = subprocess.Popen(
                [os.path.abspath(self.path)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"CMOCKA_MESSAGE_OUTPUT": "TAP"},
            )
            note = ""
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                note = f"ended: it took more than {LIMIT:.0f} s"
            self.end()
            output.seek(0)
            text = output.read()
        self.count(text, note)
        self.report(text, note, time.monotonic() - started)

    def end(self):
        """Ends what is left of it, children included."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def count(self, text, note):
        planned = None
        for line in text.splitlines():
            result = RESULT.match(line)
            plan = PLAN.match(line)
            if plan:
                planned = int(plan[1])
            elif result and result[2]:
                self.skipped += 1
            elif result and result[1]:
                self.failed += 1
            elif result:
                self.passed += 1
        missing = (planned or 1) - self.passed - self.failed - self.skipped
        if missing > 0:
            self.failed += missing
        elif (note or self.process.returncode != 0) and self.failed == 0:
            self.failed += 1

    def report(self, text, note, seconds):
        word = "FAILED" if self.failed else "ok"
        counts = f"{self.passed} passed, {self.failed} failed"
        if self.skipped:
            counts += f", {self.skipped} skipped"
        name = "tests/" + self.path.rpartition("tests/")[2]
        lines = [f"{word:6} {name} ({counts}, {seconds:.1f} s)"]
        if self.failed:
            shown = text.decode("utf-8", "replace").splitlines()
            lines += [f"    {line}" for line in shown if not line.startswith("ok ")]
            lines.append(f"    exit {self.process.returncode} {note}")
        print("\n".join(lines), flush=True)


def run_all(programs, jobs):
    """Runs programs, `jobs` at a time, in the given order."""
    waiting = list(programs)
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not waiting:
                    return
                program = waiting.pop(0)
            program.run()

    workers = [threading.Thread(target=work, daemon=True) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def main():
    programs = [Program(path) for path in sys.argv[1:]]

    def interrupted(number, _frame):
        for program in programs:
            if program.process is not None and program.process.poll() is None:
                program.end()
        os._exit(128 + number)

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    run_all([program for program in programs if not program.alone], JOBS)
    run_all([program for program in programs if program.alone], 1)
    passed = sum(program.passed for program in programs)
    failed = sum(program.failed for program in programs)
    skipped = sum(program.skipped for program in programs)
    print(
        f"{passed} passed, {failed} failed"
        + (f", {skipped} skipped" if skipped else "")
    )
    sys.exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    main()
