"""Requests to a server, well formed (request) or byte for byte (exchange), and its
replies."""

import http.client
import json
import socket
import time

from checks import LIMIT, check, equal


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


def receive(connection):
    """What comes next from a socket; nothing at the end. A server that closes before it
    has read all requests resets the connection: that is an end, too."""
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def read_reply(connection, limit=5.0):
    """Reads one reply from a socket; see exchange()."""
    end = time.monotonic() + limit
    received = b""
    closed = False

    def more():
        nonlocal received, closed
        connection.settimeout(max(0.01, end - time.monotonic()))
        part = receive(connection)
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
