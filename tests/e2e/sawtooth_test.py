"""scripts/sawtooth.sh: a server that climbs, is killed at its limit and starts again, as
a table and as a picture."""

import csv
import os
import re
import signal
import subprocess
import time
import xml.etree.ElementTree as xml

import pytest

from checks import check, equal, wait_until
from commands import run
from processes import descendants
from tree import BUILD, copy_of_tree, scratch

MIB = 1 << 20
SCRIPT = "scripts/sawtooth.sh"


@pytest.fixture(name="lab", scope="module")
def lab_copy():
    """A copy of the sources, so that nothing is written into the real out/."""
    return copy_of_tree()


def sawtooth(lab, *options, **environment):
    """A run to its end."""
    environment = {"BUILD": BUILD, "TMPDIR": scratch()} | environment
    return run(
        os.path.join(lab, SCRIPT), *options, cwd="/", env=os.environ | environment
    )


def table(lab, name):
    """The rows of the table that a run has left, with numbers in them."""
    with open(f"{lab}/out/{name}.csv", encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    check(rows, "the table is empty")
    for row in rows:
        row["seconds"] = float(row["seconds"])
        row["resident_bytes"] = int(row["resident_bytes"])
        row["in_use_bytes"] = int(row["in_use_bytes"] or 0)
    return rows


def lives(rows):
    """The rows of each process, in order."""
    found = {}
    for row in rows:
        found.setdefault(row["pid"], []).append(row)
    return list(found.values())


def picture(lab, name):
    """The SVG: its root, and the elements of each class."""
    root = xml.parse(f"{lab}/out/{name}.svg").getroot()
    classes = {}
    for element in root.iter():
        classes.setdefault(element.get("class"), []).append(element)
    return root, classes


def test_leaky_climbs_is_killed_and_climbs_again(lab):
    """Some cycles: each climbs to the limit and ends there, by SIGKILL."""
    temporary = scratch()
    options = ("--limit", "64M", "--rate", "40", "--seconds", "9")
    done = sawtooth(lab, *options, LC_ALL="C.UTF-8", TMPDIR=temporary)
    rows = table(lab, "sawtooth")
    cycles = lives(rows)
    check(len(cycles) >= 3, f"{len(cycles)} lives:\n{done.stdout}")
    for cycle in cycles[:-1]:
        check(cycle[-1]["resident_bytes"] > 64 * MIB, cycle[-1])
        check(cycle[0]["resident_bytes"] < 45 * MIB, cycle[0])
        check(cycle[-2]["in_use_bytes"] > cycle[0]["in_use_bytes"] + 10 * MIB, cycle)
    times = [row["seconds"] for row in rows]
    equal(times, sorted(times), "times")
    said = re.findall(r"pid (\d+) killed by SIGKILL at (\d+)\.\d MiB", done.stdout)
    equal([pid for pid, _ in said], [each[0]["pid"] for each in cycles][: len(said)])
    check(len(said) >= 2 and all(int(mib) >= 64 for _, mib in said), done.stdout)
    check("▲" in done.stdout and "limit" in done.stdout, done.stdout)
    check("\x1b" not in done.stdout, "colours in a pipe")
    check(max(map(len, done.stdout.splitlines())) <= 80, done.stdout)
    equal(os.listdir(temporary), [], "files left")
    calls = re.search(
        r"\n(\d+) calls answered, 0 refused, (\d+) broke off: ([\d.]+) a second",
        done.stdout,
    )
    check(calls and int(calls[1]) > 60 and int(calls[2]) <= 2 * len(said), done.stdout)
    # It was up for less than 9 s, so there were more a second than in all of them.
    check(int(calls[1]) / 9 < float(calls[3]) < 41, done.stdout)
    story = re.search(
        r"leaky (killed by SIGKILL (\d+) times, started again (\d+) times);",
        done.stdout,
    )
    check(story and int(story[2]) == len(said), done.stdout)
    # The last end may be too late for another start, and that one for a row.
    check(int(story[3]) - len(cycles) in (-1, 0), done.stdout)
    root, classes = picture(lab, "sawtooth")
    equal(len(classes["end-number"]), len(said), "marks of an end")
    check(len(classes["resident"]) >= len(cycles), "one line a life")
    texts = " ".join(element.text or "" for element in root.iter())
    title = f"leaky under a memory limit of 64 MiB, {calls[3]} calls"
    for words in (title, "seconds", " MiB", story[1]):
        check(words in texts, f"{words!r} is not in the picture")
    check("prefers-color-scheme: dark" in texts, "no dark picture")


def test_fixed_stays_flat(lab):
    """The fixed half: no restart, and nothing climbs. The drawing is ASCII where the
    locale is not UTF-8."""
    done = sawtooth(
        lab,
        *("--half", "fixed", "--limit", "64M", "--rate", "40", "--seconds", "6"),
        LC_ALL="C",
    )
    rows = table(lab, "sawtooth-fixed")
    equal(len(lives(rows)), 1, "lives")
    settled = [row["resident_bytes"] for row in rows if row["seconds"] > 2]
    check(max(settled) - min(settled) < 8 * MIB, settled)
    check("fixed never ended;" in done.stdout, done.stdout)
    check(done.stdout.isascii(), done.stdout)
    root, classes = picture(lab, "sawtooth-fixed")
    check("end" not in classes, "a mark of an end")
    check("The server: never ended." in "".join(root.itertext()), "description")


@pytest.mark.parametrize(
    "options",
    [
        ["--bogus"],
        ["stray"],
        ["--limit"],
        ["--limit", "96"],
        ["--limit", "31M"],
        ["--limit", "17G"],
        ["--rate", "0"],
        ["--rate", "x"],
        ["--seconds", "4"],
        ["--half", "both"],
        ["--scenario", "slices"],
        ["--scenario", "../x"],
        ["--bytes", "0K"],
    ],
)
def test_wrong_usage(lab, options):
    """Exit 2, and a message that names it."""
    done = run(os.path.join(lab, SCRIPT), *options, check_exit=False, limit=20)
    equal(done.returncode, 2, f"exit of {options}")
    check(options[-1] in done.stderr.splitlines()[0], done.stderr)


def test_a_server_that_cannot_stay_up_ends_the_run(lab):
    """No build: one line. A server that ends at once: its words, and exit 1."""
    for body, words in (
        (None, "run make build first"),
        ("echo broken >&2; exit 3", "does not start: broken"),
        (
            "echo 'leaky: listening on http://127.0.0.1:9, debug on http://127.0.0.1:9,'",
            "three servers in a row",
        ),
    ):
        build = scratch()
        if body:
            path = os.path.join(build, "leaky")
            with open(path, "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\n{body}\n")
            os.chmod(path, 0o755)
        done = run(
            *(os.path.join(lab, SCRIPT), "--seconds", "30"),
            env=os.environ | {"BUILD": build, "TMPDIR": scratch()},
            check_exit=False,
            limit=25,
        )
        equal(done.returncode, 1, f"exit: {done.stdout}{done.stderr}")
        check(words in done.stderr, done.stderr)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_process_and_no_file(lab, sign):
    """Ctrl-C and SIGTERM end all that was started, and remove its files; a SIGKILL ends
    the processes too."""
    before = descendants()
    temporary = scratch()
    process = subprocess.Popen(
        [os.path.join(lab, SCRIPT), "--seconds", "60"],
        env=os.environ | {"BUILD": BUILD, "TMPDIR": temporary},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        start_new_session=True,
    )
    # The script, the server and its upstream, and the load.
    wait_until(lambda: len(descendants() - before) >= 4, what="everything runs")
    started = time.monotonic()
    process.send_signal(sign)
    expected = -9 if sign == signal.SIGKILL else 128 + sign
    equal(process.wait(10), expected, "exit code")
    check(time.monotonic() - started < 6, "it took long")
    wait_until(lambda: not descendants() - before, 5, "all processes end")
    if sign != signal.SIGKILL:
        equal(os.listdir(temporary), [], "files left")
