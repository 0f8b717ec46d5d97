"""Both servers under the sanitizers, on builds without gperftools. The fixed one must
be clean of everything; the leaky one of everything but its leaks, and LeakSanitizer
must find those of its leaks that are lost, and no others."""

import glob
import os
import re
import socket
import threading

import pytest

from builds import ADDRESS, THREAD, built
from checks import LIMIT, check, equal, wait_until
from commands import run
from http_request import read_reply
from scenarios import LOST, owners, small_bytes
from servers import Server
from tree import ROOT

pytestmark = pytest.mark.slow
by_address = pytest.mark.one_of("thorough", "address")
of_servers = pytest.mark.one_of("address", "servers")
by_thread = pytest.mark.one_of("thorough", "thread")
CALLS = 20
LIMITS = ("--max-threads", "4000", "--max-timers", "20000", "--max-fds", "4000")


def call_all(server, clients=2, calls=CALLS):
    """Every scenario `calls` times, from several clients at once, during a trace."""
    listed = [(each["name"], small_bytes(each)) for each in server.scenarios()]
    failed = []

    def client():
        try:
            for name, size in listed:
                server.leak(name, bytes=size, count=calls // clients, limit=120)
        except Exception as error:
            failed.append(error)

    def tracer():
        try:
            server.get("/debug/pprof/trace?seconds=2", debug=True).expect(200).json()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    threads.append(threading.Thread(target=tracer))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    server.get("/status").expect(200)
    # A sanitizer's allocator says nothing to the C library, and nothing is not 0.
    memory = server.status()["memory"]
    equal([memory["alloc_bytes"], memory["heap_sys_bytes"]], [None, None], memory)
    metrics = server.get("/metrics").expect(200).text
    check("leakprobe_heap_" not in metrics, metrics)


def said(name, directory, variable, options, expect=0):
    """Runs every scenario on one server; returns what the sanitizer said."""
    server = Server(name, *LIMITS, build=directory, env={variable: options}, limit=60)
    call_all(server)
    server.stop(limit=20, expect=expect)
    return server.errors()


def clean(report):
    """Checks that a sanitizer said nothing."""
    for word in ("Sanitizer", "runtime error", "WARNING:", "ERROR:"):
        check(word not in report, report[:6000])


@by_address
@of_servers
def test_fixed_under_addresssanitizer_leaksanitizer_and_ubsan():
    """Fixed under AddressSanitizer, LeakSanitizer and UBSan: no report."""
    clean(said("fixed", built(*ADDRESS), "ASAN_OPTIONS", "detect_leaks=1:exitcode=99"))


@by_address
@of_servers
def test_leaky_under_addresssanitizer_and_ubsan():
    """Leaky under AddressSanitizer and UBSan: no report but leaks."""
    clean(said("leaky", built(*ADDRESS), "ASAN_OPTIONS", "detect_leaks=0:exitcode=99"))


@by_address
@of_servers
def test_leaksanitizer_finds_in_leaky_what_is_lost():
    """LeakSanitizer finds in leaky what is lost, and is silent about what is not."""
    server = Server(
        "leaky",
        *LIMITS,
        build=built(*ADDRESS),
        # The quick way to walk a stack ends at libraries that keep no frame pointers.
        env={"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:fast_unwind_on_malloc=0"},
        limit=60,
    )
    listed = {each["name"]: each for each in server.scenarios()}
    owned = owners(server.program)
    call_all(server)
    server.stop(limit=20, expect=99)
    report = server.errors()
    check("ERROR: LeakSanitizer" in report, report[:4000])
    found = set()
    for block in report.split("\n\n"):
        if not re.match(r"(Direct|Indirect) leak of", block):
            continue
        names = re.findall(r"^ +#\d+ 0x[0-9a-f]+ in (\w+)", block, re.MULTILINE)
        guilty = {owned[name] for name in names if name in owned}
        check(guilty, f"a leak that is no scenario's:\n{block}")
        found |= guilty
    equal(sorted(found), sorted(LOST), "scenarios that lose memory (LOST)")
    check(found <= set(listed), found)


@by_thread
def test_fixed_under_threadsanitizer_no_report():
    """Fixed under ThreadSanitizer: no report."""
    clean(said("fixed", built(*THREAD), "TSAN_OPTIONS", "exitcode=99"))


@by_thread
def test_leaky_under_threadsanitizer():
    """Leaky under ThreadSanitizer: no report but threads that never end."""
    # A lock that is never released, and two that are taken crosswise, are the lessons.
    options = "exitcode=99:report_thread_leaks=0:detect_deadlocks=0"
    clean(said("leaky", built(*THREAD), "TSAN_OPTIONS", options))


@by_thread
def test_requests_that_come_while_server_starts():
    """Requests that come while a server starts, under ThreadSanitizer: no report."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = threading.Event()
    answered = []

    def client():
        # The Origin is compared with both ports, of which one opens after the other.
        request = (
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a\r\n\r\n"
        )
        while not started.is_set():
            try:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.sendall(request)
                    reply = read_reply(connection, LIMIT)
                    answered.append(reply and reply.status)
            except ConnectionError:
                pass

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        server = Server(
            *("leaky", "--port", port),
            build=built(*THREAD),
            env={"TSAN_OPTIONS": "exitcode=99"},
            limit=60,
        )
        wait_until(lambda: answered, what="an answer")
    finally:
        started.set()
        for thread in threads:
            thread.join()
    server.stop(limit=20)
    equal(set(answered), {403}, "statuses")
    clean(server.errors())


def unit_tests_are_clean(variables):
    directory = built(*variables, targets=["unit-programs"])
    programs = sorted(glob.glob(f"{directory}/tests/unit/*_test"))
    sources = glob.glob(os.path.join(ROOT, "tests", "unit", "*_test.c"))
    equal(len(programs), len(sources), "unit tests' programs")
    # LeakSanitizer fails on the thread-local variables of a library that is opened at run
    # time, as libdw is, unless it leaves the loader's function for them alone.
    options = os.environ | {"ASAN_OPTIONS": "intercept_tls_get_addr=0"}
    for program in programs:
        done = run(program, check_exit=False, env=options)
        equal(done.returncode, 0, f"{program}: {done.stdout}{done.stderr}")
        clean(done.stderr)


@by_address
@pytest.mark.one_of("address", "units")
def test_unit_tests_under_address_sanitizer():
    """The unit tests under ASan and UBSan: no report."""
    unit_tests_are_clean(ADDRESS)


@by_thread
def test_unit_tests_under_thread_sanitizer():
    """The unit tests under ThreadSanitizer: no report."""
    unit_tests_are_clean(THREAD)
