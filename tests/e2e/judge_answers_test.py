"""leakcheck compares the answers of both halves: equal ones are counted, others fail
the pair, those of a leaky half that gets stuck are told apart, and nothing is said of
answers that are not there. The halves are stand-ins that differ in nothing else."""

import itertools
import json
import os
import pty
import re
import subprocess
import urllib.parse

import pytest

from checks import check, equal
from commands import run
from stand_in import half, heap, held
from tree import BUILD, scratch

pytestmark = pytest.mark.slow

JUDGE = os.path.join(BUILD, "leakcheck")
DECLARED = 1024 * 1024
PARAMETERS = [{"name": "bytes", "default": 4096, "min": 64, "max": 8192}]
NONE = object()  # no "answer" in the reply


def right(asked):
    """An answer to the parameters of a call, as a scenario gives one."""
    text = f"{sum(asked['id'].encode())} in {asked.get('bytes', '4096')}"
    return text if "count" not in asked else f"{asked['count']} x {text}"


def answering(name, answer, parameters=None):
    """A half that leaks as declared, or not, and whose answers are `answer(asked)`.
    What it was asked goes into its list `asked`."""
    calls = []

    def leak(request):
        query = urllib.parse.urlsplit(request.path).query
        calls.append(dict(urllib.parse.parse_qsl(query, strict_parsing=True)))
        reply = {"declared": {"heap_bytes": DECLARED}}
        said = answer(calls[-1])
        return json.dumps(reply if said is NONE else reply | {"answer": said})

    def profile(_):
        return heap(100 + (DECLARED * len(calls) if name == "leaky" else 0))

    scenario = {
        "leaves": {"heap_bytes": DECLARED},
        "parameters": PARAMETERS if parameters is None else parameters,
    }
    stand = half(name, leak, scenario, pprof_heap=profile, debug_pprof_heap=profile)
    stand.asked = calls
    return stand


def judge(leaky, fixed, *options, expect=0):
    with leaky, fixed:
        done = run(JUDGE, *options, leaky.url, fixed.url, check_exit=False, limit=60)
    equal(done.returncode, expect, f"exit: {done.stdout}{done.stderr}")
    return done


def verdict(leaky, fixed, expect):
    """Judges halves with these answers; returns the output and the JSON."""
    path = os.path.join(scratch(), "verdict.json")
    halves = answering("leaky", leaky), answering("fixed", fixed)
    done = judge(*halves, "--json", path, expect=expect)
    with open(path, encoding="utf-8") as file:
        return done.stdout, json.load(file)


def wrong_for(word):
    """Right answers, but for ids with this word another one."""
    return lambda asked: "wrong" if word in asked["id"] else right(asked)


def test_equal_answers():
    """Equal answers are right: in the row, in the sum, and in the JSON."""
    text, figures = verdict(right, right, 0)
    check(re.search(r"^one .* proved; .*; answers equal$", text, re.MULTILINE), text)
    check("\n1 of 1 answers right\n" in text, text)
    equal(figures["scenarios"][0]["answers"], "equal")
    check(figures["scenarios"][0]["answers_compared"] >= 3, "questions")
    equal(figures["answers"]["equal"], 1)


def test_questions():
    """Both halves get the same questions: several ids, one that needs escapes, with and
    without a size, once and with a count. The leaky one gets few, and small ones."""
    leaky, fixed = answering("leaky", right), answering("fixed", right)
    judge(leaky, fixed)
    trials = re.compile(r"leakcheck-\d+")
    asked = [
        [call for call in stand.asked if not trials.fullmatch(call["id"])]
        for stand in (leaky, fixed)
    ]
    check(all(call in asked[1] for call in asked[0]), asked)
    check(len(asked[0]) <= 3, asked[0])
    check(len({call["id"] for call in asked[0]}) == 3, "ids")
    check(any(re.search(r"[%\"'\\&]", call["id"]) for call in asked[0]), "plain ids")
    check(any("bytes" not in call for call in asked[0]), "no default size")
    sizes = {int(call["bytes"]) for call in asked[0] if "bytes" in call}
    check(len(sizes) == 2 and max(sizes) < 4096, sizes)
    check(any(call.get("count") == "2" for call in asked[0]), "no count")
    equal(asked[0], leaky.asked[: len(asked[0])], "what comes before the trial")


def test_unequal_answers():
    """Another answer to any question fails the pair, and is told with both answers."""
    for word in ("leakcheck", "x", "quoted"):
        done, figures = verdict(right, wrong_for(word), 1)
        check("WRONG ANSWERS: for id=" in done, done)
        check(re.search(r"leaky says '\d.*', fixed says 'wrong'", done), done)
        line = next(each for each in done.splitlines() if each.startswith("NO one: "))
        check("WRONG ANSWERS" in line, line)
        check("0 of 1 answers right" in done, done)
        check("1 of 1 leaks shown, 1 of 1 fixes hold" in done, done)
        equal(figures["scenarios"][0]["answers"], "unequal")
        equal(figures["scenarios"][0]["verdict"], "failed")
        check("'wrong'" in figures["scenarios"][0]["answers_reason"], figures)


def test_unfinished_answers():
    """A leaky half that gets stuck answers null: the fixed half's answers count, and
    the sum says that they are alone."""
    text, figures = verdict(lambda asked: None, right, 0)
    check("; answers finished on fixed alone" in text, text)
    check("\n1 of 1 answers right (1 of them finished on fixed alone)\n" in text, text)
    equal(figures["scenarios"][0]["answers"], "leaky not finished")
    equal(figures["scenarios"][0]["answers_compared"], 0)


def test_fixed_half_must_finish():
    """A fixed half that answers null is wrong, whatever the leaky one says."""
    for leaky in (right, lambda asked: None):
        text, figures = verdict(leaky, lambda asked: None, 1)
        check("not finished on fixed" in text, text)
        equal(figures["scenarios"][0]["answers"], "unequal")


def test_fixed_answers_alone_are_plausible():
    """Answers with nothing to compare them with: another one to the same question, or
    the same one to every id or every size, is wrong."""
    serial = itertools.count()
    for said, word in (
        (lambda asked: f"{right(asked)} {next(serial)}", ", and then '"),
        (lambda asked: "done", "and for another id, fixed says 'done' alike"),
        (lambda asked: asked["id"], "for another size, fixed says 'leakcheck' alike"),
    ):
        text, _ = verdict(lambda asked: None, said, 1)
        check(word in text, text)


@pytest.mark.parametrize("later", ["less", None])
def test_fix_that_works_for_the_first_calls_only(later):
    """A fixed half that does less after some calls is wrong, though nothing leaks."""
    calls = itertools.count()
    said = verdict(right, lambda asked: right(asked) if next(calls) < 8 else later, 1)[
        0
    ]
    check("WRONG ANSWERS: for id=x&bytes=64" in said, said)
    check("1 of 1 leaks shown, 1 of 1 fixes hold" in said, said)


def test_unfinished_call_that_is_not_held():
    """A fixed half that returns at once is wrong by its answers, though what it holds
    cannot be measured; with right answers that is no verdict."""
    temporary = {"kind": "temporary", "leaves": {}, "holds": {"fds": 10}}
    for said, expect in ((None, 1), ("right", 2)):
        fixed = answering("fixed", lambda asked, said=said: said and right(asked))
        leaky = half("leaky", held(json.dumps({"declared": {}})), temporary)
        fixed.routes["/scenarios"] = leaky.routes["/scenarios"]
        report = os.path.join(scratch(), "report.html")
        done = judge(leaky, fixed, "--report", report, expect=expect)
        if expect == 1:
            check("THE FIX IS NOT MEASURED: a call is over before" in done.stdout, done)
            check("WRONG ANSWERS: " in done.stdout, done.stdout)
            check("THE FIX LEAKS" not in done.stdout, done.stdout)
            with open(report, encoding="utf-8") as file:
                check("fixed to an unknown amount" in file.read(), "the chart")


@pytest.mark.parametrize("without", ["leaky", "both"])
def test_missing_answers(without):
    """Replies without an answer: not measured, nothing claimed, no failure."""
    fixed = right if without == "leaky" else lambda asked: NONE
    text, figures = verdict(lambda asked: NONE, fixed, 0)
    check("\nanswers not measured: there are replies without one\n" in text, text)
    check("answers right" not in text and "answers equal" not in text, text)
    equal(figures["scenarios"][0]["answers"], "not measured")


def test_fixed_half_must_answer():
    """A fixed half without an answer is wrong where the leaky one has one, or null."""
    for leaky in (right, lambda asked: None):
        text, figures = verdict(leaky, lambda asked: NONE, 1)
        check("WRONG ANSWERS: for id=leakcheck: no answer on fixed" in text, text)
        equal(figures["scenarios"][0]["answers"], "unequal")


def test_no_size():
    """A scenario without a parameter `bytes` is asked without one."""
    halves = [answering(name, right, []) for name in ("leaky", "fixed")]
    done = judge(*halves)
    check("1 of 1 answers right" in done.stdout, done.stdout)
    check(all("bytes" not in call for half in halves for call in half.asked), "bytes")


@pytest.mark.parametrize(
    "said",
    [
        "a\x1b[2Jb",
        "a\nNO two: b",
        "",
        "x" * 256,
        7,
        ["a"],
        {"a": "b"},
        True,
        "caf\xe9",
        "a\0b",
    ],
    ids=[
        "escape",
        "line",
        "empty",
        "long",
        "number",
        "list",
        "object",
        "true",
        "latin",
        "zero",
    ],
)
@pytest.mark.parametrize("name", ["leaky", "fixed"])
def test_hostile_answers(name, said):
    """An answer that is no short, printable text is no verdict: one line, which does
    not show it."""
    halves = {"leaky": right, "fixed": right} | {name: lambda asked: said}
    stands = [answering(each, halves[each]) for each in ("leaky", "fixed")]
    done = judge(*stands, expect=2)
    equal(done.stdout, "", "a verdict")
    equal(len(done.stderr.splitlines()), 1, done.stderr)
    reason = "has an answer that is neither null nor a short"
    if said == "a\0b":
        reason = "has a text with a zero byte"
    check(reason in done.stderr, done.stderr)
    check("/leak/one?id=" in done.stderr and "\x1b" not in done.stderr, done.stderr)


def test_answers_fit_a_terminal():
    """Long unequal answers are wrapped on a terminal, and in the HTML report they are
    text."""
    report = os.path.join(scratch(), "report.html")
    long = "<script>alert(1)</script> " + "word " * 40
    leaky, fixed = answering("leaky", right), answering("fixed", lambda asked: long)
    mine, its = pty.openpty()
    seen = b""
    with leaky, fixed:
        command = [JUDGE, "--report", report, leaky.url, fixed.url]
        environment = os.environ | {"TERM": "xterm", "NO_COLOR": "1"}
        with subprocess.Popen(command, stdout=its, env=environment) as process:
            os.close(its)
            try:
                while part := os.read(mine, 4096):
                    seen += part
            except OSError:
                pass  # That is how a terminal ends.
            equal(process.wait(60), 1, "exit")
    os.close(mine)
    lines = seen.decode().splitlines()
    check(any("WRONG ANSWERS" in line for line in lines), lines)
    equal([line for line in lines if len(line) > 80], [], "lines over 80 columns")
    with open(report, encoding="utf-8") as file:
        page = file.read()
    check("The answers are wrong: " in page and "alert(1)" in page, "not in the report")
    check("<script>alert" not in page, "an answer became a script")
    check("<strong>0 of 1</strong> answers right" in page, "not in the sum")
