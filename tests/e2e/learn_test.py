"""./learn.sh as a learner uses it: the list, a case from its start to its solution,
hints, watch, the server in the background, wrong usage, and Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request

import pytest

import exercises
from checks import check, equal, wait_until
from commands import run
from exercises import CASES, HANDED_IN, environment
from learn import verdict
from terminals import Terminal, nothing_left
from tree import ROOT
from turns import in_turns

pytestmark = pytest.mark.one_of("practice", "learn")

CASE = CASES["case-02"]
VERDICTS = (
    r"(solved|still leaks|answers changed|memory error|crashes|hangs|does not build)"
)


@pytest.fixture(name="clone")
def clone_of_a_learner():
    """A learner's tree. What the learner left running is ended."""
    clone = exercises.clone()
    yield clone
    learn(clone, "stop")
    nothing_left(clone)


def learn(clone, *arguments, status=0, cwd="/"):
    """Runs ./learn.sh, piped, from another directory; returns what it printed."""
    done = run(
        os.path.join(clone, "learn.sh"),
        *arguments,
        cwd=cwd,
        env=environment(),
        check_exit=False,
    )
    equal(done.returncode, status, f"exit of {arguments}: {done.stdout}{done.stderr}")
    check("Traceback" not in done.stderr, done.stderr)
    return done.stdout + done.stderr


def hand_in(clone, case, kind):
    """What the learner writes."""
    with open(os.path.join(clone, case.mine), "w", encoding="utf-8") as file:
        file.write(HANDED_IN[kind][0](case))


def last_line(text):
    return text.strip().splitlines()[-1]


def server_of(clone):
    """What is known of the learner's server."""
    with open(os.path.join(clone, "mine", "progress.json"), encoding="utf-8") as file:
        return json.load(file)["server"]


def fetch(url):
    with urllib.request.urlopen(url, timeout=20) as reply:
        return reply.read().decode()


def test_wrong_usage():
    """Each is named, with exit 2; --help and the list need no case."""
    for words in (
        ("chek",),
        ("start", "case-99"),
        ("start", "1", "2"),
        ("start", "--fast"),
        ("reset",),
        ("solution", "--give"),
    ):
        done = run(os.path.join(ROOT, "learn.sh"), *words, check_exit=False)
        equal(done.returncode, 2, f"exit of {words}")
        check("learn.sh: " in done.stderr and done.stdout == "", done.stderr)
        if words == ("start", "1", "2"):
            check("start wants at most 1 argument\n" in done.stderr, done.stderr)
    check("--give-up" in learn(ROOT, "--help"), "no option in --help")


def test_the_list_fits_a_screen():
    """All cases, their stars and the next step, in 80 columns and 24 lines."""
    clone = exercises.clone()
    text = learn(clone)
    lines = text.splitlines()
    check(len(lines) <= 23, f"{len(lines)} lines")
    equal(
        [line for line in lines if len(line) > 80], [], "lines of more than 80 columns"
    )
    for case in CASES.values():
        check(
            f"{case.number:02} {case.title}" in text, f"{case.title} is not in\n{text}"
        )
    check("start" in lines[-1] and "case-01" in lines[-1], lines[-1])
    for command in ("hint", "check", "watch", "solution"):
        check("start" in learn(clone, command, status=2), f"{command} without a case")


@pytest.mark.slow
@pytest.mark.one_of("learn", "solved")
def test_a_case_from_start_to_solution(clone):
    """Start, look, hint, wrong and right checks, the solution, the next case, reset."""
    told = learn(clone, "start", "2")
    check(CASE.title in told and CASE.mine in told, told)
    lines = told.splitlines()
    check(max(map(len, lines)) <= 80 and len(lines) <= 23, f"no screen: {told}")
    server = server_of(clone)
    check(server["url"] in told, told)
    reply = json.loads(fetch(f"{server['url']}/leak/case-02?id=x&count=3"))
    equal((reply["server"], reply["scenario"]), ("mine", "case-02"), "reply")
    check("declared" not in reply, "the reply tells what is left")
    listed = fetch(f"{server['url']}/scenarios")
    for word in ("leaves", "holds", "cause", *CASE.words):
        check(word not in listed, f"{word} in {listed}")
    check(
        "case-02.c" in fetch(f"{server['debug']}/debug/pprof/heap?debug=1"), "no lines"
    )

    check("not solved" in learn(clone, "solution", status=2), "the solution is free")
    text = learn(clone, "check", status=1)
    check(re.match(f"{VERDICTS}: ", last_line(text)), text)
    check(last_line(text).startswith("still leaks"), text)
    equal(server_of(clone)["url"], server["url"], "address after the check")
    for number in (1, 2, 3, 4, 4):
        shown = learn(clone, "hint")
        equal(shown.count(" of 4\n"), number, f"hints in {shown}")
    hand_in(clone, CASE, "no C")
    text = learn(clone, "check", status=1)
    check(last_line(text).startswith("does not build"), text)
    hand_in(clone, CASE, "solution")
    begin = time.monotonic()
    text = learn(clone, "check")
    check(time.monotonic() - begin < 30, "the check took long, even for a busy machine")
    check(last_line(text).startswith("solved") and "4 hints" in last_line(text), text)
    check("Cause: " in text and "Your change" in text, text)
    check("1 of 29 solved" in learn(clone), "the list does not know")
    check("@@" in learn(clone, "solution"), "no solution after it is solved")

    told = learn(clone, "reset", "2")
    check("case-02.before-reset.c" in told and "start case-02" in told, told)
    check(last_line(learn(clone, "check", status=1)).startswith("still leaks"), "reset")
    check("0 of 29 solved" in learn(clone), "it is solved no more")
    check("case-03" in learn(clone, "start", "3"), "the next case")
    check("case-02" not in fetch(f"{server_of(clone)['url']}/scenarios"), "old server")
    check(
        "stopped" in learn(clone, "stop") and "No server" in learn(clone, "stop"),
        "stop",
    )


def test_a_verdict_says_what_it_speaks_of():
    """Of heap, for which size of the call; of an abort, which assertion failed."""
    told = {"per_call": 2**20, "resource": "heap", "bytes": 524288}
    said = "1.0 MiB of heap stays after each call"
    equal(verdict.growth(told, False)[0], f"{said} with bytes=524288")
    equal(verdict.growth(told | {"bytes": None}, False)[0], said)
    report = (
        "mine: x.c:3: f: Assertion `a > 0' failed.\n"
        "==7==ERROR: AddressSanitizer: ABRT on unknown address 0x07 (pc 0x1 T4)\n"
        "    #6 0x55 in f mine/case-02.c:40\n"
    )
    kept = verdict.own_lines(report, "mine/case-02.c").splitlines()
    equal(kept[0], "mine: x.c:3: f: Assertion `a > 0' failed.")
    equal(kept[1], "ERROR: AddressSanitizer: ABRT")


@pytest.mark.slow
@pytest.mark.one_of("learn", "solved")
def test_giving_up_shows_the_solution_and_solves_nothing(clone):
    """And what the learner wrote is not touched by another start."""
    learn(clone, "start", "2")
    hand_in(clone, CASE, "no C")
    text = learn(clone, "solution", "--give-up")
    check("@@" in text and last_line(text).startswith("Next: "), text)
    check("0 of 29" in learn(clone), "given up is solved")
    check("does not build" in learn(clone, "start", "2"), "it does not say so")
    with open(os.path.join(clone, CASE.mine), encoding="utf-8") as file:
        check("this is no C" in file.read(), "start wrote over the learner's file")


@pytest.mark.slow
@pytest.mark.one_of("learn", "apart")
def test_two_learners_do_not_meet():
    """Two clones on one machine, at the same time: each has its server and verdict."""
    clones = [exercises.clone(), exercises.clone()]
    try:
        for clone in clones:
            learn(clone, "start", "2")
        hand_in(clones[1], CASE, "solution")
        checks = [
            subprocess.Popen(
                [os.path.join(clone, "learn.sh"), "check"],
                stdout=subprocess.PIPE,
                text=True,
            )
            for clone in clones
        ]
        said = [each.communicate(timeout=100)[0] for each in checks]
        check(last_line(said[0]).startswith("still leaks"), said[0])
        check(last_line(said[1]).startswith("solved"), said[1])
        learn(clones[0], "stop")
        nothing_left(clones[0])
        check(
            "mine" in fetch(f"{server_of(clones[1])['url']}/status"), "the other ended"
        )
    finally:
        for clone in clones:
            learn(clone, "stop")
    for clone in clones:
        nothing_left(clone)


@pytest.mark.slow
@pytest.mark.one_of("learn", "solved")
def test_watch_sees_a_save_and_ends_when_it_is_solved(clone):
    """On a terminal; a save is seen soon, whether the editor writes or renames."""
    learn(clone, "start", "2")
    terminal = Terminal(clone, "learn.sh", "watch")
    terminal.wait_for("Waiting until")
    seen = len(terminal.output)
    hand_in(clone, CASE, "no C")
    # A save is noticed within a second; on a busy machine it may be some more.
    wait_until(
        lambda: terminal.read(0.05) and len(terminal.output) > seen, 5, "a check"
    )
    terminal.wait_for("does not build")
    other = os.path.join(clone, "mine", "saved")
    with open(other, "w", encoding="utf-8") as file:
        file.write(HANDED_IN["solution"][0](CASE))
    os.replace(other, os.path.join(clone, CASE.mine))
    equal(terminal.end(100), 0, "exit of watch")
    check(b"solved: case-02 without a hint" in terminal.output, terminal.output)
    told = learn(clone, "hint")
    check("case-02 is solved" in told and " of 4" not in told, f"a late hint: {told}")


@pytest.mark.slow
@pytest.mark.one_of("learn", "apart")
@pytest.mark.parametrize(
    "command", in_turns("learn, Ctrl-C", ("start", "check", "watch"))
)
def test_ctrl_c_leaves_no_process(command, clone):
    """At several moments; afterwards it goes on as if nothing had been."""
    if command != "start":
        learn(clone, "start", "2")
    for moment in (0.3, 1.0, 2.5):
        terminal = Terminal(clone, "learn.sh", command)
        end = time.monotonic() + moment
        while time.monotonic() < end and terminal.read(0.05):
            pass
        terminal.type(b"\x03")
        status = terminal.end(20)
        check(status in (130, -2, 0, 1), f"exit {status}: {terminal.output}")
        # Python itself may be interrupted before a line of the lab's has run.
        trace = terminal.output.partition(b"Traceback")[2]
        begun = trace.replace(b'learn/__main__.py", line 3, in <module>', b"")
        check(b"learn/" not in begun, terminal.output)
        learn(clone, "stop")  # the server that runs in the background, and only it
        nothing_left(clone)
        if command != "start":
            learn(clone, "start", "2")
    learn(clone, "start", "2")
    check(last_line(learn(clone, "check", status=1)).startswith("still leaks"), "later")


@pytest.mark.slow
@pytest.mark.one_of("learn", "apart")
def test_a_server_that_was_killed_is_no_obstacle(clone):
    """Nor is a process that has its id now."""
    learn(clone, "start", "2")
    os.kill(server_of(clone)["process"][0], signal.SIGKILL)
    check("No server" in learn(clone, "stop"), "it says that it stopped one")
    learn(clone, "start", "2")
    path = os.path.join(clone, "mine", "progress.json")
    with open(path, encoding="utf-8") as file:
        known = json.load(file)
    real = dict(known["server"])
    known["server"]["process"] = known["server"]["keeper"] = [os.getpid(), 1]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(known, file)
    check("No server" in learn(clone, "stop"), "it takes another process for its own")
    known["server"] = real
    with open(path, "w", encoding="utf-8") as file:
        json.dump(known, file)
    check("stopped" in learn(clone, "stop"), "it does not stop its own")


@pytest.mark.slow
@pytest.mark.one_of("learn", "solved")
def test_what_is_in_the_file_is_built(clone):
    """Also if an editor or git puts an old file back with its old time; with the ends of
    lines of Windows, no newline at the end, and a header of the learner's own."""
    learn(clone, "start", "2")
    path = os.path.join(clone, CASE.mine)
    old = os.stat(path)
    with open(path, encoding="utf-8") as file:
        untouched = file.read()
    solution = HANDED_IN["solution"][0](CASE)
    windows = f'#include "own.h"\n{solution}'.rstrip().replace("\n", "\r\n")
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(windows)
    with open(os.path.join(clone, "mine", "own.h"), "w", encoding="utf-8") as file:
        file.write("/* Nothing. */")
    check(last_line(learn(clone, "check")).startswith("solved"), "it is not solved")
    with open(path, "w", encoding="utf-8") as file:
        file.write(untouched)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    text = learn(clone, "check", status=1)
    check(last_line(text).startswith("still leaks"), text)


@pytest.mark.slow
@pytest.mark.one_of("learn", "apart")
def test_two_checks_in_one_clone_wait_for_each_other(clone):
    """As watch in one terminal, and check in another."""
    learn(clone, "start", "2")
    hand_in(clone, CASE, "solution")
    command = [os.path.join(clone, "learn.sh"), "check"]
    checks = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for said in [each.communicate(timeout=200)[0] for each in checks]:
        check(last_line(said).startswith("solved"), said)


def test_what_the_system_refuses_is_told_in_a_line():
    """Here mine/ is a file, so that nothing can be written there."""
    clone = exercises.clone()
    with open(os.path.join(clone, "mine"), "w", encoding="utf-8") as file:
        file.write("")
    check("learn.sh: " in learn(clone, "stop", status=2), "it does not say why")


def test_progress_that_cannot_be_read_is_kept():
    """It is the learner's: an error says so, and nothing is written over it."""
    clone = exercises.clone()
    path = os.path.join(clone, "mine", "progress.json")
    os.makedirs(os.path.dirname(path))
    with open(path, "w", encoding="ascii") as file:
        file.write("{")
    check("progress.json" in learn(clone, status=2), "no word of the file")
    check(
        "progress.json" in learn(clone, "start", "1", status=2), "no word of the file"
    )
    with open(path, encoding="ascii") as file:
        equal(file.read(), "{", "the file")
