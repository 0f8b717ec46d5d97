#!/usr/bin/python3
"""The command line of the servers: options, the start-up line, and how they end."""

import os
import signal
import socket
import subprocess
import time

import lab
from lab import Server, check, equal, test


def refused(expected, *options, name="leaky"):
    """Runs a server that must refuse; returns the one line that says why."""
    program = os.path.join(lab.BUILD, name)
    done = lab.run(program, *options, check_exit=False, limit=10, cwd=lab.scratch())
    equal(done.returncode, expected, f"exit of {options}")
    equal(done.stdout, "", "standard output")
    lines = done.stderr.splitlines()
    check(lines, f"{options}: no reason was given")
    return lines[0]


@test("the start-up line says both addresses and the process id")
def _():
    for name in ("leaky", "fixed"):
        with Server(name) as server:
            equal(server.pid, server.process.pid, "pid in the start-up line")
            check(server.port != server.debug_port, "both ports are the same")
            equal(server.get("/healthz").expect(200).text.strip(), "ok", "/healthz")
            reply = server.get("/healthz", debug=True).expect(200)
            equal(reply.text.strip(), "ok", "/healthz of the debug port")


@test("standard output has the start-up line and nothing else")
def _():
    with Server("leaky") as server:
        server.get("/nothing")
        server.process.send_signal(signal.SIGTERM)
        os.set_blocking(server.process.stdout.fileno(), True)
        equal(server.process.stdout.read(), b"", "the rest of standard output")
        server.stop()


@test("the default ports are 8080 and 6060, 8081 and 6061")
def _():
    for name, port, debug_port in (("leaky", 8080, 6060), ("fixed", 8081, 6061)):
        usage = lab.run(os.path.join(lab.BUILD, name), "--help").stdout
        check(f"({port};" in usage and f"({debug_port};" in usage, usage)


@test("--help lists every option, --version says the version")
def _():
    words = """--port --debug-port --bind --expose --profile --profile-dir --max-heap
        --max-threads --max-fds --max-timers --upstream --peer --help --version"""
    for name in ("leaky", "fixed"):
        program = os.path.join(lab.BUILD, name)
        usage = lab.run(program, "--help").stdout
        for word in words.split():
            check(word in usage, f"--help does not mention {word}")
        check(
            max(map(len, usage.splitlines())) <= 80, "--help is wider than 80 columns"
        )
        version = lab.run(program, "--version").stdout
        check(version.startswith(name) and version.count("\n") == 1, version)


@test("wrong usage is one clear line and exit 2")
def _():
    for options, word in (
        (["--bad"], "--bad"),
        (["stray"], "stray"),
        (["--port"], "--port"),
        (["--port", "x"], "--port"),
        (["--port", "-1"], "--port"),
        (["--port", "65536"], "--port"),
        (["--port", "80 80"], "--port"),
        (["--debug-port", "on"], "--debug-port"),
        (["--bind", "nowhere"], "--bind"),
        (["--profile", "sampled"], "--profile"),
        (["--profile-dir", ""], "--profile-dir"),
        (["--max-heap", "12Q"], "--max-heap"),
        (["--max-heap", "1"], "--max-heap"),
        (["--max-heap", "99999999999999999999999G"], "--max-heap"),
        (["--max-threads", "0"], "--max-threads"),
        (["--max-fds", "many"], "--max-fds"),
        (["--max-timers", "1.5"], "--max-timers"),
        (["--upstream", "ftp://x"], "--upstream"),
        (["--peer"], "--peer"),
        (["--peer", ""], "--peer"),
        (["--peer", "localhost:8081"], "--peer"),
        (["--peer", "https://localhost:8081"], "--peer"),
        (["--peer", "http://"], "--peer"),
        (["--peer", "http:///"], "--peer"),
        (["--peer", "http://localhost:8081/x"], "--peer"),
        (["--peer", "http://localhost:8081//"], "--peer"),
        (["--peer", "http://localhost:8081?x"], "--peer"),
        (["--peer", "http://localhost:0"], "--peer"),
        (["--peer", "http://localhost:65536"], "--peer"),
        (["--peer", "http://user@localhost:8081"], "--peer"),
    ):
        line = refused(2, *options)
        check(word in line, f"{options}: {line!r} does not name it")
        check(line.startswith("leaky: "), f"{line!r} does not say who speaks")


@test("another address needs --expose")
def _():
    line = refused(2, "--bind", "0.0.0.0", "--port", "0", "--debug-port", "0")
    check("--expose" in line, line)
    with Server("leaky", "--bind", "0.0.0.0", "--expose") as server:
        equal(server.address, "0.0.0.0", "address in the start-up line")
        server.get("/healthz").expect(200)


@test("a port in use is named, exit 1")
def _():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(1, "--port", port, "--debug-port", "0")
        check(str(port) in line, f"{line!r} does not name port {port}")
        line = refused(1, "--port", "0", "--debug-port", port)
        check(str(port) in line, f"{line!r} does not name port {port}")


@test("a directory that cannot be written is named, exit 1")
def _():
    file = os.path.join(lab.scratch(), "file")
    with open(file, "w", encoding="ascii"):
        pass
    for directory in (file, file + "/below", "/proc/leak-lab"):
        ports = ("--port", "0", "--debug-port", "0")
        line = refused(1, *ports, "--profile-dir", directory)
        check(directory in line, f"{line!r} does not name {directory}")


@test("--debug-port off opens one port only")
def _():
    with Server("leaky", "--debug-port", "off") as server:
        equal(server.debug_port, None, "debug port")
        server.get("/status").expect(200)
        server.get("/debug/pprof/").expect(200)


@test("--profile off: everything but profiles works, and these say 501 and why")
def _():
    with Server("leaky", "--profile", "off") as server:
        equal(server.status()["profile"], "off", "profile in /status")
        server.leak("slice-prefix", bytes=4096)
        for path in ("/pprof/heap", "/debug/pprof/heap"):
            error = server.get(path).error(501)
            check("--profile" in error["message"] + error["hint"], error)
        error = server.post("/debug/heap/dump").error(501)
        check("--profile" in error["message"] + error["hint"], error)


@test("--profile-dir is made, and is where dumps go")
def _():
    with Server("fixed", "--profile-dir", "dumps") as server:
        path = server.dump()
        equal(os.path.relpath(path, server.directory), "dumps/fixed.0001.heap", "path")
        check(os.path.getsize(path) > 0, "the dump is empty")


@test("without --upstream the server has one child, which ends with it")
def _():
    with Server("leaky") as server:
        with open(f"/proc/{server.pid}/task/{server.pid}/children") as children:
            child = children.read().split()
        equal(len(child), 1, "number of child processes")
        server.leak("http-body")
        server.stop()
        lab.wait_until(lambda: not os.path.exists(f"/proc/{child[0]}"), 5, "child ends")


@test("the child ends even when the server is killed")
def _():
    server = Server("leaky")
    with open(f"/proc/{server.pid}/task/{server.pid}/children") as children:
        child = children.read().split()[0]
    server.stop(sign=signal.SIGKILL, expect=-signal.SIGKILL)
    lab.wait_until(lambda: not os.path.exists(f"/proc/{child}"), 5, "child ends")


@test("--upstream names another server, which then is asked")
def _():
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        port = upstream.getsockname()[1]
        with Server("leaky", "--upstream", f"http://127.0.0.1:{port}") as server:
            with open(f"/proc/{server.pid}/task/{server.pid}/children") as children:
                equal(children.read(), "", "child processes")
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(
                    b"GET /leak/http-body?id=x HTTP/1.1\r\nHost: localhost\r\n\r\n"
                )
                upstream.settimeout(lab.LIMIT)
                connection, _ = upstream.accept()
                with connection:
                    check(connection.recv(4).startswith(b"GET"), "no request came")


@test("SIGTERM and SIGINT end it within 4 s with 0, also with leaked threads")
def _():
    for name in ("leaky", "fixed"):
        for sign in (signal.SIGTERM, signal.SIGINT):
            server = Server(name)
            for family in ("stuck-threads", "undestroyed-timers"):
                server.leak(family)
            server.stop(sign=sign)


@test("SIGTERM ends it within 4 s while a request is held for 10 s")
def _():
    server = Server("leaky")
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(
            b"GET /leak/loop-defer?id=x&hold=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        lab.wait_until(lambda: server.status()["fds"] > 200, what="files held")
        server.stop()


@test("SIGTERM ends it within 4 s while clients are silent in the middle of a request")
def _():
    server = Server("leaky")
    clients = []
    for _ in range(4):
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(
            b"POST /leak?id=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        )
        clients.append(client)
    time.sleep(0.2)
    server.stop()
    for client in clients:
        client.close()


@test("a second signal ends it at once")
def _():
    server = Server("leaky")
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(
            b"GET /leak/loop-defer?id=x&hold=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        lab.wait_until(lambda: server.status()["fds"] > 200, what="files held")
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        check(server.process.poll() is None, "it ended before the second signal")
        taken = server.stop(limit=1, expect=None)
        check(taken < 0.5, f"it took {taken:.2f} s")


@test("logs go to standard error; closing it or standard output harms nothing")
def _():
    server = Server("leaky")
    server.process.stdout.close()
    server.process.stdout = open(os.devnull, "rb")
    server.get("/healthz").expect(200)
    server.stop()


@test("a server that is started without standard streams runs")
def _():
    directory = lab.scratch()
    command = (
        f"exec {lab.BUILD}/leaky --port 0 --debug-port 0 --profile-dir {directory}"
    )
    process = subprocess.Popen(["sh", "-c", command + " <&- >&- 2>&-"])
    time.sleep(1)
    check(process.poll() is None, f"it ended with {process.returncode}")
    process.terminate()
    equal(process.wait(6), 0, "exit code")


lab.main()
