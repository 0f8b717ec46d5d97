"""The pair rule is enforced, the proofs fail when a pair is swapped and when a fixed half
does less, and a scenario is added with two files and one line. All of it in scratch copies
of the tree."""

import json
import os
import re

import pytest

from answers import HALVED, UNFINISHED
from checks import check, equal
from commands import run, run_tests
from scenarios import scenario_names
from servers import Server
from tree import BUILD, ROOT, copy_of_tree, copy_with_build
from turns import in_turns

LEAKY = "leaky/slice_prefix.c"
FIXED = "fixed/slice_prefix.c"


def read(copy, path):
    with open(os.path.join(copy, path), encoding="utf-8") as file:
        return file.read()


def write(copy, path, text):
    with open(os.path.join(copy, path), "w", encoding="utf-8") as file:
        file.write(text)


def change(copy, path, old, new):
    """Replaces the first `old`, which must be there."""
    text = read(copy, path)
    check(old in text, f"{path} has no {old!r}")
    write(copy, path, text.replace(old, new, 1))


def pair_rule(copy):
    done = run("scripts/check-pairs.sh", cwd=copy, check_exit=False)
    return done.returncode, done.stderr


def copy_with(*names):
    """A copy of the tree that has these scenarios alone: checked in no time."""
    copy = copy_of_tree()
    for name in scenario_names():
        name = name.replace("-", "_")
        if name not in names:
            line = re.search(rf"    X\({name}\).*\n", read(copy, "common/scenario.h"))[
                0
            ]
            change(copy, "common/scenario.h", line, "")
            for half in ("leaky", "fixed"):
                os.unlink(os.path.join(copy, half, f"{name}.c"))
    return copy


@pytest.fixture(name="copy", scope="module")
def copy_to_break():
    """A small copy of the tree, for changes that are taken back."""
    return copy_with("slice_prefix", "slice_tail", "string_prefix")


# What is wrong, words of the message, and the changes: file, old text, new text.
REJECTED = (
    (
        "another header comment",
        "slice_prefix header",
        (FIXED, " * A gateway", " * The gateway"),
    ),
    ("another include", "slice_prefix includes", (FIXED, "#include <errno.h>\n", "")),
    ("another macro", "slice_prefix macros", (FIXED, "MAX 65536", "MAX 65537")),
    (
        "another type",
        "slice_prefix types",
        (FIXED, "    struct slice view;\n", "    struct slice view;\n    int more;\n"),
    ),
    (
        "another descriptor",
        "slice_prefix descriptors",
        (FIXED, ".bytes_min = 1", ".bytes_min = 2"),
    ),
    ("a renamed function", "payload_read", (FIXED, "payload_read(", "payload_get(")),
    ("a leaky half without LEAK", "LEAK: found 0", (LEAKY, "/* LEAK:", "/* Note:")),
    (
        "two LEAK comments",
        "LEAK: found 2",
        (
            LEAKY,
            "    signatures_held++;",
            "    /* LEAK: more. */\n    signatures_held++;",
        ),
    ),
    ("a LEAK without a reason", "LEAK:", (LEAKY, "/* LEAK: a view", "/* LEAK:\n")),
    ("a fixed half without FIX", "FIX: found 0", (FIXED, "/* FIX:", "/* Note:")),
    (
        "FIX in the leaky half",
        "FIX: other half",
        (LEAKY, "    signatures_held++;", "    /* FIX: no. */\n    signatures_held++;"),
    ),
    (
        "more than 30 changed lines",
        "changed lines",
        (
            FIXED,
            "    signatures_held++;\n",
            "    signatures_held++;\n" + "    (void)0;\n" * 30,
        ),
    ),
    (
        "a file of more than 220 lines",
        "leaky/slice_prefix.c lines",
        (
            LEAKY,
            "    signatures_held++;\n",
            "    signatures_held++;\n" + "    (void)0;\n" * 150,
        ),
    ),
    (
        "an exported function",
        "static payload_read",
        (LEAKY, "static struct slice payload", "struct slice payload"),
    ),
    (
        "an exported variable",
        "static signatures_next",
        (LEAKY, "static size_t signatures_next", "size_t signatures_next"),
    ),
    ("civetweb", "civetweb.h", (LEAKY, "#include <errno.h>", "#include <civetweb.h>")),
    (
        "gperftools",
        "gperftools/",
        (LEAKY, "#include <errno.h>", "#include <gperftools/malloc_extension_c.h>"),
    ),
    (
        "a module of the server",
        "server/reply.h",
        (FIXED, "#include <errno.h>", '#include "server/reply.h"'),
    ),
    (
        "another name",
        "slice-prefix",
        (LEAKY, '.name = "slice-prefix"', '.name = "slices"'),
    ),
    (
        "no main size",
        "slice_prefix.c bytes_min main size",
        (LEAKY, "    .bytes_min = 1024,\n", ""),
        (FIXED, "    .bytes_min = 1024,\n", ""),
    ),
    (
        "a descriptor that is not last",
        "slice_prefix.c must end",
        (
            LEAKY,
            "    .stop = signatures_clear,\n};\n",
            "    .stop = signatures_clear,\n};\nstatic int more;\n",
        ),
    ),
    (
        "the same function name in two scenarios",
        "payload_read same",
        ("leaky/slice_tail.c", "messages_read(", "payload_read("),
        ("fixed/slice_tail.c", "messages_read(", "payload_read("),
    ),
    (
        "a scenario that is not in the list",
        "slice_prefix: SCENARIO_LIST",
        (
            "common/scenario.h",
            re.search(r"    X\(slice_prefix\).*\n", read(ROOT, "common/scenario.h"))[0],
            "",
        ),
    ),
)


@pytest.mark.parametrize("case", REJECTED, ids=[case[0] for case in REJECTED])
def test_check_pairs_rejects(copy, case):
    """The changes are rejected, with a message that has these words."""
    _, words, *changes = case
    kept = {path: read(copy, path) for path, _, _ in changes}
    try:
        for path, old, new in changes:
            change(copy, path, old, new)
        code, message = pair_rule(copy)
        equal(code, 1, f"exit code; {message}")
        for word in words.split():
            check(word in message, f"{word} is not in: {message}")
        check(len(message.splitlines()) < 16, f"too long: {message}")
    finally:
        for path, text in kept.items():
            write(copy, path, text)


def test_check_pairs_accepts_every_pair_of_tree():
    """Check-pairs accepts every pair of the tree."""
    done = run("scripts/check-pairs.sh", cwd=ROOT)
    count = len(scenario_names())
    check(done.stdout.startswith(f"check-pairs: {count} pairs"), done.stdout)


def test_check_pairs_rejects_two_halves_that_are_same(copy):
    """Check-pairs rejects two halves that are the same."""
    kept = read(copy, FIXED)
    write(copy, FIXED, read(copy, LEAKY))
    code, message = pair_rule(copy)
    write(copy, FIXED, kept)
    equal(code, 1, "exit code")
    check("both halves are the same" in message, message)


def test_check_pairs_rejects_half_that_is_missing(copy):
    """Check-pairs rejects a half that is missing, and a file that does not belong
    there."""
    kept = read(copy, FIXED)
    os.unlink(os.path.join(copy, FIXED))
    code, message = pair_rule(copy)
    write(copy, FIXED, kept)
    equal(code, 1, "exit code")
    check(f"{FIXED}: missing" in message, message)
    write(copy, "leaky/notes.txt", "x\n")
    code, message = pair_rule(copy)
    os.unlink(os.path.join(copy, "leaky/notes.txt"))
    equal(code, 1, "exit code")
    check("leaky/notes.txt" in message, message)
    equal(pair_rule(copy)[0], 0, "exit code for the repaired copy")


def test_each_scenario_object_exports_its_descriptor_and_nothing():
    """Each scenario's object exports its descriptor and nothing else."""
    for half in ("leaky", "fixed"):
        for name in scenario_names():
            name = name.replace("-", "_")
            path = os.path.join(BUILD, "objects", half, f"{name}.o")
            rows = run("nm", "--extern-only", "--defined-only", path).stdout.split("\n")
            exported = [row.split()[-1] for row in rows if row]
            equal(exported, [f"{name}_scenario"], path)


# -- scratch builds --------------------------------------------------------------------


def build(copy):
    run("make", "-s", "-j2", "BUILD=build", "build", cwd=copy, limit=200)


def proof(copy, program, word):
    """Runs one of these test programs on the copy, for one scenario."""
    path = os.path.join(copy, "tests", "e2e", program)
    options = (path, "--word", word)
    return run_tests(*options, build=os.path.join(copy, "build"))


def judge(copy, name):
    """Has leakcheck judge one scenario of the copy."""
    built = os.path.join(copy, "build")
    with Server("leaky", build=built) as leaky, Server("fixed", build=built) as fixed:
        return run(
            os.path.join(built, "leakcheck"),
            *("--scenario", name, leaky.url, fixed.url),
            check_exit=False,
        )


SWAPPED = ("string-prefix", "lock-never-released")


@pytest.mark.slow
@pytest.mark.one_of("pairs", "swapped")
def test_with_two_pairs_swapped_leakcheck():
    """With two pairs swapped, leakcheck, the tests and check-pairs all fail for
    them."""
    copy = copy_with_build()
    for name in SWAPPED:
        leaky, fixed = (
            f"{half}/{name.replace('-', '_')}.c" for half in ("leaky", "fixed")
        )
        bug, mend = read(copy, leaky), read(copy, fixed)
        write(copy, leaky, mend)
        write(copy, fixed, bug)
    build(copy)
    equal(pair_rule(copy)[0], 1, "exit of check-pairs")
    for name in SWAPPED:
        for program in ("leaky_test.py", "fixed_test.py"):
            done = proof(copy, program, f"[{name}]")
            equal(done.returncode, 1, f"{program} for swapped {name}: {done.stdout}")
            check("1 failed, " in done.stdout, done.stdout)
        verdict = judge(copy, name)
        equal(verdict.returncode, 1, f"exit of leakcheck for {name}: {verdict.stdout}")
    other = "slice-prefix"
    for program in ("leaky_test.py", "fixed_test.py"):
        done = proof(copy, program, f"[{other}]")
        equal(done.returncode, 0, f"{program} for {other}: {done.stdout}")
    verdict = judge(copy, other)
    equal(
        verdict.returncode,
        0,
        f"leakcheck for {other}: {verdict.stdout}{verdict.stderr}",
    )


def empty(copy, name):
    """Has the fixed half's run return at once, as if all were done."""
    path = f"fixed/{name}.c"
    run_name = re.search(r"^    \.run = (\w+),$", read(copy, path), re.MULTILINE)[1]
    head = re.search(
        rf"^static int {run_name}\([^)]*\)\n\{{\n", read(copy, path), re.MULTILINE
    )
    body = "    if (request->bytes > 0) {\n        return 0;\n    }\n"
    change(copy, path, head[0], head[0] + body)


def halve(copy, name):
    """Has the fixed half do half of its work."""
    change(copy, f"fixed/{name}.c", *HALVED[name.replace("_", "-")])


@pytest.mark.slow
@pytest.mark.one_of("pairs", "lessened")
@pytest.mark.parametrize("lessen", in_turns("lessened", [empty, halve]))
def test_fixed_half_that_does_less_is_found_out(lessen):
    """Where a fixed half does nothing, or half of its work, nothing leaks; but its
    answers are wrong. leakcheck and the tests of the answers fail for every scenario.
    """
    copy = copy_with_build()
    names = scenario_names()
    for name in names:
        lessen(copy, name.replace("-", "_"))
    build(copy)
    built = os.path.join(copy, "build")
    figures = os.path.join(copy, "figures.json")
    with Server("leaky", build=built) as leaky, Server("fixed", build=built) as fixed:
        judging = (os.path.join(built, "leakcheck"), "--json", figures)
        done = run(*judging, leaky.url, fixed.url, check_exit=False)
    equal(done.returncode, 1, f"exit of leakcheck: {done.stdout}{done.stderr}")
    with open(figures, encoding="utf-8") as file:
        said = {one["name"]: one["answers"] for one in json.load(file)["scenarios"]}
    # Of answers that the leaky half does not give, leakcheck sees only if they are there.
    seen = (
        names if lessen is empty else [each for each in names if each not in UNFINISHED]
    )
    unseen = [name for name in seen if said[name] != "unequal"]
    equal(unseen, [], f"not seen by leakcheck; {done.stdout}")
    done = proof(copy, "answers_test.py", "test_answer_is_right")
    passed = [
        name for name in names if f"::test_answer_is_right[{name}]" not in failed(done)
    ]
    equal(passed, [], f"not seen by the tests; {done.stdout[-2000:]}")


def failed(done):
    """The lines of pytest's output that name a test which failed."""
    return "\n".join(re.findall(r"^FAILED .*$", done.stdout, re.MULTILINE))


@pytest.mark.slow
@pytest.mark.one_of("pairs", "added")
def test_scenario_is_added_with_two_files_and_one_line_listed():
    """A scenario is added with two files and one line: listed, working, proved."""
    copy = copy_of_tree()
    for half in ("leaky", "fixed"):
        text = read(copy, f"{half}/slice_prefix.c")
        for old, new in (
            ("slice-prefix", "stamp-kept"),
            ("slice_prefix", "stamp_kept"),
            ("payload", "letter"),
            ("signature", "stamp"),
        ):
            text = text.replace(old, new)
        write(copy, f"{half}/stamp_kept.c", text)
    line = "    X(slice_prefix)"
    change(copy, "common/scenario.h", line, f"    X(stamp_kept) \\\n{line}")
    code, message = pair_rule(copy)
    equal(code, 0, f"exit of check-pairs: {message}")
    build(copy)
    built = os.path.join(copy, "build")
    with Server("leaky", build=built) as server:
        listed = server.scenarios()
        names = [described["name"] for described in listed]
        equal(
            names.index("stamp-kept") + 1,
            names.index("slice-prefix"),
            "place in the list",
        )
        equal(server.leak("stamp-kept", bytes=4096)["scenario"], "stamp-kept", "reply")
        equal(server.status()["scenarios"]["stamp-kept"]["held"], 1, "held")
    for program in ("leaky_test.py", "fixed_test.py"):
        done = proof(copy, program, "[stamp-kept]")
        equal(done.returncode, 0, f"{program}: {done.stdout}")
        check("1 passed" in done.stdout, done.stdout)
    verdict = judge(copy, "stamp-kept")
    equal(verdict.returncode, 0, f"leakcheck: {verdict.stdout}{verdict.stderr}")
