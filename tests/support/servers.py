"""Starting a server of the lab, asking it, and ending it."""

import os
import re
import signal
import subprocess
import time
import urllib.parse

from checks import LIMIT, check
from heap_profile import HeapProfile
from http_request import request
from program_functions import Functions
from tree import BUILD, scratch


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
        self._errors.close()

    def _kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self in Server.running:
            self._forget()

    @classmethod
    def forget_ended(cls):
        """Closes what is left of servers that have ended."""
        for server in list(cls.running):
            if server.process.poll() is not None:
                server._forget()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self not in Server.running:
            return
        if kind is None:
            self.stop()
        else:
            self._kill()


def never_stops():
    """A library to be loaded before others: the end of a server, which is civetweb's
    mg_stop, never returns in it."""
    path = os.path.join(scratch(), "never_stops.so")
    code = "#include <unistd.h>\nvoid mg_stop(void *c) { (void)c; for (;;) pause(); }\n"
    gcc = ("gcc", "-shared", "-fPIC", "-o", path, "-x", "c", "-")
    subprocess.run(gcc, input=code, text=True, check=True)
    return path
