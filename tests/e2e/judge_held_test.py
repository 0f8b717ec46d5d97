"""Who holds what leaks: leakcheck names the holder of what the blamed line allocated, or
says that it is lost, where the server has a profile of that. Where it has none, or a
wrong one, that is said, and the verdict is the same."""

import json
import os
import re

import pytest

from checks import check, equal
from commands import run
from judged import TWELVE, judged
from servers import Server
from stand_in import MAPS, Stand, heap
from terminals import Terminal
from tree import BUILD, scratch

pytestmark = [pytest.mark.slow, pytest.mark.one_of("judge of other servers", "held")]

JUDGE = os.path.join(BUILD, "leakcheck")
RECORDER = ("--profile", "recorder")
STARTS = {
    "slice-prefix": "global signatures (leaky/slice_prefix.c:",
    "slice-lost-pointers": "lost",
    "thread-wait": 'thread "order": ',
    "buffer-churn": None,
}


def judge(leaky, fixed, names, *options):
    """Judges these scenarios; returns the output and the JSON by scenario."""
    path = os.path.join(scratch(), "held.json")
    chosen = [part for name in names for part in ("--scenario", name)]
    urls = (leaky.url, fixed.url)
    done = run(JUDGE, *chosen, "--json", path, *options, *urls, limit=120)
    with open(path, encoding="utf-8") as file:
        return done.stdout, {one["name"]: one for one in json.load(file)["scenarios"]}


def row_of(text, name):
    return next(line for line in text.splitlines() if line.startswith(name))


def test_holder_of_each_kind():
    """A global, a stuck thread, nothing; and what does not stay has no holder."""
    report = os.path.join(scratch(), "held.html")
    with Server("leaky", *RECORDER) as leaky, Server("fixed", *RECORDER) as fixed:
        options = ("--report", report)
        text, figures = judge(leaky, fixed, STARTS, *options)
        words = ("--scenario", "thread-wait", leaky.url, fixed.url)
        terminal = Terminal("/", JUDGE, *words, NO_COLOR="1")
        equal(terminal.end(60), 0, terminal.output)
        shown = terminal.output.decode()
    for name, start in STARTS.items():
        held = figures[name]["leaky"]["heap"]["held_by"]
        if start is None:
            equal(held, None, name)
            check("held by" not in row_of(text, name), text)
            continue
        check(held["holder"].startswith(start), f"{name}: {held}")
        equal(held["lost"], start == "lost", name)
        # A stale pointer, or another frame of a thread, may hold one block of eight.
        check(held["share"] >= 0.7, f"{name}: {held}")
        check(held["bytes"] > 0, f"{name}: {held}")
        check(f", {held['words']}; " in row_of(text, name), text)
    check(", held by signatures (leaky/slice_prefix.c:" in text, text)
    check(re.search(r', held by order_\w+ in thread "order"', text), text)
    check(", lost: nothing points to it" in text, text)
    check("not measured" not in text, text)
    check(' in thread "order"' in " ".join(shown.split()), shown)
    table = shown[shown.index("SCENARIO") :]  # after the line of progress
    for line in table.splitlines():
        check(len(line) <= 80, f"{len(line)} columns: {line}")
    with open(report, encoding="utf-8") as file:
        page = file.read()
    for words in ("Held by <code>signatures (", "still held", "<h4>Lost</h4>"):
        check(words in page, f"the report does not say: {words}")


def test_without_the_recorder_it_is_not_measured():
    """gperftools cannot tell: it is said what to do, and both verdicts are the same."""
    with Server("leaky") as leaky, Server("fixed") as fixed:
        text, figures = judge(leaky, fixed, ["slice-prefix"])
        path = os.path.join(scratch(), "gate.json")
        drive = ("--url", leaky.url, "--drive", "/leak/slice-prefix?id=x&bytes=64K")
        options = ("--rounds", "2", "--calls", "4", "--json", path)
        gate = run(JUDGE, *drive, *options, check_exit=False)
    reason = "start the server with --profile recorder"
    blamed = figures["slice-prefix"]["leaky"]["heap"]
    equal((blamed["held_by"], blamed["held_by_reason"]), (None, reason))
    check(f"\nwho holds it is not measured for 1 of 1: {reason}\n" in text, text)
    check("1 of 1 leaks shown, 1 of 1 fixes hold" in text, text)
    equal(gate.returncode, 1, gate.stdout + gate.stderr)
    check(f"\nheld by      not measured: {reason}\n" in gate.stdout, gate.stdout)
    with open(path, encoding="utf-8") as file:
        blamed = json.load(file)["resources"]["heap"]["blamed"]
    equal((blamed["held_by"], blamed["held_by_reason"]), (None, reason))


def test_one_half_alone():
    """The half that is judged alone says it on a line of its own."""
    with Server("leaky", *RECORDER) as leaky:
        options = ("--alone", "--scenario", "slice-tail", leaky.url)
        done = run(JUDGE, *options, check_exit=False)
    equal(done.returncode, 1, done.stdout + done.stderr)
    check("\n    held by mailboxes (leaky/slice_tail.c:" in done.stdout, done.stdout)


def test_program_under_leakprobe():
    """leakcheck --run: the list that the program keeps its blocks in."""
    server = next(one for one in TWELVE if str(one) == "wrapper")
    _, text, figures, _ = judged(server)
    held = figures["resources"]["heap"]["blamed"]["held_by"]
    check(held["holder"].startswith("global blocks"), held)
    check(held["share"] >= 0.95, held)
    check("\nheld by      blocks (" in text, text)


# -- servers that say something else ---------------------------------------------------


def retained(holder, kept):
    """A profile of what the stand-in's function has allocated, and who holds it."""
    names = f"#\t0x1010\tkeep+0x1\tx.c:3\n#\t0x1020\t{holder}+0x1\n"
    row = f"1: {kept} [1: {kept}] @"
    return f"heap profile: {row} heapprofile\n{row} 0x1010 0x1020\n{names}{MAPS}"


def judge_stand(profile):
    """Judges a leaking stand-in whose profile of what is held is the result of
    `profile(bytes, times)`; returns the output and what is said of the holder."""
    calls = []
    times = []

    def work(_):
        calls.append(1)
        return "ok"

    def in_use(_):
        return heap(100 + 4096 * len(calls))

    def page(_):
        times.append(1)
        return profile(4096 * len(calls) + 100, len(times))

    routes = {"pprof_heap": in_use, "debug_pprof_heap": in_use}
    path = os.path.join(scratch(), "stand.json")
    with Stand(work=work, debug_pprof_retained=page, **routes) as stand:
        drive = ("--url", stand.url, "--drive", "/work", "--json", path)
        options = ("--rounds", "2", "--calls", "2")
        done = run(JUDGE, *drive, *options, check_exit=False, limit=60)
    equal(done.returncode, 1, done.stdout + done.stderr)
    check("LEAKS: heap" in done.stdout, done.stdout)
    with open(path, encoding="utf-8") as file:
        blamed = json.load(file)["resources"]["heap"]["blamed"]
    equal(blamed["function"], "keep", done.stdout)
    return done.stdout, blamed["held_by"], blamed.get("held_by_reason")


def test_busy_server_is_asked_again():
    """409 and 503 pass: the answer is there."""

    def profile(kept, times):
        busy = {1: (409, "busy"), 2: (503, "no copy")}
        return busy.get(times) or retained("lost", kept)

    text, held, _ = judge_stand(profile)
    check(held["lost"] and held["share"] == 1, held)
    check("\nlost         nothing points to it\n" in text, text)


@pytest.mark.parametrize(
    "said, profile",
    [
        ("answered 409", lambda kept, times: (409, "busy")),
        ("503", lambda kept, times: (503, "no")),
        ("/debug/pprof/retained", lambda kept, times: "<html>welcome</html>"),
        ("names no holders", lambda kept, times: retained("main", kept)),
        ("no growth", lambda kept, times: retained("lost", 100)),
        ("cannot be unpacked", lambda kept, times: "\x1f\x8b\x08\x00junk"),
        ("-5", lambda kept, times: retained("lost", -5)),
    ],
)
def test_wrong_profile_is_not_measured(said, profile):
    """The verdict does not depend on it, and nobody is said to hold anything."""
    text, held, reason = judge_stand(profile)
    equal(held, None, text)
    check(said in reason, reason)
    check("\nheld by      not measured: " in text, text)


def test_without_the_page_nothing_is_said():
    """Other servers have no such page: no line is lost on that."""
    text, held, reason = judge_stand(lambda kept, times: (404, "no"))
    equal(held, None, text)
    check("404" in reason, reason)
    check("held by" not in text, text)
