"""The probe's listener in a small program of its own; see tests/programs/listening.c."""

import os
import re
import signal
import socket
import subprocess

from checks import LIMIT, check, wait_until
from http_request import exchange, read_reply, request
from tree import BUILD


class Listening:
    """The program, running. Use it as a context manager, or call stop()."""

    def __init__(self, *options, build=BUILD, limit=LIMIT, preexec=None):
        self.process = subprocess.Popen(
            [os.path.join(build, "tests", "listening"), *map(str, options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=preexec,
        )
        self.pid = self.process.pid
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"no port: {self.process.communicate(limit)}")
        self.port = int(line)

    def get(self, target, headers=None, limit=LIMIT):
        return request(self.port, "GET", target, None, headers, limit)

    def post(self, target, body=b"", headers=None, limit=LIMIT):
        return request(self.port, "POST", target, body, headers, limit)

    def send(self, data, limit=LIMIT):
        """Sends bytes as they are; text has bare newlines for CRLF. One reply."""
        if isinstance(data, str):
            data = data.encode("latin-1").replace(b"\n", b"\r\n")
        return exchange(self.port, data, limit)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)

    def restart(self, byte="\n"):
        """Stops the listener; another thread goes on with it. With "x", all that it has
        open is closed first, while it waits."""
        self.process.stdin.write(byte)
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        check(line == "stopped\n", f"{line!r} {self.process.poll()}")

    def fds(self):
        """What each descriptor stands for, by number."""
        found = {}
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                found[int(name)] = os.readlink(f"/proc/{self.pid}/fd/{name}")
            except FileNotFoundError:
                pass
        return found

    def sockets(self):
        """The numbers of its sockets, in order."""
        return sorted(
            fd for fd, name in self.fds().items() if name.startswith("socket:")
        )

    def listening_fd(self):
        """The number of the socket that it accepts on."""
        with open(f"/proc/{self.pid}/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file]
        wanted = f"0100007F:{self.port:04X}"
        inodes = [row[9] for row in rows if row[1] == wanted and row[3] == "0A"]
        check(len(inodes) == 1, f"who listens on {self.port}: {inodes}")
        name = f"socket:[{inodes[0]}]"
        return next(fd for fd, found in self.fds().items() if found == name)

    def cpu_ticks(self):
        """CPU time so far, in clock ticks."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def switches(self):
        """How often its threads have given up the processor by themselves."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/status", encoding="ascii") as file:
                total += int(
                    re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.M)[
                        1
                    ]
                )
        return total

    def stop(self):
        """Ends the program, which must end well."""
        _, errors = self.process.communicate(timeout=LIMIT)
        check(
            self.process.returncode == 0,
            f"ended with {self.process.returncode}: {errors[-3000:]}",
        )
        # AddressSanitizer says so of every program that switches stacks.
        errors = re.sub(r".*ASan doesn't fully support makecontext.*\n", "", errors)
        check(errors.strip() == "", errors[-3000:])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        elif self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate()


__all__ = ["Listening", "read_reply", "wait_until"]
