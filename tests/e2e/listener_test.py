"""The listener that the probe has in programs of others, run by a program of the tests:
what is well formed is answered, what is not is refused, and no client, slow, silent or
many, holds up another."""

import os
import re
import resource
import socket
import stat
import subprocess
import threading
import time

import pytest

from builds import ADDRESS, THREAD, built
from checks import LIMIT, check, equal, wait_until
from http_request import read_reply
from listening import Listening
from tree import BUILD, scratch

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(name="program", scope="module")
def started():
    """One program for the tests that leave it as it was."""
    with Listening() as program:
        yield program
        equal(program.get("/healthz").expect(200).text, "ok\n", "after all tests")


def refused(reply, status, code=None, closed=True):
    """Checks an error reply, and whether the connection was closed after it."""
    check(reply is not None, "no reply came")
    equal(reply.closed, closed, f"closed after {status}")
    return reply.error(status, code)


# -- what is well formed ---------------------------------------------------------------


def test_every_page_answers(program):
    """The probe's pages, to GET and to HEAD."""
    for path, kind in (
        ("/", "text/html"),
        ("/page/live.js", "text/javascript"),
        ("/status", "application/json"),
        ("/metrics", "text/plain"),
        ("/healthz", "text/plain"),
        ("/debug/pprof/", "text/html"),
        ("/debug/pprof/?format=json", "application/json"),
        ("/debug/pprof/goroutine", "application/octet-stream"),
        ("/debug/pprof/threads?debug=2", "text/plain"),
        ("/debug/pprof/trace?seconds=1", "application/json"),
        ("/debug/pprof/cmdline", "text/plain"),
        ("/pprof/symbol", "text/plain"),
    ):
        reply = program.get(path).expect(200)
        check(reply.headers["content-type"].startswith(kind), (path, reply.headers))
        equal(len(reply.body), int(reply.headers["content-length"]), path)
    status = program.get("/status").json()
    equal((status["server"], status["pid"]), ("listening", program.pid), "/status")
    check("leakprobe_info{" in program.get("/metrics").text, "/metrics")
    equal(program.post("/pprof/symbol", b"0x1").status, 200, "POST to symbol")
    head = program.send("HEAD /status HTTP/1.1\nHost: localhost\nConnection: close\n\n")
    equal((head.status, head.body, head.closed), (200, b"", True), "HEAD")
    check(int(head.headers["content-length"]) > 100, head.headers)


def test_requests_follow_one_another_on_a_connection(program):
    """One after the other, many at once, and each cut anywhere."""
    with program.connect() as client:
        for _ in range(3):
            client.sendall(GET)
            equal(read_reply(client).body, b"ok\n", "one after the other")
    post = b"POST /test/echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
    post = post.replace(b"Host: a", b"Host: localhost")
    bodies = [b"x" * size for size in (0, 1, 100, 9000, 60000)]
    stream = b"".join(post % (len(body), body) + GET for body in bodies)
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    for cut in (1, 17, 4096, len(stream)):
        with program.connect() as client:
            sender = threading.Thread(
                target=lambda: [
                    client.sendall(part)
                    for start in range(0, len(stream), cut)
                    for part in [stream[start : start + cut]]
                ]
                + [client.sendall(last)]
            )
            if cut == 1:
                stream = stream[:4000]
                stream = post % (3, b"abc") + GET
            sender.start()
            received = b"".join(iter(lambda: client.recv(65536), b""))
            sender.join()
        wanted = 3 if cut == 1 else 2 * len(bodies) + 1
        equal(received.count(b"HTTP/1.1 200 OK\r\n"), wanted, f"cut at {cut}")
        if cut == 1:
            stream = b"".join(post % (len(body), body) + GET for body in bodies)


def test_other_forms_of_a_request(program):
    """HTTP/1.0, a target that names the server, a body that waits to be invited."""
    old = program.send("GET /healthz HTTP/1.0\n\n")
    equal((old.status, old.closed), (200, True), "HTTP/1.0")
    full = f"GET http://localhost:{program.port}/healthz HTTP/1.1\nHost: localhost\n\n"
    equal(program.send(full, limit=1).status, 200, "absolute form")
    foreign = "GET http://example.com/healthz HTTP/1.1\nHost: localhost\n\n"
    refused(program.send(foreign), 403, "forbidden_host")
    with program.connect() as client:
        client.sendall(
            b"POST /test/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        invitation = b"HTTP/1.1 100 Continue\r\n\r\n"
        equal(
            client.recv(len(invitation), socket.MSG_WAITALL), invitation, "invitation"
        )
        client.sendall(b"hello")
        equal(read_reply(client).body, b"hello", "body")


def test_a_client_may_end_its_side_first(program):
    """It has sent all that it wants to send, and still gets the reply."""
    with program.connect() as client:
        client.sendall(GET.replace(b"/healthz", b"/test/sleep?ms=100"))
        client.shutdown(socket.SHUT_WR)
        equal(read_reply(client).body, b"slept\n", "reply")


# -- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    (
        "hello\n\n",
        "\n\n",
        "GET\n\n",
        "GET /healthz\n\n",
        "GET  /healthz HTTP/1.1\nHost: localhost\n\n",
        "GET /healthz  HTTP/1.1\nHost: localhost\n\n",
        " GET /healthz HTTP/1.1\nHost: localhost\n\n",
        "GET /healthz HTTP/9.9\nHost: localhost\n\n",
        "GET /healthz HTTP/1.1 \nHost: localhost\n\n",
        "GET healthz HTTP/1.1\nHost: localhost\n\n",
        "GET * HTTP/1.1\nHost: localhost\n\n",
        "GET /healthz%00 HTTP/1.1\nHost: localhost\n\n",
        "GET /caf\u00e9 HTTP/1.1\nHost: localhost\n\n",
        "GET /a\x01b HTTP/1.1\nHost: localhost\n\n",
        "G\x00T /healthz HTTP/1.1\nHost: localhost\n\n",
        "GET /healthz HTTP/1.1\n\n",
        "GET /healthz HTTP/1.1\nHost: localhost\nHost: localhost\n\n",
        "GET /healthz HTTP/1.1\nHost : localhost\n\n",
        "GET /healthz HTTP/1.1\nHost: localhost\n: b\n\n",
        "GET /healthz HTTP/1.1\nHost: localhost\nno colon\n\n",
        "GET /healthz HTTP/1.1\nHost: localhost\nX: a\n folded\n\n",
        "GET /healthz HTTP/1.1\n Host: localhost\n\n",
        "GET /healthz HTTP/1.1\nHost: localhost\nX: a\rb\n\n",
        "GET /healthz HTTP/1.1\nHost: localhost\nX: a\0b\n\n",
        "GET /healthz HTTP/1.1\nHost: localhost\n" + "X: a\n" * 70 + "\n",
        "POST /test/echo HTTP/1.1\nHost: localhost\nContent-Length: 3abc\n\nabc",
        "POST /test/echo HTTP/1.1\nHost: localhost\nContent-Length: -1\n\n",
        "POST /test/echo HTTP/1.1\nHost: localhost\nContent-Length:\n\n",
        "POST /test/echo HTTP/1.1\nHost: localhost\nContent-Length: 9e9\n\n",
        "POST /test/echo HTTP/1.1\nHost: localhost\nContent-Length: "
        + "9" * 30
        + "\n\n",
        "POST /test/echo HTTP/1.1\nHost: localhost\nContent-Length: 0\n"
        "Content-Length: 0\n\n",
        "POST /test/echo HTTP/1.1\nHost: localhost\nContent-Length: 5\n"
        "Transfer-Encoding: chunked\n\n0\n\n",
        "POST /test/echo HTTP/1.1\nHost: localhost\nTransfer-Encoding: gzip\n\n",
    ),
)
def test_400_what_is_not_well_formed(program, text):
    """Refused in one shape, and closed: what follows is no request."""
    refused(program.send(text + GET.decode().replace("\r\n", "\n")), 400, "bad_request")


def test_400_a_line_feed_alone(program):
    """Refused at once, not only when the client has lost its patience."""
    for data in (
        b"GET /healthz HTTP/1.1\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\n",
    ):
        started = time.monotonic()
        refused(program.send(data), 400, "bad_request")
        check(time.monotonic() - started < 5, "it waited")


def test_what_is_too_much(program):
    """Heads of more than 16 KiB, bodies of more than 64 KiB, bodies without length."""
    for text in (
        "GET /" + "a" * 100000 + " HTTP/1.1\nHost: localhost\n\n",
        "GET /healthz HTTP/1.1\nHost: localhost\nX: " + "a" * 100000 + "\n\n",
    ):
        refused(program.send(text), 431, "head_too_large")
    most = "GET /healthz HTTP/1.1\nHost: localhost\nConnection: close\nX: "
    fills = 16384 - len(most) - most.count("\n") - 4
    equal(program.send(most + "a" * fills + "\n\n").status, 200, "a head of 16 KiB")
    refused(program.send(most + "a" * (fills + 1) + "\n\n"), 431)
    head = "POST /test/echo HTTP/1.1\nHost: localhost\n"
    for length in (65537, 10**9, 10**17):
        reply = program.send(f"{head}Content-Length: {length}\n\n")
        refused(reply, 413, "body_too_large")
    with program.connect() as client:
        long = f"{head}Content-Length: 9000000\n\n".replace("\n", "\r\n").encode()
        for part in (long, *[b"a" * 65536] * 12):
            client.sendall(part)  # nobody reads it as a body, but nobody resets either
        refused(read_reply(client, LIMIT), 413, "body_too_large")
    equal(program.post("/test/echo", b"a" * 65536).body, b"a" * 65536, "64 KiB")
    reply = program.send(f"{head}Transfer-Encoding: chunked\n\n3\nabc\n0\n\n")
    refused(reply, 411, "length_required")


def test_what_is_not_for_this_server(program):
    """Another name, another site's page."""
    for host in ("example.com", "localhost.evil", "10.0.0.1", "localhost:x", "[::1]"):
        reply = program.send(f"GET /healthz HTTP/1.1\nHost: {host}\n\n")
        refused(reply, 403, "forbidden_host")
    for host in ("localhost", "LocalHost:1", f"127.0.0.1:{program.port}"):
        equal(program.get("/healthz", {"Host": host}).status, 200, host)
    for header in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://example.com"},
        {"Origin": "null"},
        {"Origin": f"http://localhost:{program.port + 1}"},
    ):
        program.get("/status", header).error(403, "cross_site")
    own = {
        "Origin": f"http://127.0.0.1:{program.port}",
        "Sec-Fetch-Site": "same-origin",
    }
    program.get("/status", own).expect(200)


def test_routes_and_methods(program):
    """404 with a hint, 405 with Allow, also for methods that nobody knows."""
    for path in ("/nothing", "/status/", "//", "/debug/pprof/nothing", "/scenarios"):
        error = program.get(path).error(404, "unknown_route")
        check("/debug/pprof/" in error["hint"], error)
    error = program.get("/debug/pprof/fdss").error(404, "unknown_route")
    check(error["hint"].endswith("; did you mean '/debug/pprof/fds'?"), error)
    for path, method, allowed in (
        ("/status", "POST", "GET, HEAD"),
        ("/status", "DELETE", "GET, HEAD"),
        ("/status", "BREW", "GET, HEAD"),
        ("/debug/heap/dump", "GET", "POST"),
        ("/pprof/symbol", "PUT", "GET, HEAD, POST"),
    ):
        text = f"{method} {path} HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n"
        reply = program.send(text, limit=1)
        refused(reply, 405, closed=False)
        equal(reply.headers["allow"], allowed, f"Allow of {path}")
    error = program.get("/status?x=1").error(400, "unknown_parameter")
    check("'x'" in error["message"], error)


# -- slow clients, and many ------------------------------------------------------------


def test_a_page_that_waits_holds_up_nobody(program):
    """Sixty clients whose pages sleep, and others are answered all the while."""
    clients = [program.connect() for _ in range(60)]
    started = time.monotonic()
    for client in clients:
        client.sendall(GET.replace(b"/healthz", b"/test/sleep?ms=1000"))
    answered = 0
    while time.monotonic() - started < 0.8:
        equal(program.get("/healthz").text, "ok\n", "meanwhile")
        answered += 1
    check(answered >= 3, f"only {answered} answered meanwhile")
    for client in clients:
        equal(read_reply(client, LIMIT).body, b"slept\n", "a page that waits")
        client.close()
    check(time.monotonic() - started >= 1.0, "it did not wait")


def test_the_one_that_waits_longest_gives_way(program):
    """Of 64 silent connections, when another comes. Those at work stay."""
    clients = []
    for number in range(64):
        client = program.connect()
        clients.append(client)
        path = b"/test/sleep?ms=2000" if number == 0 else b"/healthz"
        client.sendall(GET.replace(b"/healthz", path))
        if number > 0:
            equal(read_reply(client).status, 200, "status")
    program.get("/healthz").expect(200)
    clients[63].sendall(GET)
    equal(read_reply(clients[63]).status, 200, "the last that was idle")
    equal(clients[1].recv(1), b"", "the first that was idle")
    equal(read_reply(clients[0], LIMIT).body, b"slept\n", "the one at work")
    for client in clients:
        client.close()


@pytest.mark.slow
@pytest.mark.one_of("listener's clients", "slow")
def test_slow_clients_are_given_up():
    """After 10 s that a request is not whole, or nothing of a reply is taken; after 2 s
    without another request. Meanwhile others are answered."""
    with Listening() as program:
        before = len(program.sockets())
        idle, silent, head, body, deaf = (program.connect() for _ in range(5))
        started = time.monotonic()
        idle.sendall(GET)
        head.sendall(GET[:-2])
        body.sendall(GET.replace(b"GET", b"POST")[:-2] + b"Content-Length: 3\r\n\r\nab")
        deaf.sendall(GET.replace(b"/healthz", b"/test/large?bytes=64M"))
        equal(read_reply(idle).status, 200, "first request")
        taken = {}
        for name, client in (("idle", idle), ("head", head), ("body", body)):
            if name != "idle":
                refused(read_reply(client, LIMIT), 408, "request_timeout")
            else:
                equal(client.recv(1), b"", name)
            taken[name] = time.monotonic() - started
            program.get("/healthz").expect(200)
        equal(silent.recv(1), b"", "a client that says nothing")
        wait_until(lambda: len(program.sockets()) == before, what="all are gone")
        check(1.9 < taken["idle"] < 9, taken)
        check(9.9 < taken["head"] and 9.9 < taken["body"], taken)
        for client in (idle, silent, head, body, deaf):
            client.close()


def test_a_client_that_does_not_read_holds_up_nobody(program):
    """It gets the rest as soon as it reads on."""
    with program.connect() as deaf:
        deaf.sendall(
            GET.replace(b"/healthz", b"/test/large?bytes=64M").replace(
                b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"
            )
        )
        for _ in range(20):
            program.get("/healthz").expect(200)
        received = sum(len(part) for part in iter(lambda: deaf.recv(1 << 20), b""))
        check(received > 64 << 20, f"{received} bytes came")


@pytest.mark.one_of("listener's clients", "gone")
def test_clients_that_go_away(program):
    """In the middle of a request, of a page's work, and of a reply."""
    for data in (
        GET[:20],
        GET.replace(b"/healthz", b"/test/sleep?ms=50"),
        GET.replace(b"/healthz", b"/test/large?bytes=64M"),
    ):
        for _ in range(20):
            client = program.connect()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(data)
            client.close()
    program.get("/healthz").expect(200)


def ask_everything(program, clients, seconds, restarts=0):
    """Clients that ask for every page, and check that each reply comes whole."""
    paths = (
        "/", "/status", "/metrics", "/healthz", "/debug/pprof/", "/page/live.js",
        "/debug/pprof/goroutine", "/debug/pprof/threads?debug=2", "/pprof/cmdline",
        "/debug/pprof/trace?seconds=1", "/test/large?bytes=3M", "/nothing",
        "/test/sleep?ms=20",
    )  # fmt: skip
    counts, failed = [0] * clients, []
    end = time.monotonic() + seconds

    def client(number):
        try:
            while time.monotonic() < end:
                path = paths[(number + counts[number]) % len(paths)]
                reply = program.get(path)
                check(reply.status in (200, 404, 409, 503), f"{path}: {reply.status}")
                check(reply.status != 503 or restarts > 0, f"{path}: {reply.text}")
                equal(len(reply.body), int(reply.headers["content-length"]), path)
                counts[number] += 1
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for _ in range(restarts):
        program.restart()
        time.sleep(seconds / restarts)
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    print(f"# {sum(counts)} replies")
    check(min(counts) > 1, f"replies: {counts}")


@pytest.mark.slow
@pytest.mark.one_of("listener's clients", "twenty")
def test_twenty_clients_ask_for_everything():
    """For ten seconds: every reply comes whole."""
    with Listening() as program:
        ask_everything(program, 20, 10)


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables",
    (
        pytest.param(
            ADDRESS, marks=pytest.mark.one_of("listener's clients", "address")
        ),
        pytest.param(THREAD, marks=pytest.mark.one_of("listener's clients", "thread")),
    ),
    ids=("address", "thread"),
)
def test_the_sanitizers_find_nothing(variables):
    """Many clients, while one thread after another goes on with the listener."""
    build = built(*variables, targets=("tests/listening",))
    with Listening(build=build) as program:
        ask_everything(program, 20, 4, restarts=10)
        with program.connect() as client:
            client.sendall(GET.replace(b"HTTP", b"HTTTP"))
            refused(read_reply(client), 400)


# -- in a program that is not ours -----------------------------------------------------


def test_it_takes_no_time_while_nobody_asks():
    """No thread wakes up, not even once."""
    with Listening() as program:
        program.get("/healthz").expect(200)
        wait_until(lambda: len(program.sockets()) == 6, what="the connection is closed")
        # It is closed just before the listener waits again.
        wait_until(lambda: state_of_all(program) == {"S"}, what="all wait")
        before = program.switches(), program.cpu_ticks()
        time.sleep(1.0)
        equal((program.switches(), program.cpu_ticks()), before, "switches, CPU time")


def state_of_all(program):
    """The states of its threads, as letters."""
    found = set()
    for task in os.listdir(f"/proc/{program.pid}/task"):
        with open(f"/proc/{program.pid}/task/{task}/stat", encoding="ascii") as file:
            found.add(file.read().rpartition(")")[2].split()[0])
    return found


def test_another_thread_goes_on():
    """A stop ends the pages that wait; connections stay open."""
    with Listening() as program, program.connect() as kept, program.connect() as waits:
        for client in (kept, waits):
            client.sendall(GET)
            equal(read_reply(client).status, 200, "status")
        waits.sendall(GET.replace(b"/healthz", b"/test/sleep?ms=60000"))
        program.get("/healthz").expect(200)  # so what came before it has been read
        program.restart()
        kept.sendall(GET)
        equal(read_reply(kept).body, b"ok\n", "after the stop")
        check(b"cancel" in read_reply(waits, LIMIT).body, "the page that waited")
        for _ in range(50):
            program.restart()
        equal(program.get("/healthz").text, "ok\n", "after fifty stops")


def test_its_descriptors_are_high():
    """From the number on that was given, or as high as the limit allows."""
    with Listening("--from", 300) as program, program.connect() as client:
        client.sendall(GET)
        read_reply(client)
        equal(program.sockets(), list(range(300, 307)), "numbers")
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    with Listening("--from", 300, preexec=few) as program, program.connect() as client:
        client.sendall(GET)
        read_reply(client)
        equal(program.sockets(), list(range(57, 64)), "numbers")


def test_it_answers_when_the_program_has_no_descriptor_left():
    """That is when a person asks. And it does not spin meanwhile."""
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    with Listening("--from", 50, preexec=few) as program:
        equal(program.post("/test/fill").text, "filled\n", "none is left")
        for _ in range(3):
            equal(program.get("/healthz").text, "ok\n", "another client")
            program.get("/status").expect(200)  # it reads files of /proc
        waiting = [program.connect() for _ in range(5)]
        before = program.cpu_ticks()
        time.sleep(0.5)
        check(program.cpu_ticks() - before < 25, "it spins")
        for client in waiting:
            client.close()
        program.get("/healthz").expect(200)


def test_the_program_closes_its_descriptors():
    """With raw calls, each of them, and all: the same port answers again."""
    with Listening() as program:
        port = program.port
        for fds in (
            [program.listening_fd()],
            [500],
            [501],
            [502],
            [503],
            [504],
            program.sockets(),
        ):
            for fd in fds:
                try:
                    program.post(f"/test/close?fd={fd}", limit=2)
                except OSError:
                    pass  # it was this connection's, or it came to the lost socket
            answers = lambda: answers_on(port)
            wait_until(answers, what=f"the port answers after {fds}")
            program.restart()
            wait_until(answers, what=f"the port answers after {fds} and a stop")
        before = program.cpu_ticks()
        time.sleep(0.5)
        check(program.cpu_ticks() - before < 25, "it spins")


def test_all_is_closed_while_it_waits():
    """It can be stopped all the same, and then opens the same address again."""
    path = os.path.join(scratch(), "socket")
    with Listening() as program:
        for _ in range(3):
            wait_until(lambda: state_of_all(program) == {"S"}, what="all wait")
            program.restart("x")
            wait_until(lambda: answers_on(program.port), what="the port answers")
    with Listening("--unix", path) as program:
        wait_until(lambda: state_of_all(program) == {"S"}, what="all wait")
        program.restart("x")
        wait_until(lambda: os.path.exists(path) and ask(path), what="it answers")


def answers_on(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as client:
            client.sendall(GET)
            reply = read_reply(client, 2)
            return reply is not None and reply.status == 200
    except OSError:
        return False


def test_ports_that_are_taken():
    """The next free one is taken; if there is none, it says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Listening("--port", port) as program:
            check(port < program.port < port + 10, f"{program.port} after {port}")


# -- a Unix socket ---------------------------------------------------------------------


def ask(path, data=GET):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LIMIT)
        client.connect(path)
        client.sendall(data)
        return read_reply(client, LIMIT)


def start_fails(path):
    """The message of a program that cannot listen there."""
    done = subprocess.run(
        [os.path.join(BUILD, "tests", "listening"), "--unix", path],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip
    equal(done.returncode, 1, "status")
    return done.stderr


def test_a_unix_socket():
    """Its file is the user's alone, replaces a stale one, and is removed at the end."""
    path = os.path.join(scratch(), "socket")
    with Listening("--unix", path) as program:
        equal(program.port, 0, "port")
        equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "mode")
        for host in (b"localhost", b"any.name", b""):
            equal(ask(path, GET.replace(b"localhost", host)).body, b"ok\n", host)
        foreign = GET[:-2] + b"Sec-Fetch-Site: cross-site\r\n\r\n"
        refused(ask(path, foreign), 403, "cross_site")
        check("in use" in start_fails(path), "a second one")
        equal(ask(path).body, b"ok\n", "the first goes on")
        program.restart()
        equal(ask(path).body, b"ok\n", "after a stop")
    check(not os.path.exists(path), "the file is removed")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    with Listening("--unix", path):
        equal(ask(path).body, b"ok\n", "in place of a stale one")
        os.unlink(path)
        with open(path, "w", encoding="ascii") as file:
            file.write("another's")
    equal(open(path, encoding="ascii").read(), "another's", "a file of another")
    check("exists" in start_fails(path), "it is no socket")
    equal(open(path, encoding="ascii").read(), "another's", "a file of another")
    check("too long" in start_fails(os.path.join(scratch(), "x" * 120)), "long path")


def test_a_unix_socket_closed_by_the_program():
    """It is opened again, with a file of its own."""
    path = os.path.join(scratch(), "socket")
    with Listening("--unix", path) as program:
        for fd in program.sockets():
            data = f"POST /test/close?fd={fd} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
            try:
                ask(path, data)
            except OSError:
                pass

        def answers():
            try:
                return ask(path).status == 200
            except OSError:
                return False

        wait_until(answers, what="it answers again")
        program.restart()
        wait_until(answers, what="it answers after a stop")
    check(not re.search("socket", " ".join(os.listdir(os.path.dirname(path)))), "left")
