"""--trace-memory: a line about memory on standard error every few seconds."""

import os
import re
import signal
import subprocess
import time

import pytest

from checks import check, equal, wait_until
from http_request import request
from servers import Server
from tree import BUILD, scratch

MIB = 1 << 20

LINE = re.compile(
    r"(?P<name>leaky|fixed): memory @(?P<seconds>\d+\.\d{3})s: "
    r"(?P<before>\d+\.\d\d)->(?P<now>\d+\.\d\d) MiB in use, "
    r"(?P<rate>\d+\.\d\d) MiB/s allocated, (?P<resident>\d+\.\d\d) MiB resident, "
    r"(?P<threads>\d+) threads, (?P<descriptors>\d+) descriptors"
)


def parse_lines(text):
    """The figures of each line, as a dictionary of numbers; nothing else may be
    there."""
    found = []
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        check(match, f"not a line about memory: {line!r}")
        values = match.groupdict()
        found.append({"name": values.pop("name")})
        found[-1].update({key: float(value) for key, value in values.items()})
    return found


def await_lines(server, count):
    """Waits until the server has written so many lines, and returns all of them. The
    last one may be incomplete while it is read: only whole ones count."""
    whole = lambda: server.errors().rpartition("\n")[0]
    wait_until(lambda: whole().count("\n") + 1 >= count and whole(), what="lines")
    return parse_lines(whole())


def test_each_line_follows_the_one_before():
    """A line a second: none is early, the times do not drift, and what one line ends
    with the next one begins with."""
    with Server("leaky", "--trace-memory") as server:
        lines = await_lines(server, 4)
        for number, line in enumerate(lines, 1):
            check(line["seconds"] >= number, f"line {number} is early: {line}")
        for line, following in zip(lines, lines[1:]):
            equal(following["before"], line["now"], "begin of the next line")
        # A late line is followed by one at its own time: full seconds stay full ones.
        best = min(line["seconds"] % 1 for line in lines[1:])
        check(best < 0.3, f"the times drift: {lines}")


def test_figures_agree_with_status():
    """The figures are those of /status and of the kernel."""
    with Server("fixed", "--trace-memory") as server:
        server.leak("slice-prefix", count=3)
        seen = len(await_lines(server, 1))
        line = await_lines(server, seen + 1)[-1]
        status = server.status()
        memory = status["memory"]
        equal(line["name"], "fixed", "name")
        check(abs(line["now"] * MIB - memory["alloc_bytes"]) < MIB, (line, memory))
        check(
            abs(line["resident"] * MIB - server.rss()) < 4 * MIB, (line, server.rss())
        )
        check(abs(line["threads"] - server.sample()["threads"]) <= 1, line)
        check(abs(line["descriptors"] - server.sample()["fds"]) <= 4, line)


def test_a_leak_climbs_and_churn_does_not():
    """slice-prefix raises what is in use by what it keeps; buffer-churn allocates much
    and leaves it as it was."""
    with Server("leaky", "--trace-memory") as server:
        first = await_lines(server, 1)[-1]
        server.leak("slice-prefix", count=4, bytes="10M")
        seen = len(await_lines(server, 2))
        leaked = await_lines(server, seen + 1)[-1]
        check(39 < leaked["now"] - first["now"] < 43, (first, leaked))
        check(leaked["resident"] - first["resident"] > 35, (first, leaked))
        start = len(await_lines(server, seen + 1))
        server.leak("buffer-churn", count=20)  # 125 MiB in all
        lines = await_lines(server, start + 2)[start:]
        allocated = sum(line["rate"] for line in lines)
        check(allocated > 100, f"125 MiB were allocated: {lines}")
        check(abs(lines[-1]["now"] - leaked["now"]) < 2, (leaked, lines))


def test_seconds_are_the_time_between_two_lines():
    """--trace-memory=3: no line before 3 s."""
    with Server("leaky", "--trace-memory=3") as server:
        lines = await_lines(server, 1)
        check(3 <= lines[0]["seconds"] < 6, lines)


def test_no_lines_without_the_option():
    """Without the option there is no line, and no thread for it."""
    with Server("leaky") as server:
        text = server.get("/debug/pprof/goroutine?debug=2").expect(200).text
        check('"memory-trace"' not in text, "there is a thread")
        equal(server.errors(), "", "standard error")


def test_the_thread_is_one_and_its_stack_is_seen():
    """One thread writes the lines; the thread profile reaches it, and a profile makes
    no line early."""
    with Server("leaky", "--trace-memory=3600") as server:

        def named():
            text = server.get("/debug/pprof/goroutine?debug=2").expect(200).text
            return [each for each in text.split("\n\n") if '"memory-trace"' in each]

        # The thread names itself, which may be after the server has said that it listens.
        blocks = wait_until(named, what="a thread of that name")
        equal(len(blocks), 1, "threads of that name")
        check("trace_main" in blocks[0], blocks[0])
        equal(server.errors(), "", "standard error")


def test_lines_allocate_nothing():
    """What the profile has of the thread is the thread itself, nothing of its lines."""
    with Server("leaky", "--trace-memory") as server:
        await_lines(server, 3)
        text = server.get("/debug/pprof/heap?debug=1").expect(200).text
        stacks = re.split(r"\n(?= +\d+: )", text)
        check(len(stacks) > 5, "no stacks")
        own = [
            re.findall(r"\t(\w+)\+", each) for each in stacks if "trace_main" in each
        ]
        equal(own, [], "functions that allocate in the thread")


@pytest.mark.parametrize("value", ["0", "3601", "-1", "x", "1.5", "", "1s"])
def test_a_wrong_interval_is_refused(value):
    """Exit 2, and the message names the option."""
    command = [os.path.join(BUILD, "leaky"), f"--trace-memory={value}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    equal(done.returncode, 2, f"exit: {done.stderr}")
    check("--trace-memory" in done.stderr.splitlines()[0], done.stderr)


def start_with(errors):
    """A leaky server whose standard error is the given descriptor."""
    ports = ("--port", "0", "--debug-port", "0", "--profile-dir", scratch())
    return subprocess.Popen(
        [os.path.join(BUILD, "leaky"), *ports, "--trace-memory"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
    )


def stop_in_time(process):
    """Ends the server by SIGTERM; checks that it ends by itself and soon."""
    process.send_signal(signal.SIGTERM)
    try:
        equal(process.wait(4), 0, "exit code")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def fill(writer):
    """Fills a pipe to its last byte."""
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 65536)
    except BlockingIOError:
        pass
    try:
        while True:
            os.write(writer, b"x")
    except BlockingIOError:
        os.set_blocking(writer, True)


def drain(reader):
    """What is in a pipe now."""
    os.set_blocking(reader, False)
    found = b""
    try:
        while part := os.read(reader, 1 << 20):
            found += part
    except BlockingIOError:
        pass
    return found


def read_whole_lines(reader, what):
    """Waits until what has come through a pipe ends with a whole line; returns it."""
    found = b""

    def whole_line():
        nonlocal found
        found += drain(reader)
        return found.endswith(b"\n")

    wait_until(whole_line, what=what)
    return parse_lines(found.decode())


def test_a_full_pipe_holds_nothing_up():
    """While nobody reads standard error, lines are left out and nothing waits. The next
    line covers the time: it begins where the last one ended."""
    reader, writer = os.pipe()
    process = start_with(writer)
    port = int(re.search(rb"http://127.0.0.1:(\d+)", process.stdout.readline())[1])
    last = read_whole_lines(reader, "a first line")[-1]
    fill(writer)
    request(port, "GET", "/leak/global-list?id=x&count=3").expect(200)
    time.sleep(2.5)  # two lines fall due
    equal(set(drain(reader)), {ord("x")}, "bytes in the full pipe")
    following = read_whole_lines(reader, "a line after the pipe was read")[0]
    equal(following["before"], last["now"], "begin of the next line")
    check(following["now"] - last["now"] > 2.9, (last, following))
    # Each line may be late by some milliseconds, the first one too.
    check(following["seconds"] - last["seconds"] > 2.9, (last, following))
    fill(writer)
    time.sleep(1.5)  # a line falls due once more: the thread meets a full pipe
    stop_in_time(process)
    os.close(reader)
    os.close(writer)


def test_a_pipe_without_a_reader_ends_nothing():
    """The reader of standard error ends: the server goes on."""
    reader, writer = os.pipe()
    process = start_with(writer)
    os.close(writer)
    process.stdout.readline()
    os.close(reader)
    time.sleep(1.5)  # a line falls due
    equal(process.poll(), None, "exit code")
    stop_in_time(process)


def test_closed_standard_error_is_nobody_elses():
    """A server that is started without standard error writes its lines nowhere: no
    client finds one in its reply."""
    server = Server(
        "leaky", "--trace-memory", wrapper=("sh", "-c", 'exec "$0" "$@" 2>&-')
    )
    with server:
        equal(os.readlink(f"/proc/{server.pid}/fd/2"), "/dev/null", "descriptor 2")
        server.get("/healthz").expect(200)


def test_it_stops_at_once():
    """The end does not wait for the next line."""
    server = Server("leaky", "--trace-memory=3600")
    check(server.stop() < 3, "the end took long")
