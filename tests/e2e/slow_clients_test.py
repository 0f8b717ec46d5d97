"""Clients that are silent, drip, do not read their replies, or always have another
request: both ports answer all the same, and nobody else's request suffers."""

import http.client
import itertools
import socket
import threading
import time

import pytest

from checks import LIMIT, check, equal, wait_until
from http_request import read_reply, receive, request
from servers import Server

pytestmark = [pytest.mark.alone, pytest.mark.slow]

MANY = 64  # with so many clients that hold connections, /status answers within 1 s
MORE = 200  # with so many, within 5 s
HEAD = b"Host: localhost\r\n"


class Silent:
    """Sends nothing at all."""

    first = b""
    drip = b""
    reads = False
    lasts = 60.0  # seconds after which a client comes again by itself


class DripsHead(Silent):
    """Sends a byte of the head now and then."""

    first = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"X: "
    drip = b"x"


class DripsBody(Silent):
    """Sends the head whole and a byte of the body now and then."""

    first = b"POST /healthz HTTP/1.1\r\n" + HEAD + b"Content-Length: 9999\r\n\r\n"
    drip = b"x"


class NeverReads(Silent):
    """Asks for more than the sockets between take, and reads nothing of it."""

    first = b"GET /scenarios?answers=1 HTTP/1.1\r\n" + HEAD + b"\r\n"
    lasts = (
        1.5  # It never reads as far as the end, so it cannot see that it was cut off.
    )


class ReadsSlowly(NeverReads):
    """Asks for the same, and reads a few bytes now and then."""

    reads = True


def narrow_socket():
    """A socket with small segments and little room: some 30 KB fill the sockets on both
    sides."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    return client


class Clients:
    """A number of clients of one kind on one port; one that the server disconnects
    comes again. A context manager."""

    PAUSE = 0.03  # seconds between two rounds

    def __init__(self, kind, port, count):
        self.kind, self.port = kind, port
        self.ended = threading.Event()
        self.returned = 0
        self.clients = [self._connect() for _ in range(count)]
        self.thread = threading.Thread(target=self._go_on)

    def _connect(self):
        """Returns a client and when it came."""
        client = narrow_socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", self.port))
        self._send(client, self.kind.first)
        return client, time.monotonic()

    @staticmethod
    def _send(client, data):
        """Sends what fits; returns whether the connection still stands."""
        try:
            client.send(data)
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def _stands(self, client, came):
        if time.monotonic() - came > self.kind.lasts:
            return False
        try:
            if client.recv(16, 0 if self.kind.reads else socket.MSG_PEEK) == b"":
                return False
        except BlockingIOError:
            pass
        except OSError:
            return False
        return not self.kind.drip or self._send(client, self.kind.drip)

    def _go_on(self):
        while not self.ended.wait(self.PAUSE):
            for i, (client, came) in enumerate(self.clients):
                if not self._stands(client, came):
                    client.close()
                    self.clients[i] = self._connect()
                    self.returned += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        for client, _ in self.clients:
            client.close()


def seconds_for_status(server, debug):
    started = time.monotonic()
    server.get("/status", debug=debug).expect(200)
    return time.monotonic() - started


def answers(server, kind, count, limit):
    """Checks that both ports answer in time while clients hold either."""
    for on_debug, asks_debug in itertools.product((False, True), repeat=2):
        port = server.debug_port if on_debug else server.port
        with Clients(kind, port, count):
            for _ in range(3):
                taken = seconds_for_status(server, asks_debug)
                ports = f"clients on {'debug' if on_debug else 'main'}, "
                ports += f"/status on {'debug' if asks_debug else 'main'}"
                print(f"# {kind.__name__} {count}, {ports}: {taken:.3f} s")
                check(taken < limit, f"{kind.__name__}, {ports}: {taken:.2f} s")


@pytest.mark.parametrize(
    "kind, count, limit",
    [
        pytest.param(kind, count, limit, marks=pytest.mark.one_of(kind.__name__, count))
        for kind in (Silent, DripsHead, DripsBody, NeverReads, ReadsSlowly)
        for count, limit in ((MANY, 1.0), (MORE, 5.0))
    ],
)
def test_status_comes_in_time(kind, count, limit):
    """So many clients of a kind: /status comes within so many seconds, on both
    ports."""
    with Server("leaky") as server:
        before = server.settle()
        answers(server, kind, count, limit)
        server.settle(wanted=lambda sample: sample == before)


def test_what_is_under_way_goes_on_held_call_body():
    """What is under way goes on: a held call, a body, a keep-alive connection."""
    with Server("leaky") as server:
        replies = {}

        def client(name, *arguments):
            replies[name] = request(server.port, *arguments)

        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = b"bytes=1024&id=" + b"x" * 100
        calls = {
            "held": ("GET", "/leak/loop-defer?id=x&hold=3000"),
            "body": ("POST", "/leak/slice-prefix", body, form),
        }
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
        threads = [
            threading.Thread(target=client, args=(name, *call))
            for name, call in calls.items()
        ]
        threads[0].start()
        wait_until(lambda: server.status()["scenarios"]["loop-defer"]["held"])
        with Clients(DripsHead, server.port, MORE) as slow:
            wait_until(lambda: slow.returned > 32, what="slow clients gave way")
            threads[1].start()
            for _ in range(5):
                try:
                    kept.request("GET", "/healthz")
                    body = kept.getresponse().read()
                except (http.client.RemoteDisconnected, ConnectionError):
                    # It idled too long, as a busy machine makes it.
                    kept.close()
                    kept.request("GET", "/healthz")
                    body = kept.getresponse().read()
                equal(body, b"ok\n", "kept connection")
            for thread in threads:
                thread.join()
        kept.close()
        for name, reply in replies.items():
            equal(reply.status, 200, name)
        equal(sorted(replies), sorted(calls), "replies")


class Busy:
    """So many clients of the debug port that have another request every few
    milliseconds, each on one connection as long as it lasts. A context manager."""

    def __init__(self, port, count):
        self.port = port
        self.ended = threading.Event()
        self.answered = [0] * count
        self.threads = [
            threading.Thread(target=self._go_on, args=(i,)) for i in range(count)
        ]

    def _go_on(self, number):
        # It comes again by itself after a reply with "Connection: close".
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        while not self.ended.wait(0.005):
            try:
                client.request("GET", "/healthz")
                client.getresponse().read()
                self.answered[number] += 1
            except (http.client.HTTPException, OSError):
                client.close()  # It idled too long, as a busy machine makes it.
        client.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: sum(n > 0 for n in self.answered) >= 16)
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def test_clients_that_always_have_another_request_take_turns():
    """Clients that always have another request take turns with the others."""
    for count in (16, 32):
        with Server("leaky") as server, Busy(server.debug_port, count) as busy:
            for _ in range(3):
                taken = seconds_for_status(server, True)
                print(f"# {count} busy clients, /status on debug: {taken:.3f} s")
                check(taken < 2.0, f"{count} busy clients: {taken:.2f} s")
            wait_until(lambda: min(busy.answered) > 1, what="each has its turn")


def test_reply_says_so_when_it_is_connection_last():
    """A reply says so when it is the connection's last."""
    request = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n"
    last = None
    with Server("leaky") as server, Busy(server.debug_port, 32):
        while last is None:
            with socket.create_connection(("127.0.0.1", server.debug_port)) as client:
                while last is None:
                    client.sendall(request)
                    reply = read_reply(client, LIMIT)
                    if reply is None:
                        break  # It idled too long, as a busy machine makes it.
                    equal(reply.status, 200, "status")
                    if reply.closed:
                        last = reply
    equal(last.headers.get("connection"), "close", "Connection of the last reply")


def test_server_stops_in_time_while_slow_clients_hold_all():
    """The server stops in time while slow clients hold all its workers."""
    for kind in (Silent, DripsBody, NeverReads):
        server = Server("leaky")
        with Clients(kind, server.port, MANY), Clients(kind, server.debug_port, MANY):
            server.get("/status").expect(200)
            server.stop()


def test_nobody_is_cut_off_while_worker_is_free():
    """Nobody is cut off while a worker is free."""
    with Server("leaky") as server:
        clients = [
            socket.create_connection(("127.0.0.1", server.debug_port))
            for _ in range(15)
        ]
        time.sleep(1.0)  # Ten times as long as is fair when others wait.
        for _ in range(5):
            seconds_for_status(server, True)
        for client in clients:
            client.sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n")
            equal(read_reply(client).status, 200, "status")
            client.close()


def test_one_connection_too_many():
    """One connection too many: only the one that waits longest is closed."""
    with Server("leaky") as server:
        clients = []
        for _ in range(16):
            clients.append(socket.create_connection(("127.0.0.1", server.debug_port)))
            clients[-1].sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n")
            equal(read_reply(clients[-1]).status, 200, "status")
        seconds_for_status(server, True)
        clients[0].settimeout(LIMIT)
        equal(clients[0].recv(1), b"", "the first that came")
        for client in clients[1:]:
            client.sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n")
            equal(read_reply(client).status, 200, "status of the others")
            client.close()
        clients[0].close()


def test_reply_that_was_cut_off_is_connection_last():
    """A reply that the client was too slow to take whole is the connection's last: what
    came after it would be taken for the rest of it."""
    with Server("leaky") as server, narrow_socket() as client:
        before = server.settle()["fds"]
        client.connect(("127.0.0.1", server.port))
        client.sendall(NeverReads.first * 300)  # 13 MB, more than sockets take
        wait_until(lambda: server.sample()["fds"] > before, what="it is connected")
        ended = "the connection ends, though many requests are left"
        wait_until(lambda: server.sample()["fds"] <= before, 2 * LIMIT, ended)
        client.settimeout(LIMIT)
        data = b"".join(iter(lambda: receive(client), b""))
        *whole, last = data.split(b"HTTP/1.1 200 OK\r\n")[1:]
        for reply in whole:
            head, _, body = reply.partition(b"\r\n\r\n")
            check(b"Content-Length: %d\r\n" % len(body) in head, "a reply after a part")
        check(not last.endswith(b"]\n"), "the last reply was not cut off")
