"""A server of the lab as a process: started, asked over HTTP, and ended by its id."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from learn.failure import Broken
from learn.place import ROOT

START_SECONDS = 20  # the most that a server needs to start on a busy machine
STOP_SECONDS = 8  # twice what a server promises
CALL_SECONDS = 5  # a call that takes longer hangs

REPLY_BYTES = 16 << 20  # no reply that is asked for here has more
LINE_BYTES = 4096  # nor has the start-up line


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The code of a learner does not choose whom we ask."""

    def redirect_request(self, *_):
        return None


# No proxy between us and loopback, whatever the environment says.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirects)


class Gone(Exception):
    """The server did not answer: it has ended, or closed the connection."""


class Hangs(Exception):
    """The server did not answer in time."""


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def fetch(url, seconds=CALL_SECONDS):
    """The body of a reply as text."""
    try:
        with opener.open(url, timeout=seconds) as reply:
            return reply.read(REPLY_BYTES).decode(errors="replace")
    except urllib.error.HTTPError as error:
        body = error.read(REPLY_BYTES).decode(errors="replace")
        raise Refused(error.code, refusal(body)) from None
    except TimeoutError:
        raise Hangs(url) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise Hangs(url) from None
        raise Gone(str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise Gone(str(error)) from None


def refusal(body):
    """What an error reply says, in one line."""
    try:
        return json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return body.strip()[:200]


class Client:
    """Asks a server, whose process and two addresses it knows."""

    def __init__(self, pid, url, debug):
        self.pid = pid
        self.url = url
        self.debug = debug

    def json(self, path, seconds=CALL_SECONDS):
        """A reply that is JSON."""
        body = fetch(self.url + path, seconds)
        try:
            return json.loads(body)
        except ValueError:
            raise Gone(f"no JSON from {path}") from None

    def call(self, name, seconds=CALL_SECONDS, **parameters):
        """Calls a scenario; its reply. A server whose memory is damaged may reply
        anything."""
        query = urllib.parse.urlencode(parameters)
        reply = self.json(f"/leak/{name}?{query}", seconds)
        if not isinstance(reply, dict) or not isinstance(
            reply.get("answer"), (str, type(None))
        ):
            raise Gone("the reply is damaged")
        return reply


class Server(Client):
    """A server that this process started. A context manager: it is killed at the end of
    the block. What it writes is in `directory`, by default a new one in /tmp."""

    LOCAL = r"(http://127\.0\.0\.1:\d+)"
    LINE = re.compile(rf"listening on {LOCAL}, debug on {LOCAL}, pid (\d+)")

    def __init__(
        self,
        program,
        *options,
        ports=(0, 0),
        directory=None,
        environment=None,
        wrapper=(),
    ):
        self.directory = directory or tempfile.mkdtemp(prefix="learn-")
        self.log = os.path.join(self.directory, "log")
        command = (
            *wrapper,
            os.path.join(ROOT, program),
            *("--port", str(ports[0]), "--debug-port", str(ports[1])),
            *("--profile-dir", self.directory, *options),
        )
        self.process = None
        try:
            with open(self.log, "wb") as log:
                self.process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=os.environ | {"TMPDIR": self.directory} | (environment or {}),
                    start_new_session=True,
                )
            super().__init__(*self._await_line(program))
        except BaseException:
            self.stop()
            raise

    def _await_line(self, program):
        """Waits for the start-up line; returns pid, url and debug address."""
        end = time.monotonic() + START_SECONDS
        line = ""
        os.set_blocking(self.process.stdout.fileno(), False)
        while not line.endswith("\n"):
            part = self.process.stdout.read(LINE_BYTES)
            line += (part or b"").decode(errors="replace")
            if part == b"" or self.process.poll() is not None:
                raise Broken(f"{program} does not start: {self.said() or 'it ended'}")
            if time.monotonic() > end or len(line) > LINE_BYTES:
                raise Broken(f"{program} did not start within {START_SECONDS} s")
            time.sleep(0.01)
        found = self.LINE.search(line)
        if found is None:
            raise Broken(f"{program} says: {line.strip()}")
        return int(found[3]), found[1], found[2]

    def said(self):
        """What the server wrote to stderr. It could have put anything else there."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            with open(
                os.open(self.log, flags), encoding="utf-8", errors="replace"
            ) as log:
                return log.read(REPLY_BYTES)
        except OSError:
            return ""

    def signal_of_death(self):
        """The name of the signal that ended the process; None if none did."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self.process.wait(0.5)
            if status < 0:
                return signal.Signals(-status).name
        return None

    def end(self, seconds=STOP_SECONDS):
        """Asks the process to end and waits. Whether it did."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self):
        """Kills the process and its children, and removes its directory. All that a
        server leaves behind when it is killed is in there."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()
