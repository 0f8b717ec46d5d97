#!/usr/bin/python3
"""The pair rule is enforced, the proofs fail when a pair is swapped, and a scenario is
added with two files and one line. All of it in scratch copies of the tree."""

import os
import re
import shutil

import lab
from lab import check, equal, test

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
    done = lab.run("scripts/check-pairs.sh", cwd=copy, check_exit=False)
    return done.returncode, done.stderr


def copy_with(*names):
    """A copy of the tree that has these scenarios alone: checked in no time."""
    copy = lab.copy_of_tree()
    for name in lab.scenario_names():
        name = name.replace("-", "_")
        if name not in names:
            line = re.search(rf"    X\({name}\).*\n", read(copy, "common/scenario.h"))[
                0
            ]
            change(copy, "common/scenario.h", line, "")
            for half in ("leaky", "fixed"):
                os.unlink(os.path.join(copy, half, f"{name}.c"))
    return copy


copy_to_break = copy_with("slice_prefix", "slice_tail", "string_prefix")


def must_reject(what, words, *changes):
    """Checks that the changes are rejected, with a message that has these words."""

    def run():
        changed = {path for path, _, _ in changes}
        kept = {path: read(copy_to_break, path) for path in changed}
        try:
            for path, old, new in changes:
                change(copy_to_break, path, old, new)
            code, message = pair_rule(copy_to_break)
            equal(code, 1, f"exit code; {message}")
            for word in words.split():
                check(word in message, f"{word} is not in: {message}")
            check(len(message.splitlines()) < 16, f"too long: {message}")
        finally:
            for path, text in kept.items():
                write(copy_to_break, path, text)

    test(f"check-pairs rejects {what}")(run)


@test("check-pairs accepts every pair of the tree")
def _():
    done = lab.run("scripts/check-pairs.sh", cwd=lab.ROOT)
    count = len(lab.scenario_names())
    check(done.stdout.startswith(f"check-pairs: {count} pairs"), done.stdout)


must_reject(
    "another header comment",
    "slice_prefix header",
    (FIXED, " * A gateway", " * The gateway"),
)
must_reject(
    "another include", "slice_prefix includes", (FIXED, "#include <errno.h>\n", "")
)
must_reject("another macro", "slice_prefix macros", (FIXED, "MAX 65536", "MAX 65537"))
must_reject(
    "another type",
    "slice_prefix types",
    (FIXED, "    struct slice view;\n", "    struct slice view;\n    int more;\n"),
)
must_reject(
    "another descriptor",
    "slice_prefix descriptors",
    (FIXED, ".bytes_min = 1", ".bytes_min = 2"),
)
must_reject(
    "a renamed function", "payload_read", (FIXED, "payload_read(", "payload_get(")
)
must_reject(
    "a leaky half without LEAK", "LEAK: found 0", (LEAKY, "/* LEAK:", "/* Note:")
)
must_reject(
    "two LEAK comments",
    "LEAK: found 2",
    (LEAKY, "    signatures_held++;", "    /* LEAK: more. */\n    signatures_held++;"),
)
must_reject(
    "a LEAK without a reason", "LEAK:", (LEAKY, "/* LEAK: a view", "/* LEAK:\n")
)
must_reject("a fixed half without FIX", "FIX: found 0", (FIXED, "/* FIX:", "/* Note:"))
must_reject(
    "FIX in the leaky half",
    "FIX: other half",
    (LEAKY, "    signatures_held++;", "    /* FIX: no. */\n    signatures_held++;"),
)
must_reject(
    "more than 30 changed lines",
    "changed lines",
    (
        FIXED,
        "    signatures_held++;\n",
        "    signatures_held++;\n" + "    (void)0;\n" * 30,
    ),
)
must_reject(
    "a file of more than 200 lines",
    "leaky/slice_prefix.c lines",
    (
        LEAKY,
        "    signatures_held++;\n",
        "    signatures_held++;\n" + "    (void)0;\n" * 150,
    ),
)
must_reject(
    "an exported function",
    "static payload_read",
    (LEAKY, "static struct slice payload", "struct slice payload"),
)
must_reject(
    "an exported variable",
    "static signatures_next",
    (LEAKY, "static size_t signatures_next", "size_t signatures_next"),
)
must_reject(
    "civetweb", "civetweb.h", (LEAKY, "#include <errno.h>", "#include <civetweb.h>")
)
must_reject(
    "gperftools",
    "gperftools/",
    (LEAKY, "#include <errno.h>", "#include <gperftools/malloc_extension_c.h>"),
)
must_reject(
    "a module of the server",
    "server/reply.h",
    (FIXED, "#include <errno.h>", '#include "server/reply.h"'),
)
must_reject(
    "another name",
    "slice-prefix",
    (LEAKY, '.name = "slice-prefix"', '.name = "slices"'),
)
must_reject(
    "a descriptor that is not last",
    "slice_prefix.c must end",
    (
        LEAKY,
        "    .stop = signatures_clear,\n};\n",
        "    .stop = signatures_clear,\n};\nstatic int more;\n",
    ),
)
must_reject(
    "the same function name in two scenarios",
    "payload_read same",
    ("leaky/slice_tail.c", "messages_read(", "payload_read("),
    ("fixed/slice_tail.c", "messages_read(", "payload_read("),
)
must_reject(
    "a scenario that is not in the list",
    "slice_prefix: SCENARIO_LIST",
    (
        "common/scenario.h",
        re.search(
            r"    X\(slice_prefix\).*\n", read(copy_to_break, "common/scenario.h")
        )[0],
        "",
    ),
)


@test("check-pairs rejects two halves that are the same")
def _():
    kept = read(copy_to_break, FIXED)
    write(copy_to_break, FIXED, read(copy_to_break, LEAKY))
    code, message = pair_rule(copy_to_break)
    write(copy_to_break, FIXED, kept)
    equal(code, 1, "exit code")
    check("both halves are the same" in message, message)


@test(
    "check-pairs rejects a half that is missing, and a file that does not belong there"
)
def _():
    kept = read(copy_to_break, FIXED)
    os.unlink(os.path.join(copy_to_break, FIXED))
    code, message = pair_rule(copy_to_break)
    write(copy_to_break, FIXED, kept)
    equal(code, 1, "exit code")
    check(f"{FIXED}: missing" in message, message)
    write(copy_to_break, "leaky/notes.txt", "x\n")
    code, message = pair_rule(copy_to_break)
    os.unlink(os.path.join(copy_to_break, "leaky/notes.txt"))
    equal(code, 1, "exit code")
    check("leaky/notes.txt" in message, message)
    equal(pair_rule(copy_to_break)[0], 0, "exit code for the repaired copy")


@test("each scenario's object exports its descriptor and nothing else")
def _():
    for half in ("leaky", "fixed"):
        for name in lab.scenario_names():
            name = name.replace("-", "_")
            path = os.path.join(lab.BUILD, "objects", half, f"{name}.o")
            rows = lab.run("nm", "--extern-only", "--defined-only", path).stdout.split(
                "\n"
            )
            exported = [row.split()[-1] for row in rows if row]
            equal(exported, [f"{name}_scenario"], path)


# -- scratch builds --------------------------------------------------------------------


def copy_with_build():
    """A copy of the tree with what is built, so that only what changes is built anew.
    That holds for C files alone: which headers they need is noted for another path."""
    copy = lab.copy_of_tree()
    shutil.copytree(lab.BUILD, os.path.join(copy, "build"), symlinks=True)
    return copy


def build(copy):
    lab.run("make", "-s", "-j2", "BUILD=build", "build", cwd=copy, limit=200)


def proof(copy, program, word):
    """Runs one of these test programs on the copy, for one scenario."""
    environment = os.environ | {"BUILD": os.path.join(copy, "build")}
    path = os.path.join(copy, "tests", "e2e", program)
    return lab.run(path, word, env=environment, check_exit=False, cwd=copy)


def judge(copy, name):
    """Has leakcheck judge one scenario of the copy."""
    built = os.path.join(copy, "build")
    with lab.Server("leaky", build=built) as leaky, lab.Server(
        "fixed", build=built
    ) as fixed:
        return lab.run(
            os.path.join(built, "leakcheck"),
            *("--scenario", name, leaky.url, fixed.url),
            check_exit=False,
        )


SWAPPED = ("string-prefix", "lock-never-released")


@test("with two pairs swapped, leakcheck, the tests and check-pairs all fail for them")
def _():
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
            done = proof(copy, program, f"{name} leaves")
            equal(done.returncode, 1, f"{program} for swapped {name}: {done.stdout}")
            check(f"not ok 1 - {name} leaves" in done.stdout, done.stdout)
        verdict = judge(copy, name)
        equal(verdict.returncode, 1, f"exit of leakcheck for {name}: {verdict.stdout}")
    other = "slice-prefix"
    for program in ("leaky_test.py", "fixed_test.py"):
        done = proof(copy, program, f"{other} leaves")
        equal(done.returncode, 0, f"{program} for {other}: {done.stdout}")
    verdict = judge(copy, other)
    equal(
        verdict.returncode,
        0,
        f"leakcheck for {other}: {verdict.stdout}{verdict.stderr}",
    )


@test("a scenario is added with two files and one line: listed, working, proved")
def _():
    copy = lab.copy_of_tree()
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
    with lab.Server("leaky", build=built) as server:
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
        done = proof(copy, program, "stamp-kept")
        equal(done.returncode, 0, f"{program}: {done.stdout}")
        check("ok 1 - stamp-kept" in done.stdout, done.stdout)
    verdict = judge(copy, "stamp-kept")
    equal(verdict.returncode, 0, f"leakcheck: {verdict.stdout}{verdict.stderr}")


lab.main()
