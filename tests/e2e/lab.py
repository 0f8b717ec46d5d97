"""What the end-to-end tests share: servers on free ports, raw requests, waiting on a
condition, heap profiles, and results as TAP (https://testanything.org).

A test file holds functions marked @test("the promise"), and ends with lab.main().
Each function is one TAP line; it fails by an exception. Python's standard library
only, so that Debian's python3 is enough. tests/run.py runs two test files at a time;
one that measures time or load has the line "# alone" near its top.
"""

import atexit
import bisect
import functools
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD") or os.path.join(ROOT, "build"))

# A busy machine is slow: limits are there to end a test, not to measure.
LIMIT = 30.0
MIB = 1024 * 1024


# The scenarios whose memory is lost: nothing points to it any more, so LeakSanitizer
# and Valgrind find it. They say nothing of the others by design, because something
# still points to what these leak: a global table, list, queue or cache (global-*,
# channel-backlog, interface-*, slice-prefix, -return and -tail, string-prefix), the
# stack of a thread that waits for ever (stuck-threads), the C library's own list of
# open files (file-unclosed) or of timers (ticker-*).
LOST = {
    "slice-lost-pointers",
    "http-body",
    "database-statement",
    "finalizer-cycle",
    "cstring-argument",
}


# -- results ---------------------------------------------------------------------------

_tests = []


class Skip(Exception):
    """Raised by a test that cannot run here, with the reason."""


def test(promise):
    """Marks a function as the test of `promise`, one TAP line."""

    def mark(function):
        _tests.append((promise, function))
        return function

    return mark


def check(condition, message):
    """Like assert, but not removed by -O, and with a message that must be given."""
    if not condition:
        raise AssertionError(message)


def equal(actual, expected, what="value"):
    """Checks that two values are equal and shows both when they are not."""
    check(actual == expected, f"{what}: got {actual!r}, expected {expected!r}")


def main():
    """Runs the tests in the order of the file; exits 1 if one failed. Arguments, if
    any, are words: only promises that contain one of them are tested."""
    words = sys.argv[1:]
    chosen = [t for t in _tests if not words or any(w in t[0] for w in words)]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for number, (promise, function) in enumerate(chosen, 1):
        try:
            function()
            print(f"ok {number} - {promise}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {promise} # SKIP {reason}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {promise}")
            for line in traceback.format_exc().splitlines():
                print(f"#   {line}")
            for server in Server.running:
                for line in server.errors().splitlines()[-8:]:
                    print(f"#   {server.name} {server.pid}: {line}")
            sys.stdout.flush()
    sys.exit(1 if failed else 0)


# -- waiting ---------------------------------------------------------------------------


def wait_until(condition, limit=LIMIT, what="condition"):
    """Waits until condition() is true and returns its value; fails after `limit`
    seconds. What is waited for goes into the message."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.01)


# -- temporary files -------------------------------------------------------------------


def scratch(prefix="leak-lab-"):
    """A new directory, removed when the test program ends."""
    directory = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def copy_of_tree():
    """A scratch copy of the sources, to change and to build; without any output."""
    copy = os.path.join(scratch(), "lab")
    left_out = shutil.ignore_patterns(".git", "build", "out", "profiles", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=left_out)
    return copy


def run(*command, limit=120, check_exit=True, **options):
    """Runs a program without standard input; returns the finished process, with its
    output as text. A wrong exit fails the test and shows the output."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=limit,
        **options,
    )
    if check_exit and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(str(part) for part in command)}: exit {done.returncode}\n"
            f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
    return done


def profile_readers():
    """The commands here that read heap profiles: google-pprof, which Debian unstable no
    longer has, and go tool pprof. Both take --text, --base and --lines."""
    readers = [["google-pprof"]] if shutil.which("google-pprof") else []
    return readers + [["go", "tool", "pprof"]]


# -- HTTP ------------------------------------------------------------------------------


class Reply:
    """A reply: status, headers (names in lower case), body as bytes, and whether the
    server closed the connection after it."""

    def __init__(self, status, headers, body, closed=False):
        self.status = status
        self.headers = headers
        self.body = body
        self.closed = closed

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def expect(self, status):
        """The reply itself if its status is `status`; otherwise the test fails."""
        check(
            self.status == status,
            f"status {self.status}, expected {status}: {self.text[:500]}",
        )
        return self

    def error(self, status, code=None):
        """Checks the shape of an error reply; returns its error object."""
        self.expect(status)
        check(
            self.headers.get("content-type", "").startswith("application/json"),
            f"an error must be JSON: {self.headers}",
        )
        body = self.json()
        equal(sorted(body), ["error"], "members of the error reply")
        error = body["error"]
        equal(sorted(error), ["code", "hint", "message"], "members of the error")
        for member, value in error.items():
            check(isinstance(value, str), f"{member} is {value!r}, not text")
        check(error["code"] and error["message"], f"empty code or message: {error}")
        if code is not None:
            equal(error["code"], code, "error code")
        return error


def request(port, method, target, body=None, headers=None, limit=LIMIT):
    """One well-formed request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limit)
    try:
        connection.request(
            method, target, body, {"Connection": "close"} | (headers or {})
        )
        reply = connection.getresponse()
        content = reply.read()
        names = {name.lower(): value for name, value in reply.getheaders()}
        return Reply(reply.status, names, content)
    finally:
        connection.close()


def exchange(port, data, limit=5.0):
    """Sends bytes as they are and reads one reply. `closed` says whether the server
    closed the connection then; None stands for a reply that never came."""
    with socket.create_connection(("127.0.0.1", port), timeout=limit) as connection:
        try:
            connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The server may refuse, and close, before it has read it all.
        return read_reply(connection, limit)


def read_reply(connection, limit=5.0):
    """Reads one reply from a socket; see exchange()."""
    end = time.monotonic() + limit
    received = b""
    closed = False

    def more():
        nonlocal received, closed
        connection.settimeout(max(0.01, end - time.monotonic()))
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            part = b""
        received += part
        closed = part == b""
        return not closed

    try:
        while b"\r\n\r\n" not in received:
            if not more():
                return None
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers["content-length"]) if "content-length" in headers else None
        while length is None or len(received) - len(head) - 4 < length:
            if not more():
                break
        body = received[len(head) + 4 :]
        if not closed and headers.get("connection", "").lower() == "close":
            while more():
                pass
        return Reply(int(lines[0].split()[1]), headers, body, closed)
    except TimeoutError:
        if b"\r\n\r\n" in received:
            return Reply(int(lines[0].split()[1]), headers, body, False)
        return None


# -- servers ---------------------------------------------------------------------------


class Server:
    """A server of the lab on free ports, with a profile directory of its own. Use it
    as a context manager, or call stop()."""

    running = []
    START_LINE = re.compile(
        r"^(leaky|fixed): listening on http://([0-9.]+):(\d+), "
        r"debug (?:on http://[0-9.]+:(\d+)|off), pid (\d+)$"
    )

    def __init__(
        self, name, *options, build=BUILD, env=None, wrapper=(), limit=LIMIT, cwd=None
    ):
        self.name = name
        self.program = os.path.join(build, name)
        self.directory = cwd or scratch()  # where the server runs
        self.profiles = os.path.join(self.directory, "profiles")
        self._errors = open(os.path.join(scratch(), "stderr"), "w+b")
        given = [str(option) for option in options]
        defaults = ["--port", "0", "--debug-port", "0", "--profile-dir", self.profiles]
        pairs = list(zip(defaults[::2], defaults[1::2]))
        base = [part for pair in pairs if pair[0] not in given for part in pair]
        self.process = subprocess.Popen(
            [*wrapper, self.program, *base, *given],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=self.directory,
            env=os.environ | (env or {}),
        )
        Server.running.append(self)
        atexit.register(self._kill)
        try:
            self._read_start_line(limit)
        except Exception:
            self._kill()
            raise

    def _read_start_line(self, limit):
        end = time.monotonic() + limit
        line = b""
        os.set_blocking(self.process.stdout.fileno(), False)
        while not line.endswith(b"\n"):
            part = self.process.stdout.read()
            if part is None:
                check(time.monotonic() < end, f"no start-up line within {limit} s")
                time.sleep(0.005)
            elif part == b"":
                self.process.wait()
                raise AssertionError(
                    f"{self.name} ended with {self.process.returncode} before its "
                    f"start-up line: {line!r} {self.errors()}"
                )
            else:
                line += part
        self.start_line = line.decode()
        found = Server.START_LINE.match(self.start_line.rstrip("\n"))
        check(found, f"start-up line: {self.start_line!r}")
        self.address = found[2]
        self.port = int(found[3])
        self.debug_port = int(found[4]) if found[4] else None
        self.pid = int(found[5])
        self.url = f"http://127.0.0.1:{self.port}"
        self.debug_url = f"http://127.0.0.1:{self.debug_port}"

    def errors(self):
        """What the server wrote to its standard error so far."""
        with open(self._errors.name, "rb") as log:
            return log.read().decode("utf-8", "replace")

    # Requests. `debug` sends them to the debug port.

    def get(self, target, debug=False, headers=None, limit=LIMIT):
        port = self.debug_port if debug else self.port
        return request(port, "GET", target, None, headers, limit)

    def post(self, target, body=b"", debug=False, headers=None, limit=LIMIT):
        port = self.debug_port if debug else self.port
        return request(port, "POST", target, body, headers, limit)

    def leak(self, name="", limit=LIMIT, **parameters):
        """Runs a scenario, a family, or (without a name) the combined request."""
        query = urllib.parse.urlencode({"id": "t"} | parameters)
        path = f"/leak/{name}" if name else "/leak"
        return self.get(f"{path}?{query}", limit=limit).expect(200).json()

    def status(self):
        """/status, from the port that always answers."""
        return self.get("/status", debug=self.debug_port is not None).expect(200).json()

    def scenarios(self):
        """The list of scenarios, with the functions that profiles must blame."""
        listed = self.get("/scenarios?answers=1").expect(200).json()
        return listed["scenarios"] if isinstance(listed, dict) else listed

    def settle(self, limit=10.0, wanted=None):
        """Waits until nothing changes from one sample to the next, five times in a
        row, and `wanted(sample)` is true if given; returns the last sample."""
        end = time.monotonic() + limit
        last, same = None, 0
        while True:
            sample = self.sample()
            same = same + 1 if sample == last else 0
            if same >= 5 and (wanted is None or wanted(sample)):
                return sample
            if time.monotonic() > end:
                raise AssertionError(f"not settled within {limit} s: {last} {sample}")
            last = sample
            time.sleep(0.02)

    # What the kernel says of the process: shares no code with the server's /status.

    def sample(self):
        """Threads, descriptors and timers by /proc; connections of this test that are
        just being closed are no descriptors of the server's own."""
        task = os.listdir(f"/proc/{self.pid}/task")
        with open(f"/proc/{self.pid}/timers", encoding="ascii") as timers:
            count = sum(1 for line in timers if line.startswith("ID:"))
        fds = len(os.listdir(f"/proc/{self.pid}/fd"))
        return {"threads": len(task), "fds": fds, "timers": count}

    def rss(self):
        """Resident bytes by /proc."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    # Heap profiles.

    def heap(self):
        """The heap profile now, as gperftools itself writes it to a file."""
        path = self.dump()
        with open(path, encoding="utf-8") as file:
            text = file.read()
        os.unlink(path)
        return HeapProfile(text)

    def dump(self):
        """Has the server write a heap profile; returns its path."""
        debug = self.debug_port is not None
        reply = (
            self.post("/debug/heap/dump?reason=test", debug=debug).expect(200).json()
        )
        return os.path.join(self.directory, reply["path"])

    def functions(self):
        """The program's functions, to name the addresses of this process."""
        return Functions(self.program, self.pid)

    # The end.

    def stop(self, limit=4.0, expect=0, sign=signal.SIGTERM):
        """Ends the server by a signal and checks its exit code and the time it took;
        returns the seconds."""
        started = time.monotonic()
        self.process.send_signal(sign)
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self._kill()
            raise AssertionError(f"{self.name} did not end within {limit} s") from None
        taken = time.monotonic() - started
        self._forget()
        if expect is not None:
            check(code == expect, f"{self.name} ended with {code}: {self.errors()}")
        return taken

    def _forget(self):
        if self in Server.running:
            Server.running.remove(self)
        self.process.stdout.close()

    def _kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self in Server.running:
            self._forget()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self not in Server.running:
            return
        if kind is None:
            self.stop()
        else:
            self._kill()


# -- heap profiles ---------------------------------------------------------------------


class HeapProfile:
    """gperftools' text: the objects and bytes in use, by stack. A stack is a tuple of
    addresses, the caller of malloc first."""

    HEADER = re.compile(r"heap profile:\s*(\d+):\s*(\d+) \[\s*(\d+):\s*(\d+)\] @")
    ROW = re.compile(r"\s*(\d+):\s*(\d+) \[\s*(\d+):\s*(\d+)\] @((?: 0x[0-9a-f]+)*)")

    def __init__(self, text):
        lines = text.splitlines()
        found = HeapProfile.HEADER.match(lines[0]) if lines else None
        check(found, f"not a heap profile: {text[:200]!r}")
        self.objects, self.bytes = int(found[1]), int(found[2])
        self.total_bytes = int(found[4])
        self.stacks = {}
        for line in lines[1:]:
            row = HeapProfile.ROW.match(line)
            if row is None:
                break
            stack = tuple(int(address, 16) for address in row[5].split())
            objects, size = self.stacks.get(stack, (0, 0))
            self.stacks[stack] = (objects + int(row[1]), size + int(row[2]))

    def growth(self, base):
        """Bytes that each stack grew by since the profile `base`."""
        grown = {}
        for stack in set(self.stacks) | set(base.stacks):
            size = self.stacks.get(stack, (0, 0))[1] - base.stacks.get(stack, (0, 0))[1]
            if size != 0:
                grown[stack] = size
        return grown


class Functions:
    """The functions of a program, by address; from nm and /proc, so that a test need
    not believe what the server says of its own addresses."""

    def __init__(self, program, pid):
        rows = run("nm", "-n", "--defined-only", program).stdout.splitlines()
        code = [row.split() for row in rows if row.split()[1] in "tT"]
        self.starts = [int(row[0], 16) for row in code]
        self.names = [row[2] for row in code]
        self.program = os.path.realpath(program)
        self.low = None
        self.mapped = []  # (first address, address after the last, path)
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            for line in maps:
                fields = line.split()
                if len(fields) < 6:
                    continue
                low, high = (int(part, 16) for part in fields[0].split("-"))
                self.mapped.append((low, high, fields[5]))
                if fields[5] == self.program and self.low is None:
                    self.low = low - int(fields[2], 16)
        check(self.low is not None, f"{program} is not mapped in {pid}")

    def module(self, address):
        """The path of the program or library that an address is in."""
        for low, high, path in self.mapped:
            if low <= address < high:
                return path
        return ""

    def name(self, address):
        """The function of a return address, None outside of the program."""
        if self.module(address) != self.program:
            return None
        return self.names[bisect.bisect_right(self.starts, address - 1 - self.low) - 1]

    def stack(self, addresses):
        """The names of a stack."""
        return [self.name(address) for address in addresses]


class Scenario:
    """One scenario of a running server: what it declares, and what it leaves."""

    def __init__(self, server, described, functions):
        self.server = server
        self.name = described["name"]
        self.described = described
        self.functions = functions
        owned = owners(server.program)
        self.own = {name for name, owner in owned.items() if owner == self.name}

    def growth(self, after, before):
        """Bytes that this scenario's functions own more in one profile than in the
        other, by the function that called malloc. What the C library allocates for
        each thread (its thread-local storage) is no doing of the scenario."""
        owned = {}
        for stack, size in after.growth(before).items():
            names = self.functions.stack(stack)
            if self.own.isdisjoint(names) or not stack:
                continue
            if "/ld-linux" in self.functions.module(stack[0]):
                continue
            leaf = names[0] or "(library)"
            owned[leaf] = owned.get(leaf, 0) + size
        return {leaf: size for leaf, size in owned.items() if size != 0}


@functools.cache
def owners(program):
    """The scenario that each function of a server's scenarios belongs to."""
    owned = {}
    objects = os.path.join(
        os.path.dirname(program), "objects", os.path.basename(program)
    )
    for name in scenario_names():
        path = os.path.join(objects, name.replace("-", "_") + ".o")
        for row in run("nm", "--defined-only", path).stdout.splitlines():
            if row.split()[1] in "tT":
                owned[row.split()[2]] = name
    return owned


def scenario_names():
    """The names in the one list of scenarios, as in routes."""
    with open(os.path.join(ROOT, "common", "scenario.h"), encoding="utf-8") as header:
        names = re.findall(r"^    X\((\w+)\)", header.read(), re.MULTILINE)
    return [name.replace("_", "-") for name in names]


def small_bytes(scenario):
    """A main size that keeps a test quick."""
    bounds = next(p for p in scenario["parameters"] if p["name"] == "bytes")
    return max(bounds["min"], min(bounds["default"], 4096))
