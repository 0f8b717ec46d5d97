"""leakcheck proves every leak and every fix in time, notices servers that are swapped
or the same, and reports in a table, JSON and one HTML file."""

import json
import os
import pty
import re
import subprocess
import time

import pytest

from answers import UNFINISHED
from checks import check, equal, wait_until
from commands import run
from scenarios import scenario_names
from servers import Server
from tree import BUILD, ROOT, scratch

pytestmark = [pytest.mark.alone, pytest.mark.slow]

JUDGE = os.path.join(BUILD, "leakcheck")
CLEAN = {
    key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM")
}
PICTURES = {
    "slice-prefix": "leak",
    "thread-wait": "stuck-threads",
    "thread-loop": "stuck-threads",
    "buffer-churn": "churn",
    "loop-defer": "temporary",
    "file-unclosed": "descriptors",
    "ticker-many": "timers",
}


@pytest.fixture(scope="module", autouse=True)
def started():
    """Both servers, and where the reports go."""
    global leaky, fixed, REPORT, FIGURES
    REPORT = os.path.join(scratch(), "report.html")
    FIGURES = os.path.join(scratch(), "figures.json")
    with Server("leaky") as leaky, Server("fixed") as fixed:
        yield


def judge(*arguments, expect=0, **options):
    done = run(JUDGE, *arguments, check_exit=False, **options)
    equal(
        done.returncode,
        expect,
        f"exit of leakcheck {arguments}: {done.stdout}{done.stderr}",
    )
    return done


def proved_all(limit):
    """Judges all pairs, and checks what the report in JSON says of each."""
    started = time.monotonic()
    files = ["--json", FIGURES, "--report", REPORT, "--source", ROOT]
    judge(*files, leaky.url, fixed.url)
    took = time.monotonic() - started
    check(took < limit, f"judging took {took:.1f} s")
    with open(FIGURES, encoding="utf-8") as file:
        figures = json.load(file)
    names = [described["name"] for described in leaky.scenarios()]
    equal([one["name"] for one in figures["scenarios"]], names, "scenarios judged")
    equal((figures["leaks_shown"], figures["false_alarms"]), (len(names), 0))
    for one in figures["scenarios"]:
        alone = one["name"] in UNFINISHED
        wanted = "leaky not finished" if alone else "equal"
        equal(one["answers"], wanted, f"{one['name']}: {one['answers_reason']}")
    pictures = {one["name"]: one["leaky"]["picture"] for one in figures["scenarios"]}
    for name, picture in PICTURES.items():
        equal(pictures[name], picture, f"picture of {name}")
    return figures


@pytest.fixture(name="figures", scope="module")
def judged():
    """What the report in JSON says when all pairs are judged, in under 30 s."""
    return proved_all(30)


def check_ratios(figures):
    for one in figures["scenarios"]:
        if one["declared"]["heap_bytes"] > 0:
            ratio = one["heap_measured_over_declared"]
            check(0.98 <= ratio <= 1.02, f"{one['name']}: {ratio}")


def check_blame(figures):
    for one in figures["scenarios"]:
        if one["suspect"] == "":
            continue
        blamed = one["leaky"]["heap"]
        equal(blamed["function"], one["suspect"], one["name"])
        equal(blamed["file"], f"leaky/{one['name'].replace('-', '_')}.c", one["name"])
        with open(os.path.join(ROOT, blamed["file"]), encoding="utf-8") as source:
            line = source.read().splitlines()[blamed["line"] - 1]
        check("(" in line, f"{one['name']}: {blamed} calls nothing: {line}")


def check_waits(figures):
    for one in figures["scenarios"]:
        if one["resource"] != "threads":
            continue
        waits = one["leaky"]["waits"]
        equal(waits["file"], f"leaky/{one['name'].replace('-', '_')}.c", one["name"])
        equal(one["leaky"]["picture"], "stuck-threads", one["name"])


def test_all_are_proved(figures):
    """All pairs are proved in under 30 s."""
    equal(len(figures["scenarios"]), len(scenario_names()))


def test_ratio_is_right(figures):
    """Measured heap over declared heap is 0.98 to 1.02."""
    check_ratios(figures)


def test_blame_is_right(figures):
    """The function that is blamed is the suspect, and its line is a line that
    allocates."""
    check_blame(figures)


def test_waiting_place_is_named(figures):
    """Of stuck threads it says in which function of the scenario they wait."""
    check_waits(figures)


@pytest.mark.usefixtures("figures")
def test_report_is_whole():
    """The report needs no network, and shows charts, the guilty line and the diff."""
    with open(REPORT, encoding="utf-8") as file:
        page = file.read()
    count = len(scenario_names())
    shown = f"{count} of {count}</strong> answers right"
    for wanted in (shown, "payload_read", 'class="guilty"', 'class="old"', "<svg"):
        check(wanted in page, f"the report lacks {wanted}")
    equal(len(re.findall(r"<svg ", page)), count, "charts")
    found = re.findall(r'(?:src|href)="([^"#][^"]*)"', page)
    equal(found, ["data:,"], "what the page loads")
    check("url(" not in page and "@import" not in page, "the style loads something")


@pytest.mark.one_of("on a busy machine", "proof")
@pytest.mark.usefixtures("figures")
def test_proved_again():
    """They are proved again on servers that leaked before, while a core is busy."""
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as busy:
        try:
            figures = proved_all(60)
        finally:
            busy.kill()
    check_ratios(figures)
    check_blame(figures)
    check_waits(figures)


def test_report_without_source():
    """Without the sources, the report says so and leaves them out."""
    judge(
        *("--scenario", "slice-prefix", "--report", REPORT, "--source", scratch()),
        *(leaky.url, fixed.url),
    )
    with open(REPORT, encoding="utf-8") as file:
        check("source is not shown" in file.read(), "no note in the report")


def test_swapped():
    """Servers that are swapped, or the same twice: said at once, exit 2."""
    done = judge(fixed.url, leaky.url, expect=2)
    check("the first is the fixed server: swap them" in done.stderr, done.stderr)
    for server in (leaky, fixed):
        done = judge(server.url, server.url, expect=2)
        check(f"both are the {server.name} server" in done.stderr, done.stderr)


def calls_of(server):
    """How many scenarios the server has run."""
    return sum(one["calls"] for one in server.status()["scenarios"].values())


def on_terminal(environment):
    """What leakcheck prints on a terminal."""
    mine, its = pty.openpty()
    command = [JUDGE, "--scenario", "channel-never-closed", leaky.url, fixed.url]
    with subprocess.Popen(command, stdout=its, env=CLEAN | environment) as process:
        os.close(its)
        text = b""
        while True:
            try:
                part = os.read(mine, 4096)
            except OSError:
                break
            text += part
        equal(process.wait(), 0, "exit")
    os.close(mine)
    return text.decode()


def test_table_fits():
    """A terminal gets a table of 80 columns in colour, none with NO_COLOR or a pipe."""
    colour = on_terminal({"TERM": "xterm"})
    check("\033[" in colour, "no colour on a terminal")
    plain = on_terminal({"TERM": "xterm", "NO_COLOR": "1"})
    check("\033[" not in plain, "colour in spite of NO_COLOR")
    for line in plain.splitlines():
        check(len(line) <= 80, f"{len(line)} columns: {line}")
    piped = judge("--scenario", "slice-prefix", leaky.url, fixed.url).stdout
    check("\033[" not in piped, "colour in a pipe")
    check("\n1 of 1 answers right\n" in piped, piped)
    row = [line for line in piped.splitlines() if line.startswith("slice-prefix")]
    equal(len(row), 1, "rows of slice-prefix")
    for wanted in ("heap", "proved", "allocated in payload_read leaky/slice_prefix.c"):
        check(wanted in row[0], f"{wanted} is not in {row[0]}")


def test_usage():
    """Wrong usage: one line that says what is wrong, exit 2."""
    both = [leaky.url, fixed.url]
    one = ["--url", leaky.url, "--drive", "/x"]
    started = calls_of(leaky)
    for said, arguments in (
        ("needs LEAKY_URL and FIXED_URL", []),
        ("needs LEAKY_URL and FIXED_URL", [leaky.url]),
        ("--rounds takes a number from 2 to 100, not '1'", ["--rounds", "1", *both]),
        ("--calls takes a number from 1", ["--calls", "many", *both]),
        ("unknown option --colour", ["--colour", *both]),
        ("unknown option -a", ["-abc", *both]),
        ("no scenario named 'slices'", ["--scenario", "slices", *both]),
        ("--url needs --drive", ["--url", leaky.url]),
        ("--drive needs --url", ["--drive", "/x"]),
        ("'surplus'", [*one, "surplus"]),
        ("starts with '/'", ["--url", leaky.url, "--drive", "no-slash"]),
        ("%20 for a blank", ["--url", leaky.url, "--drive", "/x?id=a b"]),
        ("--max-growth takes whole bytes", [*one, "--max-growth", "1T"]),
        ("--max-fds takes a number from 0", [*one, "--max-fds", "-1"]),
        ("--pid takes a number from 1", [*one, "--pid", "0"]),
        ("the value of --own is empty", [*one, "--own", ""]),
        ("the value of --json is empty", [*one, "--json", ""]),
        ("--report and --source are for", [*one, "--report", "x.html"]),
        ("add http://", ["--url", leaky.url[len("http://") :], "--drive", "/x"]),
        ("goes with --url", ["--max-threads", "0", *both]),
        ("--timeout needs a value", ["--timeout"]),
        ("is not a server's URL", ["--url", "ftp://127.0.0.1/", "--drive", "/x"]),
        ("the same file", ["--json", "x", "--report", "x", *both]),
        ("cannot write /nowhere/x.html", ["--report", "/nowhere/x.html", *both]),
        ("cannot write /: Is a dir", ["--json", "/", *one]),
    ):
        done = judge(*arguments, expect=2)
        check(done.stderr.startswith("leakcheck: "), done.stderr)
        check(said in done.stderr, f"{said!r} is not in {done.stderr!r}")
        equal(done.stdout, "", f"a verdict in spite of {arguments}")
    equal(calls_of(leaky), started, "calls, though the usage was wrong")
    check("--max-growth" in judge("--help").stdout, "--help says too little")


def test_three_verdicts():
    """A leaky server with its usual limits bears three verdicts, as README says: that
    on timers, of which one call takes a hundred, is the first to reach its limit."""
    timers = ("--scenario", "ticker-many", "--scenario", "ticker-unstopped")
    with Server("leaky") as worn:
        for _ in range(3):
            judge(*timers, worn.url, fixed.url)
        judge(*timers, worn.url, fixed.url, expect=2)


def test_guard_rail():
    """A guard rail in the way is no verdict: one line, exit 2."""
    with Server("leaky", "--max-threads", "64") as narrow:
        done = judge(
            "--scenario", "channel-one-receiver", narrow.url, fixed.url, expect=2
        )
    check("thread_limit" in done.stderr, done.stderr)
    equal(done.stdout, "", "a verdict")
    target = ["--url", leaky.url, "--drive", "/leak/slice-prefix?id=x&bytes=250M"]
    done = judge(*target, expect=2)
    check("heap_limit" in done.stderr, done.stderr)


def test_killed():
    """A server that is killed in the middle of the run: no verdict, one line, exit
    2."""
    victim = Server("fixed")
    command = [JUDGE, leaky.url, victim.url]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        wait_until(lambda: calls_of(victim) > 40, what="the judge at work")
        victim.process.kill()
        out, errors = process.communicate(timeout=60)
    equal((process.returncode, out), (2, ""), f"exit and output: {errors}")
    equal(len(errors.splitlines()), 1, errors)
    check(victim.url in errors, errors)
