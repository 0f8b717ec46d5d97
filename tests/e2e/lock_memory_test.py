"""What is said of locks in memory that other processes have too: nothing is proved there;
where the kernel refuses to read memory; and of a wait that a stop has interrupted."""

import os
import signal

import pytest

from checks import check, equal, wait_until
from http_request import request
from programs import PROBE, compiled, probed
from tree import scratch
from waiting_program import WaitingProgram

pytestmark = pytest.mark.xdist_group("locks")

QUIET = ("--heap", "off")
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do that")
ALONE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def program(*arguments):
    return [compiled("lock_memory.c"), *arguments]


def locks_of(running, waits, pid=None):
    """What is said when so many threads wait."""

    def said():
        locks = running.get("/debug/locks?format=json", pid).json()
        return locks if len(locks["waits"]) == waits else None

    return wait_until(said, what=f"{waits} waits")


def nothing_is_claimed(running, said, pid=None):
    equal(said["deadlocks"] + said["never_released"], [], "claims")
    equal([wait["verdict"] for wait in said["waits"]], ["waits"], "verdicts")
    text = running.get("/debug/pprof/goroutineleak?debug=1", pid).text
    equal(text, "goroutineleak profile: total 0\n", "profile")


@AS_ROOT
def test_an_owner_of_the_same_number_in_another_namespace():
    """The main thread of either process has the number 1, and one of them the lock."""
    path = os.path.join(scratch(), "shared")
    waiting = probed(program("waits", path), *PROBE, *QUIET)
    with WaitingProgram([*ALONE, *program("holds", path)], processes=1) as holder:
        with WaitingProgram([*ALONE, *waiting]) as running:
            pid = running.pids[1]
            said = locks_of(running, 1, pid)
            (wait,) = said["waits"]
            check(wait["shared"], wait)
            equal(
                wait["holder"],
                {"state": "this_or_other_process", "tid": 1, "name": None, "readers": 0},
                "holder",
            )
            equal(said["holders"], [], "holders")
            nothing_is_claimed(running, said, pid)
            text = running.get("/debug/locks", pid).text
            words = "held by thread 1, of this process or another one:\n"
            check(words in text and "HOLDERS" not in text, text)
        holder.finish()


def test_a_mutex_without_the_attribute_that_another_process_has():
    """It says that it is no other's; but that is no proof that its owner has ended."""
    path = os.path.join(scratch(), "shared")
    with WaitingProgram(program("holds-plainly", path)) as holder:
        with WaitingProgram(program("waits", path), probe=QUIET) as running:
            said = locks_of(running, 1)
            (wait,) = said["waits"]
            got = (wait["shared"], wait["holder"]["state"], wait["holder"]["tid"])
            equal(got, (True, "other_process", holder.pid), "holder")
            nothing_is_claimed(running, said)


def test_a_deadlock_where_memory_is_not_read_as_usual():
    """As where a container forbids it. Who waits for a lock that is gone is left alone:
    woken, it would look there, and crash."""
    with WaitingProgram(program("refused"), probe=QUIET) as running:
        said = locks_of(running, 3)
        verdicts = {wait["name"]: wait["verdict"] for wait in said["waits"]}
        claimed = {"one": "deadlock", "two": "deadlock", "gone": "waits"}
        equal(verdicts, claimed, "verdicts")
        text = running.get("/debug/locks").text
        equal(text.count("whose memory is gone or in other use"), 1, text)
        equal(running.finish(), 0, "exit status")


def test_locks_that_cannot_be_read_are_not_measured():
    """No page says that nobody waits in vain."""
    with WaitingProgram(program("unreadable"), probe=QUIET) as running:
        said = running.get("/debug/locks?format=json").json()
        equal((said["measured"], said["waits"]), (False, []), "what is measured")
        reason = said["reason"]
        check("process_vm_readv" in reason, reason)
        check(reason in running.get("/debug/locks").text, "the text has no reason")
        leak = "/debug/pprof/goroutineleak"
        error = request(running.debug_port(), "GET", leak).expect(501).json()["error"]
        check(reason in error["message"], error)
        text = running.get("/debug/pprof/goroutine?debug=2").text
        line = f"# which locks they wait for is not known: {reason}\n\nthread "
        check(text.startswith(line), text[:200])


def of_threads(pid, file, part):
    """One part of a file that each thread has in /proc."""
    found = set()
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/{file}", encoding="ascii") as text:
            found.add(text.read().split()[part])
    return found


def states(pid):
    return of_threads(pid, "stat", 2)


def calls(pid):
    """The numbers of the system calls that its threads are in."""
    return of_threads(pid, "syscall", 0)


def test_a_wait_goes_on_after_a_stop():
    """The kernel then calls the wait with a time limit by another name."""
    with WaitingProgram(program("condition"), probe=QUIET) as running:
        equal(len(locks_of(running, 2)["deadlocks"]), 1, "deadlocks before")
        os.kill(running.pid, signal.SIGSTOP)
        wait_until(lambda: states(running.pid) == {"T"}, what="it is stopped")
        os.kill(running.pid, signal.SIGCONT)
        wait_until(lambda: states(running.pid) == {"S"}, what="it goes on")
        check("219" in calls(running.pid), "no call has gone on by its other name")
        said = locks_of(running, 2)
        (deadlock,) = said["deadlocks"]
        names = {wait["tid"]: wait["name"] for wait in said["waits"]}
        equal(sorted(names[tid] for tid in deadlock["threads"]), ["one", "two"], "cycle")
