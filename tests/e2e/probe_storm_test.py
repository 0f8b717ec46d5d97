"""20 clients ask for every page of the probe while the program's threads allocate and
fork: nothing hangs, nothing crashes, and every reply can be read."""

import collections
import concurrent.futures
import json
import os
import re
import time

from checks import check, equal, wait_until
from http_request import request
from metrics import parse_metrics
from programs import Program, compiled
from raw_profile import function_sums

CLIENTS = 20
REPLY_LIMIT = 20  # seconds


def varint(data, at):
    """A number of the wire format of protocol buffers, and where it ends."""
    value = 0
    for shift in range(0, 64, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise AssertionError(f"a number of more than 64 bits at {at}")


def check_proto(body):
    """Whether the reply is a profile.proto as a whole: its fields, one after the other,
    end where it ends, and it has samples, locations and names."""
    fields = collections.Counter()
    at = 0
    while at < len(body):
        key, at = varint(body, at)
        kind = key & 7
        check(kind in (0, 2), f"field {key >> 3} of the kind {kind}")
        value, at = varint(body, at)
        at += value if kind == 2 else 0
        fields[key >> 3] += 1
    equal(at, len(body), "end of the last field")
    check(fields[1] and fields[6], f"fields {fields}")


def check_trace(body):
    events = json.loads(body)["traceEvents"]
    check(events and all("ph" in event for event in events), "events of the trace")


def check_threads(body):
    total = int(re.match(rb"threads profile: total (\d+)\n", body)[1])
    counts = [int(count) for count in re.findall(rb"^(\d+) @", body, re.M)]
    silent = re.search(rb"^# (\d+) did not answer", body, re.M)
    equal(sum(counts) + (int(silent[1]) if silent else 0), total, "threads")
    check(b"--- Memory map: ---\n" in body, "the memory map")


def check_stacks(body):
    blocks = body.decode().strip("\n").split("\n\n")
    for block in blocks:
        check(re.match(r'thread \d+ ".*" \[.*\]:\n\S', block), block[:200])
    check(len(blocks) >= 5, f"{len(blocks)} threads")


def check_html(body):
    check(body.rstrip().endswith(b"</html>"), body[-100:])


def check_symbol(body):
    check(body.startswith(b"num_symbols: 1"), body[:100])


PAGES = {
    "/debug/pprof/heap": check_proto,
    "/debug/pprof/allocs": check_proto,
    "/debug/pprof/heap?seconds=1": check_proto,
    "/debug/pprof/goroutine": check_proto,
    "/debug/pprof/goroutine?debug=1": check_threads,
    "/debug/pprof/goroutine?debug=2": check_stacks,
    "/debug/pprof/trace?seconds=1": check_trace,
    "/debug/pprof/symbol": check_symbol,
    "/debug/pprof/": check_html,
    "/status": json.loads,
    "/metrics": lambda body: parse_metrics(body.decode()),
    "/": check_html,
}


class Client:
    """Asks for one page after the other, and begins at another one than the others."""

    def __init__(self, number, port, end):
        self.number, self.port, self.end = number, port, end
        self.asked = collections.Counter()  # replies of each page
        self.busy = collections.Counter()  # refusals of it
        self.last = {}  # the last reply of each page

    def run(self):
        targets = list(PAGES)
        turn = self.number
        while time.monotonic() < self.end:
            self.ask(targets[turn % len(targets)])
            turn += 1
        return self

    def ask(self, target):
        reply = request(self.port, "GET", target, limit=REPLY_LIMIT)
        if reply.status == 409 and "seconds=" in target:
            reply.error(409, "profile_busy")
            self.busy[target] += 1
            return
        PAGES[target](reply.expect(200).body)
        self.asked[target] += 1
        self.last[target] = reply.body


def child_answers(program):
    """The process of a forked child whose own port has answered."""
    for _, pid, port in reversed(program.announced()):
        try:
            if pid != program.pid:
                request(port, "GET", "/debug/pprof/heap", limit=5).expect(200)
                return pid
        except OSError:
            pass  # it has ended
    return None


def storm(seconds):
    """Runs the storm; returns the clients, and the numbers of children and of their ports."""
    reader, writer = os.pipe()
    with Program([compiled("storm.c")], probe=(), stdin=reader) as program:
        os.close(reader)
        program.await_(lambda: b"ready" in program.output(), "ready")
        port = program.debug_port()
        end = time.monotonic() + seconds
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            clients = [Client(number, port, end) for number in range(CLIENTS)]
            runs = [pool.submit(client.run) for client in clients]
            wait_until(lambda: child_answers(program), what="port of a child")
            clients = [run.result() for run in runs]
        os.close(writer)
        equal(program.end(sign=None), 9, f"exit status: {program.errors()[-2000:]}")
        ports = len(program.announced()) - 1
        children = int(re.search(rb"children (\d+)", program.output())[1])
    return clients, children, ports


def test_every_page_is_whole_while_threads_allocate_and_fork(pytestconfig):
    """5 s, and 60 s with --long."""
    seconds = 60 if pytestconfig.option.long else 5
    clients, children, ports = storm(seconds)
    asked = sum((client.asked for client in clients), collections.Counter())
    busy = sum((client.busy for client in clients), collections.Counter())
    print(f"{sum(asked.values())} replies, {sum(busy.values())} refused as busy,")
    print(f"{children} children, {ports} of them with a port: {dict(asked)}")
    equal(sorted(asked), sorted(PAGES), "pages that have answered")
    check(ports >= children // 8, f"{ports} ports of {children} children")
    last = {}
    for client in clients:
        last.update(client.last)
    for target in ("/debug/pprof/heap", "/debug/pprof/goroutine"):
        function_sums(last[target])  # by go tool pprof
