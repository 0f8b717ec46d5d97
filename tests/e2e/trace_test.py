"""The timeline, /debug/pprof/trace: a file in the Trace Event Format that shows every
thread, what it waits on, and its end; that says how it was taken; and that costs
little."""

import collections
import json
import os
import socket
import threading
import time

import pytest

from checks import check, equal, wait_until
from servers import Server

MIB = 1024 * 1024


# -- reading a trace -------------------------------------------------------------------


class Trace:
    """A trace, checked by the format's rules while it is read."""

    def __init__(self, body):
        self.whole = json.loads(body.decode("utf-8"))  # strict: no invalid UTF-8
        self.events = self.whole["traceEvents"]
        self.how = self.whole["otherData"]
        self.end = round(self.how["seconds"] * 1e6)
        for event in self.events:
            self._check_event(event)
        self.names = {
            event["tid"]: event["args"]["name"]
            for event in self.events
            if event["name"] == "thread_name"
        }
        self.spans = collections.defaultdict(list)  # of each thread, in their order
        for event in self.events:
            if event["ph"] == "X":
                self.spans[event["tid"]].append(event)
        for tid, spans in self.spans.items():
            self._check_nesting(tid, spans)
        equal(set(self.names), set(self.spans), "threads that have a name and a life")

    def _check_event(self, event):
        kind = {"pid": int, "tid": int, "ts": int, "name": str, "args": dict}
        for member, wanted in kind.items():
            check(type(event.get(member)) is wanted, f"{member} of {event}")
        check(event["ph"] in "MXC", f"phase of {event}")
        check(0 <= event["ts"] <= self.end, f"time of {event}, of {self.end}")
        if event["ph"] == "X":
            check(type(event["dur"]) is int and event["dur"] >= 0, f"length of {event}")
            check(event["ts"] + event["dur"] <= self.end, f"end of {event}")
            check(event["cat"] in ("life", "function", "run", "wait", "other"), event)
        if event["ph"] == "C":
            values = list(event["args"].values())
            check(values and all(type(each) is int for each in values), event)

    def _check_nesting(self, tid, spans):
        """Each span begins and ends within the ones around it, the life first."""
        equal([each["cat"] for each in spans].count("life"), 1, f"lives of {tid}")
        equal(spans[0]["cat"], "life", f"first span of {tid}")
        around = []
        # Spans that begin at the same time stay in the file's order.
        for span in sorted(spans, key=lambda each: each["ts"]):
            while around and around[-1] <= span["ts"] < span["ts"] + span["dur"]:
                around.pop()
            end = span["ts"] + span["dur"]
            check(not around or end <= around[-1], f"{span} ends after its parent")
            around.append(end)

    def threads(self, name):
        """The ids of the threads with this name."""
        return [tid for tid, each in self.names.items() if each == name]

    def life(self, tid):
        return self.spans[tid][0]

    def lasted(self, tid, name):
        """The share of the trace in which the thread was in spans of this name."""
        found = [each["dur"] for each in self.spans[tid] if each["name"] == name]
        return sum(found) / self.end

    def values(self, counter):
        """The values of a counter, in the order of time."""
        events = [each for each in self.events if each["name"] == counter]
        check(events, f"no counter {counter}")
        check(all(each["ph"] == "C" for each in events), counter)
        events.sort(key=lambda each: each["ts"])
        return [value for each in events for value in each["args"].values()]


def take(server, seconds=1, debug=True):
    reply = server.get(f"/debug/pprof/trace?seconds={seconds}", debug=debug)
    reply.expect(200)
    equal(reply.headers["content-type"], "application/json", "type")
    return Trace(reply.body)


class Taking(threading.Thread):
    """A trace that is being taken while the test does something else."""

    def __init__(self, server, seconds):
        super().__init__()
        self.server, self.seconds = server, seconds
        self.reply = self.failed = None
        self.start()
        wait_until(lambda: "wait_ms" in stacks(server), what="a first round")

    def run(self):
        try:
            path = f"/debug/pprof/trace?seconds={self.seconds}"
            self.reply = self.server.get(path, debug=True, limit=90)
        except OSError as error:
            self.failed = error

    def finish(self):
        self.join()
        check(self.failed is None, self.failed)
        return Trace(self.reply.expect(200).body)


def stacks(server):
    """Where the threads are."""
    return server.get("/debug/pprof/threads?debug=1").expect(200).text


def is_taken(server):
    """Whether a trace is being taken."""
    return "rounds_take" in stacks(server)


@pytest.fixture(scope="module")
def leaky():
    with Server("leaky", "--max-heap", "1G") as server:
        yield server


# -- the request -----------------------------------------------------------------------


@pytest.mark.parametrize("seconds", ("0", "61", "x", "", "1.5", "-1", "1&seconds=1"))
def test_seconds_is_a_number_from_1_to_60(leaky, seconds):
    """Other values of seconds are refused at once."""
    leaky.get(f"/debug/pprof/trace?seconds={seconds}").error(400)


def test_other_parameters_and_methods_are_refused(leaky):
    """An unknown parameter gives 400, POST 405."""
    leaky.get("/debug/pprof/trace?seconds=1&debug=1").error(400)
    leaky.post("/debug/pprof/trace?seconds=1").error(405)


def test_index_names_the_trace_but_lists_it_as_no_profile(leaky):
    """The index has a link to the trace; the list of profiles is of profile.proto."""
    page = leaky.get("/debug/pprof/").expect(200).text
    check("/debug/pprof/trace?seconds=" in page, page)
    listed = leaky.get("/debug/pprof/?format=json").expect(200).json()
    check("trace" not in [each["name"] for each in listed], listed)


def test_a_second_trace_is_refused_and_profiles_are_not(leaky):
    """While a trace is taken, another one gets 409, and every profile is taken."""
    first = Taking(leaky, 3)
    leaky.get("/debug/pprof/trace?seconds=1").error(409, "profile_busy")
    for path in ("heap", "allocs?seconds=1", "goroutine", "threads?debug=2"):
        leaky.get(f"/debug/pprof/{path}").expect(200)
    first.finish()
    take(leaky)


def test_a_trace_whose_client_has_gone_ends_in_its_time(leaky):
    """After a client has gone, the next one gets its trace."""
    with socket.create_connection(("127.0.0.1", leaky.debug_port)) as client:
        request = "GET /debug/pprof/trace?seconds=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        client.sendall(request.encode())
        wait_until(lambda: is_taken(leaky), what="the trace has begun")
    wait_until(lambda: not is_taken(leaky), what="the trace has ended")
    take(leaky)


def told_why():
    """Stops a server during a trace; returns whether the client got a reply, as the
    connection can be closed before it is sent."""
    server = Server("leaky")
    trace = Taking(server, 60)
    server.stop()
    trace.join()
    if trace.failed is None:
        trace.reply.error(503, "stopping")
    return trace.failed is None


def test_a_server_stops_while_a_trace_is_taken():
    """A trace of a minute ends with the server, and its client is told why."""
    check(any(told_why() for _ in range(8)), "no client got a reply")


# -- what it shows ---------------------------------------------------------------------


def test_every_thread_is_there_with_its_name(leaky):
    """Every thread of /proc is in the trace, by the name that it has there, and with
    the function that it began in."""

    def listed():
        found = {}
        for tid in os.listdir(f"/proc/{leaky.pid}/task"):
            with open(f"/proc/{leaky.pid}/task/{tid}/comm", encoding="utf-8") as comm:
                found[int(tid)] = comm.read().rstrip("\n")
        return found

    before = listed()
    trace = take(leaky)
    after = listed()
    check(len(before) > 40, before)
    for tid in set(before) & set(after):
        check(trace.names[tid].startswith(f"{before[tid]} ("), trace.names[tid])
    check("leaky (main)" in trace.names.values(), trace.names)
    takers = [
        each for each in trace.names.values() if each.endswith("takes this trace")
    ]
    equal(len(takers), 1, f"threads that take the trace: {takers}")
    names = [event["args"] for event in trace.events if event["name"] == "process_name"]
    equal(names, [{"name": "leaky"}], "name of the process")


def test_a_stuck_thread_waits_from_beginning_to_end(leaky):
    """A thread that is stuck waits all the time, in the right function and line."""
    leaky.leak("thread-wait", count=3)
    leaky.leak("lock-never-released", count=2)
    leaky.settle()
    trace = take(leaky)
    orders = trace.threads("order (order_main)")
    check(len(orders) >= 3, trace.names)
    for tid in orders:
        life = trace.life(tid)
        equal((life["ts"], life["dur"]), (0, trace.end), "the whole trace")
        check(life["args"]["began_before_trace_ms"] > 0, life)
        equal(life["args"]["ended"], False, "ended")
        check(trace.lasted(tid, "order_await_payment") > 0.99, trace.spans[tid])
        inner = trace.spans[tid][-1]
        equal(inner["name"], "waits in waiter_sleep (futex)", "what it does")
        equal(inner["args"]["calls"], "pthread_cond_wait", "function of the library")
        check(trace.lasted(tid, inner["name"]) > 0.99, trace.spans[tid])
        place = next(
            each["args"]["at"]
            for each in trace.spans[tid]
            if each["name"] == "order_await_payment"
        )
        check(place.startswith("leaky/thread_wait.c:"), place)
    waits = [each["name"] for tid in trace.spans for each in trace.spans[tid]]
    check(any("waits in" in name and "(futex)" in name for name in waits), waits)


def test_a_working_thread_runs(leaky):
    """A thread that computes is running, in the function that computes."""
    trace = Taking(leaky, 2)
    while trace.is_alive():
        leaky.leak("buffer-churn", count=50)
    trace = trace.finish()
    runs = [e for tid in trace.spans for e in trace.spans[tid] if e["cat"] == "run"]
    inside = [e for tid in trace.spans for e in trace.spans[tid]]
    check(any(each["name"] == "strip_render" for each in inside), runs)
    check(sum(each["dur"] for each in runs) > 0.2 * trace.end, runs)


def test_threads_that_begin_and_end_meanwhile():
    """A thread that lives for 20 ms begins and ends in the trace, at the right time."""
    with Server("fixed") as fixed:
        taking = Taking(fixed, 2)
        fixed.leak("thread-wait", count=60)
        trace = taking.finish()
    orders = trace.threads("order (order_main)")
    check(orders, trace.names)
    for tid in orders:
        life = trace.life(tid)
        check(life["args"]["ended"], life)
        equal(life["args"]["began_before_trace_ms"], 0, "began before")
        check(life["ts"] > 0 and life["ts"] + life["dur"] < trace.end, life)
        check(life["dur"] < 1.0e6, f"longer than ten of the rounds: {life}")


def test_counters_rise_while_it_leaks(leaky):
    """Memory and descriptors rise by what is leaked during the trace."""
    taking = Taking(leaky, 2)
    leaky.leak("slice-prefix", count=4)
    leaky.leak("file-unclosed", count=10)
    leaky.leak("thread-wait", count=5)
    trace = taking.finish()
    for counter, least in (
        ("heap in use", 40 * MIB),
        ("resident set", 30 * MIB),
        ("descriptors", 9),
        ("threads", 5),
    ):
        values = trace.values(counter)
        check(len(values) == trace.how["rounds_taken"], f"{counter}: {values}")
        check(values[-1] - values[0] >= least, f"{counter}: {values}")


# -- how it was taken ------------------------------------------------------------------


def test_it_says_how_it_was_taken(leaky):
    """Rate, rounds, cost and losses are in the file, and agree."""
    began = time.time()
    trace = take(leaky, seconds=2)
    how = trace.how
    written = time.mktime(time.strptime(how["began"], "%Y-%m-%dT%H:%M:%SZ"))
    check(abs(written - time.timezone - began) < 60, how["began"])
    equal((how["seconds_asked"], how["ended_early"]), (2, False), "time")
    check(2 <= how["seconds"] < 12, how)
    check(how["rounds_taken"] >= 3, how)
    possible = how["rounds_taken"] + how["rounds_missed"]
    full = int(how["seconds"] * how["rate_hz_most"])
    check(full <= possible <= full + 2, how)
    rate = (how["rounds_taken"] - 1) / how["seconds"]
    check(abs(how["rate_hz"] - rate) < 0.02, how)
    check(how["rounds_cpu_ms"] > 0 and how["signals_sent"] > 0, how)
    equal(how["threads"], len(trace.names), "threads")
    losses = ("threads_silent", "threads_cut", "rounds_failed")
    equal([how[each] for each in losses], [0, 0, 0], "losses")


def used(pid):
    """The processor time of a process in seconds."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.one_of("on a busy machine", "timeline")
def test_a_trace_of_a_thousand_threads_costs_less_than_5_percent():
    """Ten seconds with 1,000 threads: less than 5 % of one processor, and it opens."""
    with Server("leaky", "--max-threads", "3000") as server:
        server.leak("thread-wait", count=1000, bytes=1024)
        server.settle()
        before = used(server.pid)
        trace = take(server, seconds=10)
        cost = used(server.pid) - before
        equal(len(trace.threads("order (order_main)")), 1000, "threads")
        check(cost / 10 < 0.05, f"{cost} s of 10: {trace.how}")
        check(trace.how["rate_hz"] > 1, trace.how)
