"""What leakcheck prints of a pair: columns that never shift, 0 with a note for what
shrank, what is not proved once more at the end, a line of progress on a terminal, the
same table as a file, no password, and the scenarios of a server alone."""

import base64
import json
import os
import pty
import re
import subprocess

import pytest

from checks import check, equal
from commands import run
from stand_in import half, heap, held, status
from tree import BUILD, scratch

JUDGE = os.path.join(BUILD, "leakcheck")
MIB = 1024 * 1024


def counting(name, heap_step, timers=0, declared=(MIB, 0), base=100, **scenario):
    """A half whose heap and timers change by so much with each call."""
    calls = []
    leaves = {"heap_bytes": declared[0], "timers": declared[1]}

    def leak(request):
        calls.append(1)
        return held(json.dumps({"declared": leaves}))(request)

    def profile(_):
        return heap(base + heap_step * len(calls))

    def figures(_):
        return status(name, timers=timers * len(calls))

    scenario = {"leaves": leaves} | scenario
    routes = {"pprof_heap": profile, "debug_pprof_heap": profile, "status": figures}
    return half(name, leak, scenario, **routes)


def judge(leaky, fixed, *options, expect=0):
    with leaky, fixed:
        done = run(JUDGE, *options, leaky.url, fixed.url, check_exit=False, limit=60)
    equal(done.returncode, expect, f"exit: {done.stdout}{done.stderr}")
    return done


def test_columns_never_shift():
    """Amounts wider than usual widen their column in every line."""
    declared = (1023897, 1000)
    leaky = counting("leaky", *declared, declared=declared)
    fixed = counting("fixed", 0, declared=declared)
    heading, row, *_ = judge(leaky, fixed).stdout.splitlines()
    for column, cell in (
        ("GROWS", "timers "),
        ("LEAKY", "1000, 999.9 KiB "),
        ("FIXED", "0, 0 B "),
        ("DECLARED", "1000, 999.9 KiB "),
        ("VERDICT", "proved; "),
    ):
        equal(row[heading.index(column) :][: len(cell)], cell, column)


def test_what_shrank_is_0_with_a_note():
    """A heap that shrinks has grown by 0; by how much it shrank is said beside."""
    done = judge(counting("leaky", MIB), counting("fixed", -157286, base=20 * MIB))
    heading, row, *_ = done.stdout.splitlines()
    check(row[heading.index("FIXED") :].startswith("0 B "), row)
    check(row.endswith("; on fixed, heap shrank by 153.6 KiB a call"), row)
    check(" -" not in row, f"a growth below 0: {row}")


def test_what_is_not_proved_comes_once_more_before_the_sum():
    """A reader of a long table sees at its end what is wrong, also in the file."""
    path = os.path.join(scratch(), "table.txt")
    leaky, fixed = counting("leaky", MIB), counting("fixed", 4096)
    options = ("--text", path, "--calls", "1")
    done = judge(leaky, fixed, *options, expect=1)
    _, row, wrong, answers, last = done.stdout.splitlines()
    check("THE FIX LEAKS: heap grew by 4096 bytes" in row, row)
    check(wrong.startswith("NO one: THE FIX LEAKS: heap grew by 4096 bytes"), wrong)
    equal(answers, "answers not measured: there are replies without one")
    check(last.startswith("1 of 1 leaks shown, 0 of 1 fixes hold"), last)
    check(last.endswith(" (4 rounds of 1 call)"), last)
    with open(path, encoding="utf-8") as file:
        equal(file.read(), done.stdout, "the file of --text")


def test_progress_is_for_a_terminal_alone():
    """Progress is one line of stderr, which is cleared at the end."""
    piped = judge(counting("leaky", MIB), counting("fixed", 0))
    equal(piped.stderr, "", "what it says in a pipe")
    try:
        mine, its = pty.openpty()
    except OSError as error:
        pytest.skip(f"no terminals here: {error}")
    seen = b""
    with counting("leaky", MIB) as leaky, counting("fixed", 0) as fixed:
        command = [JUDGE, leaky.url, fixed.url]
        environment = os.environ | {"TERM": "xterm"}
        pipes = {"stdout": subprocess.PIPE, "stderr": its, "env": environment}
        with subprocess.Popen(command, **pipes) as process:
            os.close(its)
            try:
                while part := os.read(mine, 4096):
                    seen += part
            except OSError:
                pass  # That is how a terminal ends.
            out = process.stdout.read().decode()
            equal(process.wait(30), 0, out)
    os.close(mine)
    check(b"warming up; 0 s" in seen, seen)
    check(b"judged: leaky 1 of 1, fixed " in seen, seen)
    check(re.search(rb"\r +\r$", seen), f"the line stays: {seen[-80:]}")
    check(b"\n" not in seen and "\r" not in out, "more than one line, or on stdout")


@pytest.mark.parametrize("kind", ["permanent", "temporary"])
def test_password_is_sent_and_never_shown(kind):
    """A password in a URL goes to the server on every connection, and into nothing that
    is printed."""
    folder = scratch()
    # What is temporary is held by calls on a connection of their own.
    scenario = {"kind": kind, "holds": {"fds": 1}} if kind == "temporary" else {}
    leaky = counting("leaky", MIB, **scenario)
    fixed = counting("fixed", 0, **scenario)
    logins = set()

    def noting(answer):
        def route(request):
            logins.add(request.headers.get("Authorization"))
            return answer(request) if callable(answer) else answer

        return route

    leaky.routes = {path: noting(answer) for path, answer in leaky.routes.items()}
    leaky.url = leaky.url.replace("//", "//us%40er:se%2fcret@")
    options = [f"--{name}={folder}/{name}" for name in ("json", "report", "text")]
    done = judge(leaky, fixed, *options, expect=1 if kind == "temporary" else 0)
    encoded = base64.b64encode(b"us@er:se/cret").decode()
    equal(logins, {f"Basic {encoded}"}, "logins")
    shown = [done.stdout, done.stderr]
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            shown.append(file.read())
    equal(len(shown), 5, "outputs")
    for text in shown:
        check("cret" not in text and encoded not in text, text[:500])


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@127.0.0.1:1",
        "http://user:secret@127.0.0.1:99999",
        "http://user:se/secret@127.0.0.1:1",
        "http://user:se secret@127.0.0.1:1",
        "ftp://user:secret@127.0.0.1",
        "user:secret@127.0.0.1:1",
    ],
)
def test_password_is_not_in_an_error(url):
    """Whatever is wrong with a URL, what is said of it leaves the password out."""
    for arguments in ([url, url], ["--url", url, "--drive", "/x"], ["--list", url]):
        done = run(JUDGE, *arguments, check_exit=False)
        equal(done.returncode, 2, f"exit of {arguments}: {done.stdout}")
        check("127.0.0.1" in done.stderr, done.stderr)
        check("secret" not in done.stderr, done.stderr)


def test_list_names_the_scenarios():
    """--list prints one name a line, and takes one URL and nothing else."""
    with counting("leaky", MIB) as leaky:
        equal(run(JUDGE, "--list", leaky.url).stdout, "one\n", "names")
        others = ("--json", "--drive", "--source", "--own", "--binary", "--scenario")
        numbers = ("--rounds", "--calls", "--pid", "--max-growth", "--max-fds")
        given = [(name, "x") for name in others] + [(name, "2") for name in numbers]
        for more in ([leaky.url], *given):
            done = run(JUDGE, "--list", leaky.url, *more, check_exit=False)
            equal((done.returncode, done.stdout), (2, ""), f"with {more}")
            check("--list takes" in done.stderr, done.stderr)
    equal(run(JUDGE, "--list", check_exit=False).returncode, 2, "exit without a URL")


def test_output_that_cannot_be_written_is_no_success():
    """A full disk, or whatever else keeps names or a verdict from being read, is said,
    and the exit status is that of no verdict."""
    with open("/dev/full", "w", encoding="ascii") as full, counting(
        "leaky", MIB
    ) as leaky, counting("fixed", 0) as fixed:
        for arguments in (["--list", leaky.url], [leaky.url, fixed.url]):
            done = subprocess.run(
                [JUDGE, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60
            )
            equal(done.returncode, 2, f"exit of {arguments}")
            check(b"cannot write the standard output" in done.stderr, done.stderr)
