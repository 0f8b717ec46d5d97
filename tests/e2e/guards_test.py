"""The guard rails: a call that would pass a ceiling is refused whole, and at the
ceiling everything that a person needs to look around still works."""

import concurrent.futures
import http.server
import os
import socket
import threading
import time

import pytest

from checks import check, equal, wait_until
from heap_profile import MIB, HeapProfile
from servers import Server

# One worker sends the slow request.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guards")]


def fill(server, scenario, code, option, **parameters):
    """Calls a scenario until it is refused; checks the refusal, and that it left
    nothing behind. Returns how many calls went through."""
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    for done in range(2000):
        reply = server.get(f"/leak/{scenario}?id=x&{query}")
        if reply.status != 200:
            break
    error = reply.error(503, code)
    first = f"what leaked stays: restart the server, or start it with a larger {option}"
    equal(error["hint"], first, "the hint says first what to do, then how to raise it")
    check(done > 0, f"refused at the first call: {error}")
    # A connection that was just being closed was counted too: there may be room for one
    # more call when it is gone.
    while (
        server.settle(limit=20)
        and server.get(f"/leak/{scenario}?id=x&{query}").status == 200
    ):
        done += 1
        check(done < 2000, "never refused")
    full = server.settle(limit=20)
    calls = server.status()["scenarios"][scenario]
    for _ in range(10):
        server.get(f"/leak/{scenario}?id=x&{query}").error(503, code)
    equal(server.settle(limit=20), full, "resources after ten refused calls")
    equal(
        server.status()["scenarios"][scenario], calls, "calls after ten refused calls"
    )
    return done


def looks_around(server):
    """Everything that a person needs at the ceiling."""
    for debug in (False, True):
        server.get("/healthz", debug=debug).expect(200)
        server.get("/status", debug=debug).expect(200)
        server.get("/metrics", debug=debug).expect(200)
        server.get("/scenarios", debug=debug).expect(200)
        check(server.get("/pprof/heap", debug=debug).expect(200).body, "empty profile")
        check(server.get("/debug/pprof/heap", debug=debug).expect(200).body, "empty")
        server.get("/debug/pprof/heap?debug=1", debug=debug).expect(200)
        server.get("/debug/pprof/goroutine?debug=1", debug=debug).expect(200)
        HeapProfile(server.get("/pprof/heap", debug=debug).text)
    path = server.dump()
    check(os.path.getsize(path) > 0, "the dump is empty")


class SlowUpstream(http.server.ThreadingHTTPServer):
    """Serves documents, each of which takes four seconds."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            """Prints nothing, because the output belongs to the tests."""

        def do_GET(self):
            size = int(self.path.rpartition("=")[2])
            time.sleep(4)
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.write(b"x" * size)

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SlowUpstream.Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture(name="slow", scope="module", autouse=True)
def slow_request():
    """A request of a hundred slow calls. It takes a minute and a half, so it runs
    beside the other tests. Returns the server and the reply to come."""
    upstream = SlowUpstream()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with Server("fixed", "--upstream", upstream.url) as server:
            path = "/leak/http-body?id=x&bytes=1024&count=100"
            yield server, pool.submit(server.get, path, limit=150)
    upstream.shutdown()


def test_request_that_no_empty_server_could_serve_is_not_told():
    """A request that no empty server could serve is not told to restart it."""
    with Server("fixed", "--max-heap", "32M", "--max-threads", "64") as server:
        for path, code, option in (
            ("/leak/slice-prefix?bytes=64M", "heap_limit", "--max-heap"),
            ("/leak/thread-wait?count=100", "thread_limit", "--max-threads"),
        ):
            hint = server.get(path).error(503, code)["hint"]
            expected = f"ask for less, or start the server with a larger {option}"
            equal(hint, expected, "hint")


def test_heap_refused_at_max_heap_with_503_nothing_left_behind():
    """Heap: refused at --max-heap with 503, nothing left behind, all else works."""
    with Server("leaky", "--max-heap", "64M") as server:
        fill(server, "global-list", "heap_limit", "--max-heap", bytes="4M")
        in_use = server.status()["memory"]["alloc_bytes"]
        check(40 * MIB < in_use <= 64 * MIB, f"{in_use} bytes in use")
        looks_around(server)
        server.leak("file-unclosed")


def test_heap_at_ceiling_with_largest_profile_server_can_have():
    """Heap: at the ceiling with the largest profile a server can have."""
    with Server("leaky", "--max-heap", "64M") as server:
        # Small blocks fill the heap nearly to the last byte.
        for size in ("4M", "256K", "16K", "1K"):
            while server.get(f"/leak/global-list?id=x&bytes={size}").status == 200:
                pass
        looks_around(server)


def test_threads_refused_at_max_threads_with_503():
    """Threads: refused at --max-threads with 503, nothing left behind, all else
    works."""
    with Server("leaky", "--max-threads", "150") as server:
        fill(server, "lock-never-released", "thread_limit", "--max-threads")
        count = server.status()["threads"]
        check(100 < count <= 150, f"{count} threads")
        looks_around(server)
        server.leak("slice-prefix", bytes=1024)


def test_descriptors_refused_at_max_fds_with_503():
    """Descriptors: refused at --max-fds with 503, nothing left behind, all else
    works."""
    with Server("leaky", "--max-fds", "120") as server:
        fill(server, "file-unclosed", "fd_limit", "--max-fds")
        count = server.status()["fds"]
        check(80 < count <= 125, f"{count} descriptors")
        looks_around(server)
        server.leak("slice-prefix", bytes=1024)


def test_timers_refused_at_max_timers_with_503():
    """Timers: refused at --max-timers with 503, nothing left behind, all else works."""
    with Server("leaky", "--max-timers", "350") as server:
        done = fill(server, "ticker-many", "timer_limit", "--max-timers")
        equal(done, 3, "calls of 100 timers under a limit of 350")
        looks_around(server)
        server.leak("slice-prefix", bytes=1024)


def test_count_is_refused_whole_when_only_its_last_calls_would():
    """A count is refused whole when only its last calls would pass the ceiling."""
    with Server("leaky", "--max-timers", "350") as server:
        before = server.settle()
        server.get("/leak/ticker-many?id=x&count=4").error(503, "timer_limit")
        server.get("/leak/slice-prefix?id=x&count=10000").error(503, "heap_limit")
        server.get("/leak/thread-wait?id=x&count=10000").error(503)
        server.get("/leak/file-unclosed?id=x&count=1500").error(503, "fd_limit")
        equal(server.settle(), before, "resources")
        for name, counted in server.status()["scenarios"].items():
            equal(counted["calls"], 0, f"calls of {name}")


def test_temporary_scenario_that_would_pass_ceiling_at_its_peak():
    """A temporary scenario that would pass a ceiling at its peak is refused."""
    with Server("leaky", "--max-fds", "150") as server:
        server.get("/leak/loop-defer?id=x").error(503, "fd_limit")


def test_stack_counts_as_heap():
    """Stack counts as heap: 32 clients at once stay within --max-heap and what is
    spare."""
    for ceiling in (32, 128, 512):
        with Server("leaky", "--max-heap", f"{ceiling}M") as server:
            statuses = []

            def client():
                path = "/leak/array-by-value?id=x&bytes=48M&hold=2000"
                statuses.append(server.get(path).status)

            clients = [threading.Thread(target=client) for _ in range(32)]
            for each in clients:
                each.start()
            for each in clients:
                each.join()
            check(set(statuses) <= {200, 503}, f"{ceiling} MiB: {statuses}")
            equal(200 in statuses, ceiling > 49, f"{ceiling} MiB: any call fits")
            with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
                peak = next(line for line in status if line.startswith("VmHWM"))
            peak_mib = int(peak.split()[1]) / 1024
            limit = ceiling * 1.25 + 64
            check(peak_mib <= limit, f"{peak_mib} MiB resident under {ceiling} MiB")
            print(f"# {ceiling} MiB: {statuses.count(200)} calls, {peak_mib:.0f} MiB")


def test_stack_larger_than_ceiling_is_refused_whole():
    """A stack larger than the ceiling is refused whole; the default one fits."""
    with Server("leaky", "--max-heap", "32M") as server:
        before = server.settle()
        error = server.get("/leak/array-by-value?id=x&bytes=48M").error(503)
        equal(error["code"], "heap_limit", "code")
        check(str(49 * MIB) in error["message"], f"what it needs: {error}")
        equal(server.settle(), before, "resources")
        server.leak("array-by-value", bytes="24M")
    for name in ("leaky", "fixed"):
        with Server(name) as server:
            server.leak("array-by-value")


def test_thread_that_call_runs_for_moment_counts_too():
    """A thread that a call runs for a moment counts, too."""
    with Server("leaky", "--max-threads", "64") as server:
        free = 64 - server.settle()["threads"]
        server.leak("thread-wait", count=free - 1, bytes=1024)
        server.leak("array-by-value")
        server.leak("thread-wait", bytes=1024)
        server.get("/leak/array-by-value?id=x").error(503, "thread_limit")
        server.leak("slice-prefix", bytes=1024)


def test_request_holds_for_minute_at_most():
    """A request holds for a minute at most: count times hold over 60 s is 400."""
    with Server("leaky") as server:
        for path in (
            "loop-defer?count=7&hold=10000",
            "loop-defer?count=10000&hold=7",
            "array-by-value?count=61&hold=1000",
            "slice-prefix?bytes=1K&count=6001&hold=10",
            "by-value?count=61&hold=1000",
        ):
            name, _, query = path.partition("?")
            error = server.get(f"/leak/{name}?id=x&{query}").error(400, "bad_parameter")
            check("60 s in all" in error["message"], error)
        for name, counted in server.status()["scenarios"].items():
            equal(counted["calls"], 0, f"calls of {name}")
        server.get("/leak/slice-prefix?id=x&bytes=1K&count=60&hold=1000").expect(200)


def test_clients_at_once_do_not_pass_ceiling_together():
    """Clients at once do not pass the ceiling together."""
    with Server("leaky", "--max-timers", "950", "--max-threads", "200") as server:
        statuses = []

        def client():
            for name in ("ticker-many", "lock-never-released") * 3:
                statuses.append(server.get(f"/leak/{name}?id=x").status)

        clients = [threading.Thread(target=client) for _ in range(8)]
        for each in clients:
            each.start()
        for each in clients:
            each.join()
        equal(sorted(set(statuses)), [200, 503], "statuses")
        sample = server.settle(limit=20)
        check(sample["timers"] <= 950, f"{sample['timers']} timers")
        check(sample["threads"] <= 200, f"{sample['threads']} threads")


def test_with_all_of_client_connections_open():
    """With all of the client's connections open, the debug port still answers."""
    with Server("leaky", "--max-fds", "150") as server:
        clients = []
        for _ in range(60):
            client = socket.create_connection(("127.0.0.1", server.port))
            client.sendall(b"GET /healthz HTTP/1.1\r\n")
            clients.append(client)
        server.get("/status", debug=True).expect(200)
        server.dump()
        for client in clients:
            client.close()
        wait_until(lambda: server.get("/healthz").status == 200, what="served again")


def test_every_worker_of_main_port_held_status():
    """Every worker of the main port held: status, profiles and dump on the debug
    port."""
    with Server("leaky", "--max-fds", "20000") as server:
        held = []
        while len(held) < 40:
            client = socket.create_connection(("127.0.0.1", server.port))
            client.sendall(
                b"GET /leak/loop-defer?id=x&hold=4000 HTTP/1.1\r\n"
                b"Host: localhost\r\n\r\n"
            )
            held.append(client)
        wait_until(
            lambda: server.status()["fds"] > 32 * 200,
            10,
            "every worker holds its files",
        )
        for path in ("/healthz", "/status", "/scenarios", "/pprof/heap"):
            server.get(path, debug=True, limit=2).expect(200)
        server.get("/debug/pprof/goroutine?debug=1", debug=True, limit=2).expect(200)
        check(os.path.getsize(server.dump()) > 0, "the dump is empty")
        for client in held:
            client.close()
        wait_until(lambda: server.status()["fds"] < 300, 20, "files given back")


def test_request_of_hundred_slow_calls_ends_in_time(slow):
    """A request of a hundred slow calls ends after a minute and a half."""
    server, reply = slow
    error = reply.result().error(503, "time_limit")
    equal(error["hint"], "ask for fewer calls at a time", "hint")
    done = server.status()["scenarios"]["http-body"]["calls"]
    check(15 <= done <= 23, f"{done} calls of four seconds in 90")
    check(f"failed after {done} complete calls" in error["message"], error["message"])
