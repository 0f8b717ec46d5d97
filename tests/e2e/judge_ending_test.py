"""leakcheck --command: what a program that is no server has lost when it ends; and when
there is no verdict."""

import json
import os
import re
import signal
import subprocess

import pytest

from checks import check, equal
from programs import compiled
from tree import BUILD, ROOT, scratch

LEAKCHECK = os.path.join(BUILD, "leakcheck")
SOURCE = os.path.join(ROOT, "tests", "programs", "ends.c")


def judged(way, *options, env=None, text="", command=None):
    """Runs it; returns how it ended, and the JSON report, if there is one."""
    path = os.path.join(scratch(), "lost.json")
    command = command or f"{compiled('ends.c')} {way}"
    done = subprocess.run(
        [LEAKCHECK, "--command", command, "--json", path, *options],
        env=os.environ | (env or {}),
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if not os.path.exists(path):
        return done, None
    with open(path, encoding="utf-8") as file:
        return done, json.load(file)


def line_of(function):
    """The lines of the source in which the function allocates."""
    with open(SOURCE, encoding="utf-8") as file:
        text = file.read().partition(f"static void {function}(void)")
    first = text[0].count("\n") + 1
    return range(first, first + 6)


def check_loses_pair(report, number=0):
    """The process lost the two blocks of lose_pair: the direct one is named first."""
    process = report["processes"][number]
    equal((process["lost_objects"], process["lost_bytes"]), (2, 1200), f"{report}")
    equal(
        [line["bytes"] for line in process["lost"]], [1000, 200], "bytes of the lines"
    )
    equal(
        [line["direct"] for line in process["lost"]], [True, False], "which is direct"
    )
    for line in process["lost"]:
        equal(line["function"], "lose_pair", "function")
        check(line["file"].endswith("ends.c"), f"file {line['file']}")
        check(line["line"] in line_of("lose_pair"), f"line {line['line']}")


def test_what_is_lost_is_named_and_fails_the_build():
    done, report = judged("")
    equal(done.returncode, 1, f"status: {done.stdout}{done.stderr}")
    equal(report["verdict"], "leaks", "verdict")
    check_loses_pair(report)
    shown = re.findall(
        r"^  (\d+) bytes in 1 block  lose_pair \S+ends.c:\d+", done.stdout, re.M
    )
    equal(shown, ["1000", "200"], f"lines in {done.stdout}")
    check("\033" not in done.stdout, f"colour in a pipe: {done.stdout!r}")


def test_nothing_lost_holds():
    """What functions of atexit and destructors free is not lost, nor what is held."""
    done, report = judged("clean")
    equal((done.returncode, report["verdict"]), (0, "holds"), f"{done}")
    equal(report["processes"][0]["lost_objects"], 0, f"{report}")
    check(report["processes"][0]["inuse_bytes"] >= 302, f"{report}")


@pytest.mark.parametrize(
    "limit, status", (("0", 1), ("1199", 1), ("1200", 0), ("1K", 1), ("2K", 0))
)
def test_the_limit(limit, status):
    done, report = judged("", "--max-lost", limit)
    equal(done.returncode, status, f"{done}")
    equal(report["verdict"], "leaks" if status else "holds", "verdict")


def test_threads_that_still_run_hold_their_blocks():
    done, report = judged("threads")
    equal(done.returncode, 1, f"{done}")
    check_loses_pair(report)


def test_forked_processes_are_judged_too():
    done, report = judged("forked")
    equal(done.returncode, 1, f"{done}")
    equal([process["over"] for process in report["processes"]], [False, True], "over")
    check_loses_pair(report, 1)
    check("forked " in done.stdout, done.stdout)


def test_a_process_that_outlives_the_program_is_waited_for():
    done, report = judged("leaves")
    equal(done.returncode, 1, f"{done}")
    check_loses_pair(report, 1)
    done, report = judged("leaves-running", "--timeout", "2")
    equal((done.returncode, report), (2, None), f"{done}")
    check("a process that it has started has not, after 2" in done.stderr, done.stderr)


def test_a_program_that_fails_has_no_verdict_unless_that_is_expected():
    done, report = judged("fails")
    equal((done.returncode, report["verdict"]), (2, None), f"{done}")
    check(
        "exit status 3" in done.stdout and "none: the program failed" in done.stdout,
        f"{done}",
    )
    done, report = judged("fails", "--expect", "3")
    equal((done.returncode, report["verdict"]), (0, "holds"), f"{done}")
    done, report = judged("clean", "--expect", "3")
    equal((done.returncode, report["verdict"]), (2, None), f"{done}")
    done, report = judged("both")
    equal((done.returncode, report["verdict"]), (1, "leaks"), f"{done}")


@pytest.mark.parametrize(
    "way, words",
    (
        ("_exit", "exit status 0 and without a result: it called _exit"),
        ("killed", "signal SIGKILL: what it lost was not measured"),
        ("crash", "signal SIGABRT: what it lost was not measured"),
        ("deaf", r"what is lost was not measured: thread \d+ did not stop"),
    ),
)
def test_what_was_not_measured_never_holds(way, words):
    done, report = judged(way)
    equal((done.returncode, report), (2, None), f"{done}")
    check(re.search(words, done.stderr), done.stderr)


def test_programs_that_cannot_be_judged():
    done, report = judged("", command="no-such-program")
    equal((done.returncode, report), (2, None), f"{done}")
    check("could not be started (exit status 127)" in done.stderr, done.stderr)
    static = compiled("ends.c", "-static", target="ends-static")
    done, report = judged("", command=static)
    equal((done.returncode, report), (2, None), f"{done}")
    check("without instruments" in done.stderr, done.stderr)


def test_a_program_that_does_not_end_is_ended():
    done, report = judged("waits", "--timeout", "2")
    equal((done.returncode, report), (2, None), f"{done}")
    check("has not ended after 2" in done.stderr, done.stderr)


def test_input_and_output_pass_through():
    done, _ = judged("reads", "--max-lost", "2K", text="a line\n")
    equal(done.returncode, 0, f"{done}")
    check(done.stdout.startswith("a line\nprogram "), done.stdout)
    equal(done.stderr, "functions of atexit\n", "standard error")


def test_nothing_is_left_in_the_temporary_directory():
    place = scratch()
    judged("", env={"TMPDIR": place})
    equal(os.listdir(place), [], "files")
    command = [LEAKCHECK, "--command", f"{compiled('ends.c')} waits"]
    with subprocess.Popen(
        command, env=os.environ | {"TMPDIR": place}, stderr=subprocess.PIPE, text=True
    ) as judge:
        equal(judge.stderr.readline(), "ready\n", "first line")
        equal(len(os.listdir(place)), 1, "directories while it runs")
        judge.send_signal(signal.SIGTERM)
        equal(judge.wait(timeout=30), -signal.SIGTERM, "status after a signal")
    equal(os.listdir(place), [], "files after a signal")


@pytest.mark.parametrize(
    "command, found",
    (
        ("true; false", "';'"),
        ("cd / && true", "'&&'"),
        ("true || false", "'||'"),
        ("true | cat", "'|'"),
        ("true &", "'&'"),
        ("true 2>&1 >file &", "'&'"),
        ("(true)", "'('"),
        ("true\nfalse", "a second line"),
        ("echo 'a;b' \"$(true; true)\" $(echo ')'; true) ; true", "';'"),
    ),
)
def test_only_one_command_is_judged(command, found):
    """The shell becomes the program: what follows an operator would never run, and its
    losses would not be seen."""
    done, report = judged("", command=command)
    equal((done.returncode, report, done.stdout), (2, None, ""), f"{done}")
    check(
        f"one simple command of the shell, without {found}:" in done.stderr, f"{done}"
    )


@pytest.mark.parametrize(
    "more",
    (
        "2>&1",
        ";",
        "'a;b' \"c|d\" e\\&f",
        "$(echo one; echo '(' | cat)",
        "`echo one; echo two`",
        ">|/dev/null ; ",
    ),
)
def test_a_simple_command_has_quotes_and_redirections(more):
    done, _ = judged("", command=f"{compiled('ends.c')} clean {more}")
    equal(done.returncode, 0, f"{done}")


@pytest.mark.parametrize(
    "words",
    (
        ("--command", "true", "extra"),
        ("--command", " "),
        ("--command", "true", "--url", "http://localhost:1"),
        ("--command", "true", "--max-growth", "1K"),
        ("--command", "true", "--rounds", "3"),
        ("--command", "true", "--report", "x.html"),
        ("--command", "true", "--expect", "300"),
        ("--command", "true", "--max-lost", "some"),
        ("--max-lost", "1K", "http://localhost:1", "http://localhost:2"),
    ),
)
def test_wrong_usage(words):
    done = subprocess.run(
        [LEAKCHECK, *words], capture_output=True, text=True, timeout=60, check=False
    )
    equal((done.returncode, done.stdout), (2, ""), f"{words}: {done.stderr}")
    check("Try 'leakcheck --help'" in done.stderr, done.stderr)
