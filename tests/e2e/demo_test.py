"""demo.sh: runs from anywhere, on any ports, piped or on a terminal, judges rightly,
and always stops what it started."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from checks import check, equal, wait_until
from commands import run
from http_request import request
from scenarios import scenario_names
from terminals import Terminal, nothing_left
from tree import ROOT, copy_of_tree, copy_with_build, scratch

# Two demos at a time would take each other's ports.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]

# These ports are taken, so the demo must find others.
PORTS = (8080, 8081, 6060, 6061)


def demo(copy, *options, **environment):
    """A whole run, piped, from another directory."""
    return run(
        *(os.path.join(copy, "demo.sh"), *options),
        cwd="/",
        env={k: v for k, v in os.environ.items() if k != "BUILD"} | environment,
        check_exit=False,
        limit=200,
    )


def test_help_and_wrong_usage():
    """--help and wrong usage."""
    done = run(os.path.join(ROOT, "demo.sh"), "--help")
    check("--keep" in done.stdout, done.stdout)
    for options in (["--bad"], ["leaky"], ["--keep", "--fast"]):
        done = run(os.path.join(ROOT, "demo.sh"), *options, check_exit=False)
        equal(done.returncode, 2, f"exit of {options}")
        check(options[-1] in done.stderr, done.stderr)


def check_page(end):
    """The last lines name a page, and it and its peer know each other."""
    named = re.search(r"in a browser:\n  http://localhost:(\d+)/\n", end)
    check(named, end)
    page = request(int(named[1]), "GET", "/").expect(200).text
    check("<title>Leak lab</title>" in page, page)
    leaky = request(int(named[1]), "GET", "/page/lab/setup").expect(200).json()
    equal(leaky["server"], "leaky", "whose page it is")
    peer = leaky["peer"].rpartition(":")[2]
    fixed = request(int(peer), "GET", "/page/lab/setup").expect(200).json()
    equal(fixed["server"], "fixed", "its peer")
    equal(fixed["peer"].rpartition(":")[2], named[1], "the port of the peer's peer")


def check_restart(text):
    """To judge, the servers start again, and say so: on the ports that they had, with
    the profiler that knows who holds a block."""
    check("start again, with --profile recorder" in text, text)
    for name in ("leaky", "fixed"):
        lines = re.findall(
            rf"^  {name} +http:\S+:(\d+) +debug (\S+) +pid (\d+)$", text, re.M
        )
        equal(len(lines), 2, f"starts of {name}")
        equal(lines[0][:2], lines[1][:2], f"addresses of {name}")
        check(lines[0][2] != lines[1][2], f"{name} did not start again: {lines}")
        page = request(int(lines[1][0]), "GET", "/debug/pprof/retained?debug=1")
        check("# in use" in page.expect(200).text, page.text)


@pytest.mark.alone  # it judges, and a peak on a busy machine can come too late to be seen
def test_whole_run_piped_with_its_ports_taken_and_keep():
    """A whole run, piped, with its ports taken and --keep: all proved, exit 0."""
    copy = copy_with_build()
    taken = []
    for port in PORTS:
        try:
            taken.append(socket.create_server(("127.0.0.1", port)))
        except OSError:
            pass  # taken by another process, which is as good
    try:
        started = time.monotonic()
        done = demo(copy, "--keep")
        # Twenty seconds by itself; other tests run beside it.
        check(time.monotonic() - started < 180, "it took more than three minutes")
    finally:
        for each in taken:
            each.close()
    text = done.stdout
    equal(done.returncode, 0, f"exit; {text}{done.stderr}")
    check("\x1b" not in text and "\r" not in text, "control characters in piped output")
    # leakcheck prints one line a scenario where there is no terminal.
    rows = re.findall(r"^SCENARIO .*\n(?:[a-z-]+ .*\n)+", text, re.MULTILINE)
    equal(len(rows), 1, "tables")
    others = text.replace(rows[0], "")
    wide = [line for line in others.splitlines() if len(line) > 80]
    equal(wide, [], "lines of more than 80 columns")
    trailing = [line for line in text.splitlines() if line != line.rstrip()]
    equal(trailing, [], "lines that end in spaces")
    check("free ones instead" in text, "it does not say that its ports were taken")
    for name in scenario_names():
        row = re.search(rf"^{name} .* proved; ", rows[0], re.MULTILINE)
        check(row, f"no row with proved for {name}: {text}")
    held = r"^slice-prefix .* held by signatures \(leaky/slice_prefix\.c:\d+\)"
    check(re.search(held, rows[0], re.M), f"not who holds the payloads: {rows[0]}")
    lost = r"^http-body .* lost: nothing points to it"
    check(re.search(lost, rows[0], re.M), f"not that the texts are lost: {rows[0]}")
    check(f"{len(scenario_names())} scenarios: one call" in text, "how many there are")
    check(re.search(r"^ +50\.0 +.* payload_read$", text, re.MULTILINE), text)
    check("nothing grew" in text, "the fixed server's profile")
    check("Every leak was shown, and every fix held.\n" in text, text)
    count = len(scenario_names())
    right = rf"^{count} of {count} answers right( \(.*\))?: no fix does less\.$"
    check(re.search(right, text, re.MULTILINE), "no word of the answers")
    check(re.search(r"^  build +\d+\.\d s$", text, re.MULTILINE), "where the time went")
    for name in ("report.html", "verdict.txt", "leaky.pprof.txt", "leakcheck.json"):
        check(os.path.getsize(os.path.join(copy, "out", name)) > 0, f"out/{name}")
    end = text[text.index("Where the time went") :]
    check("Every leak was shown" in end and "out/report.html" in end, end)
    check_page(end)
    check_restart(text)
    tried = re.search(r"Now try this\n(.*?)\n\n", text, re.DOTALL)[1]
    commands = re.findall(r"^  ((?:\\\n|.)+)$", tried, re.MULTILINE)
    check(len(commands) >= 6 and commands[-1] != "", tried)
    commands.sort(
        key=lambda command: command.startswith("kill")
    )  # That one comes last.
    for command in commands:
        done = run("bash", "-euc", command, cwd=copy)
        lines = done.stdout.splitlines()
        check(len(lines) < 60, f"{command} prints {len(lines)} lines")
        check("Warning" not in done.stderr, f"{command}: {done.stderr}")
    nothing_left(copy)


def path_without(name):
    """A PATH on which everything is found but the program of that name."""
    folder = scratch()
    for directory in os.environ["PATH"].split(":"):
        for each in os.listdir(directory) if os.path.isdir(directory) else []:
            link = os.path.join(folder, each)
            if each != name and not os.path.lexists(link):
                os.symlink(os.path.join(directory, each), link)
    return folder


@pytest.mark.one_of("demo that ends early", "swapped")
def test_pair_that_is_swapped_no_google_pprof_its_row_says():
    """A pair that is swapped, no google-pprof: its row says NO, exit 1, nothing is
    left."""
    copy = copy_with_build()
    halves = [
        os.path.join(copy, half, "string_prefix.c") for half in ("leaky", "fixed")
    ]
    texts = []
    for half in halves:
        with open(half, encoding="utf-8") as file:
            texts.append(file.read())
    for half, text in zip(halves, reversed(texts)):
        with open(half, "w", encoding="utf-8") as file:
            file.write(text)
    done = demo(copy, PATH=path_without("google-pprof"))
    equal(done.returncode, 1, f"exit; {done.stdout}{done.stderr}")
    equal(done.stderr, "", "what it says on stderr")
    check("No google-pprof here" in done.stdout, done.stdout)
    rows = (r"^ *5120\d\.\d+kB .* payload_read$", r"^ *5[\d.]*[kM]B .* article_load$")
    for row in rows:
        check(re.search(row, done.stdout, re.MULTILINE), f"{row}: {done.stdout}")
    check("  go tool pprof -list=payload_read" in done.stdout, done.stdout)
    wrong = re.findall(r"^NO (\S+): LEAK NOT SHOWN.*THE FIX", done.stdout, re.MULTILINE)
    equal(wrong, ["string-prefix"], "lines with NO")
    place = r"on fixed, allocated in article_load fixed/string_prefix\.c:\d+ "
    check(re.search(place, done.stdout), f"no line of the fixed half: {done.stdout}")
    with open(os.path.join(copy, "out", "report.html"), encoding="utf-8") as file:
        page = file.read()
    place = (
        r"On the fixed server: allocated in <code>article_load</code>, fixed/string_"
    )
    equal(len(re.findall(place, page)), 1, "the fixed half's line in the report")
    check("Every leak was shown" not in done.stdout, done.stdout)
    check("Stopped" not in done.stdout + done.stderr, "stopped, it says")
    end = done.stdout[done.stdout.index("Not every leak was shown") :]
    check("  string-prefix: LEAK NOT SHOWN" in end and "report.html" in end, end)
    look = ("grep '^string-prefix ' out/verdict.txt", "make lesson S=string-prefix")
    for command in look:
        check(f"\n  {command}\n" in end, f"no {command} in {end}")
        check(run("bash", "-euc", command, cwd=copy).stdout != "", command)
    wide = [line for line in end.splitlines() if len(line) > 80]
    equal(wide, [], "lines of more than 80 columns")
    nothing_left(copy)


def stand_in(copy, text):
    """A shell script in the place of leakcheck, which is $JUDGE in it."""
    judge = os.path.join(copy, "build", "leakcheck")
    real = os.path.join(scratch(), "leakcheck")
    os.rename(judge, real)
    with open(judge, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\nJUDGE={real}\n{text}\n")
    os.chmod(judge, 0o755)


CRASHES = "case $1 in --list) ;; *) kill -SEGV $$ ;; esac"
LISTS_HALF = 'case $1 in --list) "$JUDGE" "$@" | head -n 3; exit 9 ;; esac'


@pytest.mark.one_of("demo that ends early", "part")
@pytest.mark.parametrize(
    "judge, environment, words",
    [
        (f'{LISTS_HALF}; exec "$JUDGE" "$@"', {}, "does not name its scenarios"),
        (f'"$JUDGE" "$@"; {CRASHES}', {}, "there is no verdict"),
        ('exec "$JUDGE" "$@"', {"PPROF": "true"}, "true prints nothing"),
    ],
    ids=["half of a list", "a judge that crashes", "a reader that prints nothing"],
)
def test_part_that_is_missing_ends_it(judge, environment, words):
    """What was not driven, read or judged is no success: exit 1, and nothing left."""
    copy = copy_with_build()
    stand_in(copy, judge)
    done = demo(copy, **environment)
    equal(done.returncode, 1, f"exit; {done.stdout}{done.stderr}")
    check(words in done.stderr, done.stderr)
    check("Every leak was shown" not in done.stdout, done.stdout)
    nothing_left(copy)


@pytest.mark.one_of("demo that ends early", "server")
def test_server_that_says_nothing_ends_it():
    """A curl that fails ends the demo with exit 1, whatever its own status."""
    copy = copy_with_build()
    folder = scratch()
    calls = os.path.join(folder, "calls")
    with open(os.path.join(folder, "curl"), "w", encoding="ascii") as file:
        file.write(
            f"""#!/bin/sh
echo >>{calls}
test "$(wc -l <{calls})" -lt $CALLS || exit 22
exec {shutil.which("curl")} "$@"
"""
        )
    os.chmod(os.path.join(folder, "curl"), 0o755)
    for count in (3, 5, 7, 9):  # of the calls before the one that fails
        if os.path.exists(calls):
            os.unlink(calls)
        done = demo(copy, CALLS=str(count), PATH=f"{folder}:{os.environ['PATH']}")
        equal(done.returncode, 1, f"exit; {done.stdout}{done.stderr}")
        said = re.search(r"^demo\.sh: (leaky|fixed|a server) ", done.stderr, re.M)
        check(said, done.stderr)
    nothing_left(copy)


def test_ctrl_c_in_middle_ends_it_at_once_and_leaves_nothing():
    """Ctrl-C in the middle ends it at once and leaves nothing; colours on a
    terminal."""
    copy = copy_with_build()
    terminal = Terminal(copy, "demo.sh")
    terminal.wait_for("scenarios: one call")
    terminal.type(b"\x03")
    equal(terminal.end(), 130, "exit status")
    check(b"\x1b[1m" in terminal.output, "no colours on a terminal")
    nothing_left(copy)


RESULTS = ("report.html", "verdict.txt", "leakcheck.json", "leaky.pprof.txt")


@pytest.mark.one_of("demo that ends early", "Ctrl-C")
def test_ctrl_c_while_judging_is_said_and_leaves_no_older_results():
    """Ctrl-C while it judges: its last line is on the terminal, and no result of an
    earlier run is left beside those of this one."""
    copy = copy_with_build()
    os.makedirs(os.path.join(copy, "out", "profiles"))
    for name in (*RESULTS, "profiles/leaky.0007.heap", "mine"):
        with open(os.path.join(copy, "out", name), "w", encoding="utf-8") as file:
            file.write("of an earlier run\n")
    terminal = Terminal(copy, "demo.sh")
    terminal.wait_for("judged: leaky")
    terminal.type(b"\x03")
    equal(terminal.end(), 130, "exit status")
    last = re.sub(rb"\x1b\[\d*m", b"", terminal.output).split(b"\r\n")[-2]
    equal(last, b"Stopped while judging.", "its last line")
    out = os.path.join(copy, "out")
    texts = []
    for folder, _, names in os.walk(out):
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                texts += [name] if file.read() == "of an earlier run\n" else []
    equal(texts, ["mine"], "what is left of an earlier run")
    left = [name for name in RESULTS[:3] if os.path.exists(os.path.join(out, name))]
    equal(left, [], "results of a run that was interrupted")
    nothing_left(copy)


@pytest.mark.one_of("demo that ends early", "closed terminal")
def test_no_color_is_obeyed_on_terminal():
    """NO_COLOR is obeyed on a terminal; closing the terminal leaves nothing."""
    copy = copy_with_build()
    terminal = Terminal(copy, "demo.sh", NO_COLOR="1")
    terminal.wait_for("5. Judge")
    check(b"\x1b" not in terminal.output, "colours in spite of NO_COLOR")
    os.close(terminal.fd)
    os.waitpid(terminal.pid, 0)
    nothing_left(copy)


@pytest.mark.one_of("demo that ends early", "SIGTERM")
def test_sigterm_while_it_builds_or_judges_ends_it_and_leaves():
    """SIGTERM while it builds or judges ends it and leaves nothing."""
    for words, step, copy in (
        ("1. Build", "building", copy_of_tree()),
        ("5. Judge", "judging", copy_with_build()),
    ):
        log = os.path.join(scratch(), "log")
        with open(log, "w+", encoding="utf-8") as output:
            process = subprocess.Popen(
                [os.path.join(copy, "demo.sh")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={k: v for k, v in os.environ.items() if k != "BUILD"},
            )
            with open(log, encoding="utf-8") as seen:
                wait_until(lambda: words in seen.read() or seen.seek(0), 90, words)
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            equal(process.wait(10), 143, f"exit status, ended after {words!r}")
            with open(log, encoding="utf-8") as seen:
                last = seen.read().rstrip().splitlines()[-1]
            equal(last, f"Stopped while {step}.", "its last word")
        nothing_left(copy)


def test_build_that_fails_is_said_with_compiler_words_exit_1():
    """A build that fails is said, with the compiler's words, exit 1."""
    copy = copy_of_tree()
    with open(os.path.join(copy, "common", "main.c"), "a", encoding="utf-8") as file:
        file.write("no C at all\n")
    done = demo(copy)
    equal(done.returncode, 1, "exit")
    check("the build failed" in done.stderr and "main.c" in done.stderr, done.stderr)
