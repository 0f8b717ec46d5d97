"""A program that runs bare or under leakprobe, so that both runs can be compared; and
what its debug port answers."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import tempfile

from checks import LIMIT, check, equal, wait_until
from commands import run
from http_request import request
from tree import BUILD, ROOT, scratch

LEAKPROBE = os.path.join(BUILD, "leakprobe")
# "leakprobe: NAME, pid N: http://127.0.0.1:6060/" for each process with a debug port.
ANNOUNCED = re.compile(
    r"^leakprobe: (.+), pid (\d+): http://127\.0\.0\.1:(\d+)/$", re.MULTILINE
)
# A frame in a profile as text: "#\t0xADDRESS\tFUNCTION+0xOFFSET\tFILE". A function
# without a name has that of its library and an offset there: LIBRARY+0x..+0x...
FRAME = re.compile(
    r"^#\t0x[0-9a-f]+\t([^\t\n]+?)(?:\+0x[0-9a-f]+)?(?:\t| \.\.\.|$)", re.M
)
PROBE = ("--port", "0")


def probed(command, *options):
    """The command, under leakprobe with these options."""
    check(os.access(LEAKPROBE, os.X_OK), f"there is no {LEAKPROBE}")
    return [LEAKPROBE, *map(str, options), "--", *command]


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(port):
    """Whether somebody accepts connections on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def own_lines(text):
    """What a program wrote to its standard error, without what leakprobe says."""
    return "".join(
        line
        for line in text.splitlines(keepends=True)
        if not line.startswith("leakprobe: ")
    )


def named(names):
    """Those of the names that are functions': not an address, nor a library's name and
    an offset."""
    return {name for name in names if not re.search(r"^0x|\+0x|^\[|^\?|^$", name)}


def alike(got, expected, what):
    """Checks that two results are equal, and shows where they begin to differ. A result
    is a value, a text, or a list of results."""
    if got == expected:
        return
    kinds = {type(got), type(expected)}
    if kinds <= {list, tuple} and len(got) == len(expected):
        for number, (one, other) in enumerate(zip(got, expected)):
            alike(one, other, f"{what}[{number}]")
    if kinds in ({str}, {bytes}):
        differs = (
            at for at, pair in enumerate(zip(got, expected)) if len(set(pair)) > 1
        )
        first = next(differs, min(len(got), len(expected)))
        part = slice(max(0, first - 60), first + 200)
        got, expected, what = got[part], expected[part], f"{what}, at {first}"
    equal(repr(got)[:1000], repr(expected)[:1000], what)


def ran(command, *, probe=None, env=None, limit=120, text=None, cwd=None):
    """Runs a program to its end; bare if `probe` is None, else under leakprobe with these
    options. Returns its exit status, output, and the two kinds of error lines: its own
    and leakprobe's."""
    command = list(map(str, command))
    done = subprocess.run(
        command if probe is None else probed(command, *probe),
        env=os.environ | (env or {}),
        cwd=cwd,
        capture_output=True,
        timeout=limit,
        **({"stdin": subprocess.DEVNULL} if text is None else {"input": text.encode()}),
        check=False,
    )
    errors = done.stderr.decode("utf-8", "replace")
    said = [line for line in errors.splitlines() if line.startswith("leakprobe: ")]
    return done.returncode, done.stdout, own_lines(errors), said


class Program:
    """A program that runs meanwhile, bare if `probe` is None, else under leakprobe with
    these options. Its output goes to files."""

    def __init__(self, command, *, probe=None, env=None, cwd=None, stdin=None):
        self.command = list(map(str, command))
        self.probe = probe
        directory = scratch()
        self._output = os.path.join(directory, "stdout")
        self._errors = os.path.join(directory, "stderr")
        options = () if probe is None or "--port" in probe else PROBE
        with open(self._output, "ab") as output, open(self._errors, "ab") as errors:
            self.process = subprocess.Popen(
                self.command
                if probe is None
                else probed(self.command, *options, *probe),
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=output,
                stderr=errors,
                env=os.environ | (env or {}),
                cwd=cwd or directory,
            )
        self.pid = self.process.pid

    def output(self):
        with open(self._output, "rb") as file:
            return file.read()

    def errors(self):
        with open(self._errors, encoding="utf-8", errors="replace") as file:
            return file.read()

    def await_(self, condition, what):
        """Waits until condition() is true and returns its value; fails at once if the
        program has ended."""

        def either():
            ended = self.process.poll() is not None
            value = condition()
            check(
                value or not ended,
                f"{self.command[0]} ended with {self.process.returncode} before {what}: "
                f"{self.errors()[-2000:]} {self.output()[-1000:]}",
            )
            return value

        return wait_until(
            either, what=f"{what} of {self.command[0]}: {self.errors()[-500:]}"
        )

    def announced(self):
        """The processes that have a debug port: (name, pid, port)."""
        return [
            (name, int(pid), int(port))
            for name, pid, port in ANNOUNCED.findall(self.errors())
        ]

    def debug_port(self, pid=None):
        """The debug port of this process, or of a child of it."""
        wanted = pid or self.pid

        def found():
            return [port for _, owner, port in self.announced() if owner == wanted]

        what = f"debug port of {wanted}"
        # A child may outlive the program.
        ports = wait_until(found, what=what) if pid else self.await_(found, what)
        return ports[0]

    def get(self, target, pid=None, limit=LIMIT):
        """What the debug port answers."""
        return request(self.debug_port(pid), "GET", target, limit=limit).expect(200)

    def functions(self, page, pid=None):
        """The functions with a name in a profile as text."""
        text = self.get(f"/debug/pprof/{page}?debug=1", pid).text
        return named(FRAME.findall(text))

    def end(self, sign=signal.SIGTERM, limit=LIMIT):
        """Ends the program by a signal, unless None, and returns its exit status: as that
        of subprocess, negative for a signal."""
        if sign is not None:
            self.process.send_signal(sign)
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(
                f"{self.command[0]} did not end within {limit} s: {self.errors()[-2000:]}"
            ) from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def same_under_leakprobe(command, *probe, **options):
    """Runs a program bare, and under leakprobe with these options: status, output and its
    own error lines must be equal. Returns those, and what leakprobe said."""
    bare = ran(command, **options)[:3]
    *got, said = ran(command, probe=PROBE + probe, **options)
    for what, one, other in zip(("exit status", "output", "stderr"), got, bare):
        alike(one, other, f"{what} of {command[0]} under leakprobe")
    return bare, said


def compiled(name, *options, target=None, by=None):
    """A program, or a library, of tests/programs; it is compiled once a run. With other
    options, or by another compiler than gcc, it is another `target`."""
    directory = os.path.join(tempfile.gettempdir(), "own-programs")
    os.makedirs(directory, exist_ok=True)
    base, extension = os.path.splitext(name)
    target = os.path.join(directory, target or base)
    with open(os.path.join(directory, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers may want the same
        if not os.path.exists(target):
            source = os.path.join(ROOT, "tests", "programs", name)
            # clang brings the C++ library, as its packages depend on it.
            start = ["clang++"] if extension == ".cc" else [by or "gcc", "-std=c11"]
            flags = [
                "-D_GNU_SOURCE",
                "-O1",
                "-g",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-pthread",
            ]
            run(*start, *flags, source, "-o", target, *options)
    return target
