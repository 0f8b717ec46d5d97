"""Who waits for which lock: the lab's two scenarios, unusual ways to wait in programs
under leakprobe, and that the functions of locks return what they return without the
probe. See lock_plans_test.py for all kinds of locks."""

import os

import pytest

from checks import check, equal, wait_until
from http_request import request
from programs import PROBE, compiled, probed, same_under_leakprobe
from raw_profile import function_sums
from servers import Server
from tree import ROOT
from waiting_program import WaitingProgram

pytestmark = pytest.mark.xdist_group("locks")

QUIET = ("--heap", "off")
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do that")


def line_of(file, text, nth=0):
    """The number of the nth line of a source file that contains a text."""
    with open(os.path.join(ROOT, file), encoding="utf-8") as source:
        found = [number for number, line in enumerate(source, 1) if text in line]
    return found[nth]


def own_frame(wait, folder):
    """The innermost frame of a wait in this folder, as "file:line"."""
    frames = [f for f in wait["stack"] if (f["file"] or "").startswith(folder)]
    check(frames, f"no frame in {folder}: {wait}")
    return f"{frames[0]['file']}:{frames[0]['line']}"


# -- the lab's scenarios ---------------------------------------------------------------


@pytest.fixture(name="leaky", scope="module")
def leaky_server():
    """The leaky server with threads that never go on."""
    with Server("leaky") as server:
        server.leak("lock-deadlock")
        server.leak("lock-never-released")
        wait_until(lambda: len(locks_of(server)["waits"]) == 12, what="12 waits")
        yield server


def locks_of(server):
    return server.get("/debug/locks?format=json", debug=True).expect(200).json()


def waits_by_verdict(said, verdict):
    return [wait for wait in said["waits"] if wait["verdict"] == verdict]


def test_a_deadlock_of_two_and_a_third_that_is_stuck(leaky):
    """Three workers wait at the same line; two of them for each other."""
    said = locks_of(leaky)
    check(said["measured"] and said["kernel_asked"], said)
    (deadlock,) = said["deadlocks"]
    waits = {wait["tid"]: wait for wait in waits_by_verdict(said, "deadlock")}
    equal(sorted(deadlock["threads"]), sorted(waits), "threads of the deadlock")
    one, other = deadlock["threads"]
    equal(waits[one]["holder"]["tid"], other, "whom the first waits for")
    equal(waits[other]["holder"]["tid"], one, "whom the second waits for")
    (stuck,) = waits_by_verdict(said, "stuck")
    check(stuck["holder"]["tid"] in waits, f"{stuck} waits for none of {list(waits)}")
    line = line_of("leaky/lock_deadlock.c", "pthread_mutex_lock(&to->lock)")
    for wait in [*waits.values(), stuck]:
        equal(own_frame(wait, "leaky/"), f"leaky/lock_deadlock.c:{line}", "where")
        equal(wait["name"], "account", "name")
        equal((wait["kind"], wait["type"]), ("mutex", "normal"), "kind of lock")
        check(wait["waited_seconds"] < 600, wait)


def test_nine_wait_for_a_lock_whose_owner_has_ended(leaky):
    """All at one line, and the owner is no thread any more."""
    said = locks_of(leaky)
    (never,) = said["never_released"]
    waits = waits_by_verdict(said, "never_released")
    equal(sorted(never["threads"]), [wait["tid"] for wait in waits], "threads")
    equal(len(waits), 9, "threads that wait for the ledger")
    line = line_of("leaky/lock_never_released.c", "pthread_mutex_lock(&ledger->lock)")
    for wait in waits:
        equal(wait["holder"]["state"], "ended", "the holder")
        equal(wait["holder"]["tid"], never["owner"], "the owner")
        equal(wait["lock"], never["lock"], "the lock")
        place = own_frame(wait, "leaky/")
        equal(place, f"leaky/lock_never_released.c:{line}", "where")
    tasks = os.listdir(f"/proc/{leaky.process.pid}/task")
    check(str(never["owner"]) not in tasks, "the owner lives")


def test_the_text_for_people(leaky):
    """The first line sums up; no frame of the probe's own is on the stacks."""
    text = leaky.get("/debug/locks", debug=True).expect(200).text
    equal(
        text.splitlines()[0],
        "12 threads wait for a lock; DEADLOCK of 2 threads; 9 wait for a lock that is "
        "NEVER RELEASED; 1 is stuck behind them",
        "the first line",
    )
    for heading in ("\nDEADLOCK: ", "\nNEVER RELEASED: mutex 0x", "\nSTUCK: "):
        equal(text.count(heading), 1, heading)
    check("probe/" not in text, text)


def test_the_profile_of_threads_that_never_go_on(leaky):
    """go tool pprof reads it; the text says the reasons."""
    profile = leaky.get("/debug/pprof/goroutineleak", debug=True).expect(200).body
    sums = function_sums(profile)
    equal(list(sums), ["goroutineleak"], "types")
    threads = sums["goroutineleak"]["all"]
    got = (threads.get("account_transfer"), threads.get("ledger_post"))
    equal(got, (3, 9), "threads by function")
    text = leaky.get("/debug/pprof/goroutineleak?debug=1", debug=True).expect(200).text
    check(text.startswith("goroutineleak profile: total 12\n9 @ 0x"), text[:200])
    for reason, threads in (("deadlock", 2), ("never released", 9), ("stuck", 1)):
        label = f'# labels: {{"reason":"{reason}"}}'
        rows = text.splitlines()
        equal(rows[rows.index(label) - 1].split()[0], str(threads), reason)


def test_the_list_of_threads_says_it_too(leaky):
    """In the heading of each that waits."""
    text = leaky.get("/debug/pprof/goroutine?debug=2", debug=True).expect(200).text
    for verdict, threads in (("DEADLOCK", 2), ("NEVER RELEASED", 9), ("STUCK", 1)):
        equal(text.count(f" ({verdict})]:\n"), threads, verdict)
    equal(text.count(", waits for mutex 0x"), 12, "threads that wait")
    equal(text.count(", which has ended (NEVER RELEASED)"), 9, "ended owners")


def test_the_fixed_server_has_no_such_threads():
    """The same scenarios leave nobody behind."""
    with Server("fixed") as server:
        server.leak("lock-deadlock")
        server.leak("lock-never-released")
        said = locks_of(server)
        check(said["measured"], said)
        equal(said["deadlocks"] + said["never_released"], [], "claims")
        equal([w for w in said["waits"] if w["verdict"] != "waits"], [], "verdicts")
        text = server.get("/debug/pprof/goroutineleak?debug=1", debug=True).text
        equal(text, "goroutineleak profile: total 0\n", "profile")


# -- unusual ways ----------------------------------------------------------------------


class Seen:
    """What /debug/locks says of tests/programs/lock_ways.c: by the threads' names."""

    def __init__(self, program, pid=None):
        self.said = program.get("/debug/locks?format=json", pid).json()
        names = {wait["tid"]: wait["name"] for wait in self.said["waits"]}
        self.waits = {wait["name"]: wait for wait in self.said["waits"]}
        self.verdicts = {name: wait["verdict"] for name, wait in self.waits.items()}
        self.deadlocks = [
            sorted(names[tid] for tid in each["threads"])
            for each in self.said["deadlocks"]
        ]
        self.never_released = [
            [names[tid] for tid in each["threads"]]
            for each in self.said["never_released"]
        ]

    def holder(self, name):
        return self.waits[name]["holder"]


def ways(way, *, start=(), processes=1, own=0):
    """What is said of the program in this way; `own` is the process to ask."""
    command = [compiled("lock_ways.c"), way]
    if start:
        command, probe = [*start, *probed(command, *PROBE, *QUIET)], None
    else:
        probe = QUIET
    with WaitingProgram(command, probe=probe, processes=processes) as program:
        pid = program.pids[own] if own else None
        return wait_until(lambda: settled(program, pid), what="the same twice")


def settled(program, pid):
    """What is said, if it is the same twice: all threads wait now."""
    first, second = Seen(program, pid), Seen(program, pid)
    return second if first.verdicts == second.verdicts and first.verdicts else None


@pytest.mark.parametrize("way", ("jumped", "jumped-unseen"))
def test_who_has_jumped_out_of_a_wait_does_not_wait(way):
    """By the C library's function, and by the compiler's."""
    seen = ways(way)
    equal(seen.verdicts, {"waits": "waits"}, "waits")
    equal(seen.holder("waits")["name"], "jumper", "holder")
    equal([each["name"] for each in seen.said["holders"]], ["jumper"], "holders")
    stack = [frame["function"] for frame in seen.said["holders"][0]["stack"]]
    check("pause" in stack, f"the holder is at {stack}")
    equal(seen.deadlocks + seen.never_released, [], "claims")


def test_a_wait_in_a_signal_handler_is_what_holds_a_thread_up():
    """Not the wait that the signal has interrupted."""
    seen = ways("handler")
    equal(seen.deadlocks, [["other", "twice"]], "deadlocks")
    equal(seen.verdicts, {"other": "deadlock", "twice": "deadlock"}, "verdicts")
    stack = [frame["function"] for frame in seen.waits["twice"]["stack"]]
    check("wait_for_third" in stack and "first_then_second" in stack, stack)


def test_a_lock_whose_memory_is_gone():
    """Nobody knows who has it. Woken, the thread that waits would crash."""
    seen = ways("unmapped")
    equal(seen.verdicts, {"waits": "waits"}, "waits")
    equal(seen.holder("waits")["state"], "unknown", "holder")


def test_a_wait_that_has_ended_is_no_deadlock():
    """Another thread unlocks the mutex, which POSIX forbids: what was a proof until then
    is withdrawn."""
    command = [compiled("lock_ways.c"), "handed"]
    with WaitingProgram(command, probe=QUIET) as program:
        ended = []
        for _ in range(500):
            said = program.get("/debug/locks").text
            if "it waits no more" in said:
                ended.append(said)
                check("DEADLOCK" not in said, said)
            if len(ended) == 3:
                break
        check(ended, "no wait ended while it was shown")


def test_in_a_forked_child():
    """The parent's other thread is not there; the one that forked keeps its locks."""
    seen = ways("forked", processes=2, own=1)
    equal(seen.never_released, [["heir"]], "never released")
    equal(seen.deadlocks, [["forking", "other"]], "deadlocks")


@AS_ROOT
def test_a_number_that_is_used_again_proves_nothing():
    """The lock's owner has ended; a thread that has its number is not taken for it."""
    alone = ("unshare", "--pid", "--fork", "--mount-proc")
    seen = ways("reused", start=alone, own=1)
    equal(seen.verdicts, {"waits": "waits", "heir": "waits"}, "verdicts")
    equal(seen.holder("waits")["state"], "unknown", "holder of the first lock")
    equal(seen.holder("heir")["name"], "waits", "holder of the second lock")
    equal(seen.deadlocks + seen.never_released, [], "claims")


@AS_ROOT
def test_without_the_kernels_word():
    """After setuid the notes alone decide, and a condition variable is not judged."""
    seen = ways("no-rights")
    check(not seen.said["kernel_asked"], seen.said)
    equal(seen.deadlocks, [["one", "two"]], "deadlocks")
    equal(seen.verdicts, {"one": "deadlock", "two": "deadlock"}, "verdicts")


OWN_FUNCTION = "the program has a pthread_mutex_lock of its own"
SWITCHED_OFF = "the profiles of resources are switched off"


@pytest.mark.parametrize(
    "name, options, reason",
    (
        ("lock_own", (), OWN_FUNCTION),
        ("lock_ways", ("--resources", "off"), SWITCHED_OFF),
    ),
)
def test_what_is_not_measured_is_not_said(name, options, reason):
    """Not "nobody waits"."""
    program = compiled(f"{name}.c", "-rdynamic", target=f"{name}.dynamic")
    command = [program, "jumped"]
    with WaitingProgram(command, probe=QUIET + options) as running:
        said = running.get("/debug/locks?format=json").json()
        equal((said["measured"], said["waits"]), (False, []), "what is measured")
        equal(said["reason"], reason, "reason")
        check(reason in running.get("/debug/locks").text, "the text has no reason")
        leak = "/debug/pprof/goroutineleak"
        refused = request(running.debug_port(), "GET", leak).expect(501)
        error = refused.json()["error"]
        check(reason in error["message"], error)
        equal("--resources on" in error["hint"], "off" in options, error["hint"])
        index = running.get("/debug/pprof/?format=json").json()
        listed = {entry["name"]: entry["status"] for entry in index}
        equal(listed["goroutineleak"], 501, "status in the index")


# -- the functions themselves ----------------------------------------------------------


def test_the_functions_return_what_they_return_without_the_probe():
    """Of all kinds of locks, free and taken, with right and wrong times and clocks."""
    (status, output, _), _ = same_under_leakprobe([compiled("lock_results.c")], *QUIET)
    equal(status, 0, "exit status")
    results = output.splitlines()
    check(len(results) > 1500, f"only {len(results)} results")


def test_a_wait_before_the_probe_has_begun():
    """As an allocator waits, in a constructor."""
    flags = ("-shared", "-fPIC")
    library = compiled("lock_early.c", *flags, target="liblock_early.so")
    program = compiled("lock_early.c", "-DMAIN", library, target="lock_early")
    (status, output, _), _ = same_under_leakprobe([program], *QUIET)
    equal((status, output), (0, b"600\n"), "exit status and count")


def test_a_wrong_parameter_is_refused(leaky):
    """format is json, or it is not there."""
    for query in ("locks?format=xml", "locks?x=1", "pprof/goroutineleak?debug=2"):
        target = f"/debug/{query}"
        equal(leaky.get(target, debug=True).status, 400, target)
