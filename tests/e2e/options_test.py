"""The command line of the servers: options, the start-up line, and how they end."""

import glob
import os
import signal
import socket
import subprocess
import time

from checks import LIMIT, check, equal, wait_until
from commands import run
from processes import ended
from servers import Server, never_stops
from tree import BUILD, ROOT, scratch


def refused(expected, *options, name="leaky"):
    """Runs a server that must refuse; returns the one line that says why."""
    program = os.path.join(BUILD, name)
    done = run(program, *options, check_exit=False, limit=10, cwd=scratch())
    equal(done.returncode, expected, f"exit of {options}")
    equal(done.stdout, "", "standard output")
    lines = done.stderr.splitlines()
    check(lines, f"{options}: no reason was given")
    return lines[0]


def test_start_up_line_says_both_addresses_and_process_id():
    """The start-up line says both addresses and the process id."""
    for name in ("leaky", "fixed"):
        with Server(name) as server:
            equal(server.pid, server.process.pid, "pid in the start-up line")
            check(server.port != server.debug_port, "both ports are the same")
            equal(server.get("/healthz").expect(200).text.strip(), "ok", "/healthz")
            reply = server.get("/healthz", debug=True).expect(200)
            equal(reply.text.strip(), "ok", "/healthz of the debug port")


def test_standard_output_has_start_up_line_and_nothing_else():
    """Standard output has the start-up line and nothing else."""
    with Server("leaky") as server:
        server.get("/nothing")
        server.process.send_signal(signal.SIGTERM)
        os.set_blocking(server.process.stdout.fileno(), True)
        equal(server.process.stdout.read(), b"", "the rest of standard output")
        server.stop()


def test_default_ports_are_8080_and_6060_8081_and_6061():
    """The default ports are 8080 and 6060, 8081 and 6061."""
    for name, port, debug_port in (("leaky", 8080, 6060), ("fixed", 8081, 6061)):
        usage = run(os.path.join(BUILD, name), "--help").stdout
        check(f"({port};" in usage and f"({debug_port};" in usage, usage)


def test_help_lists_every_option_version_says_version():
    """--help lists every option, --version says the version."""
    words = """--port --debug-port --bind --expose --profile --profile-dir --max-heap
        --max-threads --max-fds --max-timers --upstream --peer --trace-memory --help
        --version"""
    for name in ("leaky", "fixed"):
        program = os.path.join(BUILD, name)
        usage = run(program, "--help").stdout
        for word in words.split():
            check(word in usage, f"--help does not mention {word}")
        check(
            max(map(len, usage.splitlines())) <= 80, "--help is wider than 80 columns"
        )
        version = run(program, "--version").stdout
        check(version.startswith(name) and version.count("\n") == 1, version)


def test_scripts_have_help_that_fits_and_refuse_other_options():
    """Each script has a --help of at most 80 columns, and refuses unknown options."""
    scripts = sorted(glob.glob(os.path.join(ROOT, "scripts", "*.sh")))
    check(scripts, "no scripts found")
    for script in [os.path.join(ROOT, "demo.sh"), *scripts]:
        text = run(script, "--help", limit=20).stdout
        check(text.startswith("usage: "), f"{script} --help: {text}")
        wide = [line for line in text.splitlines() if len(line) > 80]
        check(not wide, f"{script} --help is wider than 80 columns: {wide}")
        done = run(script, "--bogus", limit=20, check_exit=False)
        equal(done.returncode, 2, f"exit of {script} --bogus")
        check("usage: " in done.stderr, f"{script} --bogus: {done.stderr}")


def test_wrong_usage_is_one_clear_line_and_exit_2():
    """Wrong usage is one clear line and exit 2."""
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
        (["--trace-memory=0"], "--trace-memory"),
        (["--trace-memory", "2"], "'2'"),  # a value must follow a '='
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


def test_another_address_needs_expose():
    """Another address needs --expose."""
    line = refused(2, "--bind", "0.0.0.0", "--port", "0", "--debug-port", "0")
    check("--expose" in line, line)
    with Server("leaky", "--bind", "0.0.0.0", "--expose") as server:
        equal(server.address, "0.0.0.0", "address in the start-up line")
        server.get("/healthz").expect(200)


def test_port_in_use_is_named_exit_1():
    """A port in use is named, exit 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        why = f"leaky: cannot listen on 127.0.0.1:{port}: Address already in use; see "
        line = refused(1, "--port", port, "--debug-port", "0")
        equal(line, why + "--port", "why")
        line = refused(1, "--port", "0", "--debug-port", port)
        equal(line, why + "--debug-port", "why")


def test_directory_that_cannot_be_written_is_named_exit_1():
    """A directory that cannot be written is named, exit 1."""
    file = os.path.join(scratch(), "file")
    with open(file, "w", encoding="ascii"):
        pass
    for directory in (file, file + "/below", "/proc/leak-lab"):
        ports = ("--port", "0", "--debug-port", "0")
        line = refused(1, *ports, "--profile-dir", directory)
        check(directory in line, f"{line!r} does not name {directory}")


def test_debug_port_off_opens_one_port_only():
    """--debug-port off opens one port only."""
    with Server("leaky", "--debug-port", "off") as server:
        equal(server.debug_port, None, "debug port")
        server.get("/status").expect(200)
        server.get("/debug/pprof/").expect(200)


def test_profile_off_everything_but_profiles_works():
    """--profile off: everything but profiles works, and these say 501 and why."""
    with Server("leaky", "--profile", "off") as server:
        equal(server.status()["profile"], "off", "profile in /status")
        server.leak("slice-prefix", bytes=4096)
        for path in ("/pprof/heap", "/debug/pprof/heap"):
            error = server.get(path).error(501)
            check("--profile" in error["message"] + error["hint"], error)
        error = server.post("/debug/heap/dump").error(501)
        check("--profile" in error["message"] + error["hint"], error)


def test_profile_dir_is_made_and_is_where_dumps_go():
    """--profile-dir is made, and is where dumps go."""
    with Server("fixed", "--profile-dir", "dumps") as server:
        path = server.dump()
        equal(os.path.relpath(path, server.directory), "dumps/fixed.0001.heap", "path")
        check(os.path.getsize(path) > 0, "the dump is empty")


def test_without_upstream_server_has_one_child():
    """Without --upstream the server has one child, which ends with it."""
    with Server("leaky") as server:
        with open(f"/proc/{server.pid}/task/{server.pid}/children") as children:
            child = children.read().split()
        equal(len(child), 1, "number of child processes")
        server.leak("http-body")
        server.stop()
        wait_until(lambda: ended(child[0]), 5, "child ends")


def test_child_ends_even_when_server_is_killed():
    """The child ends even when the server is killed."""
    server = Server("leaky")
    with open(f"/proc/{server.pid}/task/{server.pid}/children") as children:
        child = children.read().split()[0]
    server.stop(sign=signal.SIGKILL, expect=-signal.SIGKILL)
    wait_until(lambda: ended(child), 5, "child ends")


def test_upstream_names_another_server_which_then_is_asked():
    """--upstream names another server, which then is asked."""
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        port = upstream.getsockname()[1]
        with Server("leaky", "--upstream", f"http://127.0.0.1:{port}") as server:
            with open(f"/proc/{server.pid}/task/{server.pid}/children") as children:
                equal(children.read(), "", "child processes")
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(
                    b"GET /leak/http-body?id=x HTTP/1.1\r\nHost: localhost\r\n\r\n"
                )
                upstream.settimeout(LIMIT)
                connection, _ = upstream.accept()
                with connection:
                    check(connection.recv(4).startswith(b"GET"), "no request came")


def test_sigterm_and_sigint_end_it_within_4_s_with_0():
    """SIGTERM and SIGINT end it within 4 s with 0, also with leaked threads."""
    for name in ("leaky", "fixed"):
        for sign in (signal.SIGTERM, signal.SIGINT):
            server = Server(name)
            for family in ("stuck-threads", "undestroyed-timers"):
                server.leak(family)
            server.stop(sign=sign)


def test_sigterm_ends_it_within_4_s_while_request_is_held_for_10_s():
    """SIGTERM ends it within 4 s while a request is held for 10 s."""
    server = Server("leaky")
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(
            b"GET /leak/loop-defer?id=x&hold=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        wait_until(lambda: server.status()["fds"] > 200, what="files held")
        server.stop()


def test_sigterm_ends_it_within_4_s_while_clients_are_silent():
    """SIGTERM ends it within 4 s while clients are silent in the middle of a
    request."""
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


def test_second_signal_ends_it_at_once():
    """A second signal ends it at once."""
    server = Server("leaky", env={"LD_PRELOAD": never_stops()})
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    check(server.process.poll() is None, "it ended before the second signal")
    taken = server.stop(limit=1)
    check(taken < 0.5, f"it took {taken:.2f} s")


def test_signal_ends_it_within_4_s_whatever_hangs():
    """A part that never stops: the process ends all the same, in time."""
    server = Server("leaky", env={"LD_PRELOAD": never_stops()})
    taken = server.stop()
    check(taken > 1, f"nothing hung: it took {taken:.2f} s")


def test_logs_go_to_standard_error():
    """Logs go to standard error; closing it or standard output harms nothing."""
    server = Server("leaky")
    server.process.stdout.close()
    server.process.stdout = open(os.devnull, "rb")
    server.get("/healthz").expect(200)
    server.stop()


def test_server_that_is_started_without_standard_streams_runs():
    """A server that is started without standard streams runs."""
    directory = scratch()
    command = f"exec {BUILD}/leaky --port 0 --debug-port 0 --profile-dir {directory}"
    process = subprocess.Popen(["sh", "-c", command + " <&- >&- 2>&-"])
    time.sleep(1)
    check(process.poll() is None, f"it ended with {process.returncode}")
    process.terminate()
    equal(process.wait(6), 0, "exit code")
