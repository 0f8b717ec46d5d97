"""leakcheck on the lab's servers: of a fix that was not measured whole, "holds" is never
said. /status may say null for mappings and children, which are not counted then."""

import concurrent.futures
import json
import os
import tempfile

import pytest

from checks import check, equal
from commands import run
from stand_in import half, heap, status
from tree import BUILD, scratch

pytestmark = pytest.mark.slow

JUDGE = os.path.join(BUILD, "leakcheck")
DECLARED = 2**20
NULL = "/status says null"


def without(member):
    """A /status that has not this member, as older servers have not."""
    said = json.loads(status("other"))
    del said[member]
    return json.dumps(said)


def nulls(when, *members):
    """A /status with null for the members at those requests of which `when` says so."""
    asked = []

    def answer(_):
        asked.append(1)
        changes = dict.fromkeys(members) if when(len(asked)) else {}
        return status("other", **changes)

    return answer


def keeping(step, **changes):
    """A half that keeps `step` bytes with each call."""
    calls = []

    def leak(_):
        calls.append(1)
        return json.dumps({"declared": {"heap_bytes": DECLARED}})

    def profile(_):
        return heap(100 + step * len(calls))

    routes = {"pprof_heap": profile, "debug_pprof_heap": profile}
    return half("other", leak, **routes | changes)


def judged(expect, *urls):
    """The output, and the JSON report if there is one."""
    path = os.path.join(tempfile.mkdtemp(dir=scratch()), "judged.json")
    alone = ("--alone",) if len(urls) == 1 else ()
    done = run(JUDGE, *alone, "--json", path, *urls, check_exit=False, limit=60)
    equal(done.returncode, expect, done.stdout + done.stderr)
    if not os.path.exists(path):
        return done, None
    with open(path, encoding="utf-8") as file:
        return done, json.load(file)


def judge(expect, fixed, leaky=status("other")):
    """Judges a pair, and its fixed half alone, with these replies of /status."""
    with keeping(DECLARED, status=leaky) as one, keeping(0, status=fixed) as other:
        return judged(expect, one.url, other.url)


def together(function, cases):
    """Calls the function for each case, several at a time: most of it is waiting."""
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(function, *case) for case in cases]:
            done.result()


def test_member_that_is_not_there():
    """A server that has no such count at all gets no verdict, whichever half it is."""

    def try_one(member, half_number):
        replies = [status("other"), status("other")]
        replies[half_number] = without(member)
        done, _ = judge(2, replies[0], leaky=replies[1])
        check(f"does not count: {member}" in done.stderr, done.stderr)
        equal(done.stdout, "")

    together(try_one, [(m, i) for m in ("mappings", "children") for i in (0, 1)])


def test_never_counted():
    """A fix whose children or mappings are never counted is not measured: so says its
    row, the summary and the report."""

    def try_one(member):
        done, figures = judge(2, nulls(lambda _: True, member))
        reason = f"{member} were counted in 0 of 5 samples; {NULL}"
        check(f"THE FIX IS NOT MEASURED: {reason}" in done.stdout, done.stdout)
        check(f"\nNO one: THE FIX IS NOT MEASURED: {reason}" in done.stdout, done.stdout)
        last = done.stdout.splitlines()[-1]
        said = "1 of 1 leaks shown, 0 of 1 fixes hold, 1 not measured, in "
        check(last.startswith(said), last)
        equal((figures["false_alarms"], figures["fixes_not_measured"]), (0, 1))
        one = figures["scenarios"][0]
        equal((one["verdict"], one["fixed"]["measured"]), ("not measured", False))
        check(one["fixed"]["reason"].startswith(reason), one["fixed"])
        equal(one["fixed"]["growth_per_call"][member], None)

    together(try_one, [("mappings",), ("children",)])


def test_never_counted_alone():
    """The same of a half that is judged alone: nobody is blamed for what is not known."""
    with keeping(0, status=nulls(lambda _: True, "children", "mappings")) as server:
        done, figures = judged(2, server.url)
    said = f"one: NOT MEASURED: mappings were counted in 0 of 5 samples; {NULL}"
    check(done.stdout.startswith(said), done.stdout)
    check("\n0 of 1 hold, 1 not measured, in " in done.stdout, done.stdout)
    equal(figures["verdict"], "not measured")
    one = figures["scenarios"][0]
    members = ("holds", "measured", "resource", "per_call", "blamed")
    equal([one[name] for name in members], [False, False, "mappings", None, None])


def test_leak_of_what_is_counted():
    """What leaks is said to leak, also where another count is missing."""
    with keeping(DECLARED, status=nulls(lambda _: True, "children")) as server:
        done, figures = judged(1, server.url)
    check("one: STILL LEAKS: heap grew by " in done.stdout, done.stdout)
    equal(figures["verdict"], "leaks")


def test_counted_now_and_then():
    """A sample that misses a count is taken again; the leaky half needs none of them: its
    stuck threads may be too many for the server to count children."""

    def try_one(fixed, leaky):
        done, figures = judge(0, fixed, leaky)
        check("1 of 1 leaks shown, 1 of 1 fixes hold, in " in done.stdout, done.stdout)
        equal(figures["fixes_not_measured"], 0)

    both = ("mappings", "children")
    now_and_then = nulls(lambda asked: asked % 3 == 0, *both)
    together(
        try_one,
        [
            (now_and_then, status("other")),
            (status("other"), nulls(lambda _: True, *both)),
        ],
    )


def test_no_longer_counted():
    """Counts that end with the first calls are not measured, though the first sample has
    them."""
    calls = []

    def leak(_):
        calls.append(1)
        return json.dumps({"declared": {"heap_bytes": DECLARED}})

    said = nulls(lambda _: len(calls) > 3, "children")
    with keeping(0, status=said, leak_one=leak) as server:
        done, _ = judged(2, server.url)
    check("one: NOT MEASURED: children were counted in " in done.stdout, done.stdout)
