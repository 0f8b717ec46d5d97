"""leakcheck --run starts a program, judges it, and stops it: nothing of it is left,
however it ends. Here leakprobe is a stand-in that gives the lab's own debug port to the
servers of the lab; it is beside a copy of leakcheck, which is where that looks first."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from checks import check, equal, wait_until
from commands import run
from pages import free_port
from processes import descendants, ended
from servers import Server
from terminals import Terminal
from tree import BUILD, scratch

pytestmark = [pytest.mark.slow, pytest.mark.one_of("judge of other servers", "run")]

# As leakprobe: --port N -- COMMAND. HOW changes what it does.
LAUNCHER = """#!/bin/bash
test "$1 $3" = "--port --" || exit 9
port=$2
shift 3
case $HOW in
moved) port=$((port + 1)) ;;
deaf) exec "$@" --debug-port off ;;
child)
    "$@" --debug-port "$port" &
    echo "leakprobe: a, pid 1: b, pid $!: http://127.0.0.1:$port/" >&2
    wait $!
    exit ;;
esac
echo $$ >"$STARTED"
echo "leakprobe: ${1##*/}, pid $$: http://127.0.0.1:$port/" >&2
exec "$@" --debug-port "$port"
"""


class Place:
    """A directory with leakcheck, the stand-in, and a free port for the program."""

    def __init__(self, launcher=LAUNCHER):
        self.directory = scratch()
        self.judge = os.path.join(self.directory, "leakcheck")
        self.json = os.path.join(self.directory, "gate.json")
        self.started = os.path.join(self.directory, "started")
        self.environment = os.environ | {"STARTED": self.started, "HOW": ""}
        shutil.copy(os.path.join(BUILD, "leakcheck"), self.judge)
        if launcher:
            self.script("leakprobe", launcher)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/leak/slice-prefix?id=a&bytes=64K"

    def script(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)
        return path

    def program(self, half):
        """The command that starts a half of the lab there."""
        profiles = os.path.join(self.directory, "profiles")
        program = os.path.join(BUILD, half)
        return f"'{program}' --port {self.port} --profile-dir '{profiles}'"

    def words(self, command, *more):
        drive = () if "--drive-command" in more else ("--drive", self.url)
        rounds = ("--rounds", "2", "--calls", "4", "--json", self.json)
        return (self.judge, "--run", command, *drive, *rounds, *more)

    def check(self, command, *more, expect, how="", limit=60):
        """Judges the program; returns the output and the JSON, which is None after
        exit 2. Nothing that was started is left."""
        if os.path.exists(self.json):
            os.remove(self.json)
        before = descendants()
        environment = self.environment | {"HOW": how}
        words = self.words(command, *more)
        done = run(*words, check_exit=False, env=environment, limit=limit)
        equal(descendants() - before, set(), "processes that are left")
        equal(done.returncode, expect, f"exit: {done.stdout}{done.stderr}")
        if expect == 2:
            equal(done.stdout, "", "a verdict in spite of exit 2")
            check(not os.path.exists(self.json), "a report in spite of exit 2")
            return done.stderr, None
        with open(self.json, encoding="utf-8") as file:
            return done.stdout, json.load(file)

    def pid(self):
        """The process that the stand-in has become."""

        def read():
            if os.path.exists(self.started):
                with open(self.started, encoding="ascii") as file:
                    return file.read().strip()
            return None

        return int(wait_until(read, what="the program has been started"))


# -- the verdict -----------------------------------------------------------------------


@pytest.mark.parametrize("half", ("leaky", "fixed"))
def test_verdict(half):
    """The right verdict, with how the program ended and what it has printed."""
    place = Place()
    command = place.program(half)
    text, figures = place.check(command, expect=int(half == "leaky"))
    equal(figures["verdict"], "leaks" if half == "leaky" else "holds")
    ran = figures["run"]
    equal((ran["command"], ran["pid"]), (command, place.pid()))
    equal((ran["exit_status"], ran["signal"]), (0, None))
    check(f"{half}: listening on" in ran["last_lines"][-1], ran)
    check(
        f"program      {command}, pid {place.pid()}: stopped, exit status 0\n" in text,
        text,
    )
    check("it printed   leakprobe: " in text, text)
    for resource in ("heap", "threads", "fds", "timers", "rss"):
        check(figures["resources"][resource]["measured"], f"{resource}: {text}")
    if half == "leaky":
        equal(figures["resources"]["heap"]["blamed"]["function"], "payload_read")


def test_port_that_is_announced():
    """The debug port is where leakprobe says, for the process that it says: a port that
    was taken meanwhile, or a child of the first process that serves what is driven."""
    for how in ("moved", "child"):
        place = Place()
        text, figures = place.check(place.program("fixed"), how=how, expect=0)
        check("holds" in text, text)
        announced = figures["run"]["last_lines"][0]
        check(f"pid {figures['run']['pid']}: {figures['url']}/" in announced, announced)


def test_driven_by_a_command():
    """A command drives the program: then the program itself is judged."""
    place = Place()
    ask = f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{place.port}'"
    _, figures = place.check(
        place.program("fixed"), "--drive-command", ask, "--max-rss", "1M", expect=0
    )
    equal(figures["run"]["pid"], place.pid())
    # It may fail until the program is ready.
    tries = os.path.join(place.directory, "tries")
    place.check(
        *(place.program("fixed"), "--drive-command"),
        f"echo >>{tries}; test $(wc -l <{tries}) -gt 3 && {ask}",
        *("--max-rss", "1M"),
        expect=0,
    )
    # Its end is no success of the calls.
    said, _ = place.check(
        place.program("fixed"), "--drive-command", "echo why; exit 4", expect=2
    )
    check("exit status 4; its last lines: why" in said, said)
    check("it printed   leakprobe: " in said, said)


# -- programs that do not play their part ----------------------------------------------


def test_ends_early():
    """A program that ends at once: how, and what it has printed last."""
    place = Place()
    dies = place.script("dies", "#!/bin/sh\nseq 30 >&2\nkill -ABRT $$\n")
    for command, words in (
        (place.program("fixed") + " --colour", ["exit status 2 before", "--colour"]),
        (dies, ["signal SIGABRT before", "\n             29\n             30\n"]),
        ("/nowhere/x", ["exit status 127 before", "/nowhere/x"]),
        ("'", ["exit status 2 before"]),
    ):
        began = time.monotonic()
        said, _ = place.check(command, expect=2)
        for word in words:
            check(word in said, f"{word!r} is not in {said!r}")
        check(time.monotonic() - began < 15, "too late")


def test_ends_while_it_is_judged():
    """A program that dies in the middle: that is the reason, not the broken
    connection."""
    place = Place()
    calls = os.path.join(place.directory, "calls")
    kill = f"echo >>{calls}; test $(wc -l <{calls}) -lt 7 || kill -SEGV $(cat {place.started})"
    said, _ = place.check(place.program("fixed"), "--drive-command", kill, expect=2)
    check("ended with signal SIGSEGV while it was judged; no verdict" in said, said)
    check("it printed   leakprobe: " in said, said)


def test_not_ready_in_time():
    """No debug port, or another server on the port that is driven: no verdict, and the
    reason."""
    place = Place()
    said, _ = place.check(
        place.program("fixed"), "--timeout", "6", how="deaf", expect=2
    )
    check("not ready after 6 s: no answer from the debug port" in said, said)
    with Server("leaky") as other:
        place.url = place.url.replace(str(place.port), str(other.port))
        said, _ = place.check(place.program("fixed"), "--timeout", "6", expect=2)
    check(f"does not serve http://127.0.0.1:{other.port}/leak" in said, said)


def test_floods_and_leaves_things_behind():
    """A program that prints without end, and whose children ignore SIGTERM, in its
    group and in a session of their own: it is judged, and nothing is left."""
    place = Place()
    stays = "trap '' TERM; sleep 100"
    command = place.script(
        "floods",
        "#!/bin/bash\nyes &\n"
        f'bash -c "{stays}" &\nsetsid bash -c "{stays}" &\n'
        f'exec {place.program("fixed")} "$@"\n',
    )
    _, figures = place.check(command, expect=0)
    equal(figures["run"]["last_lines"], 10 * ["y"])


def test_no_leakprobe():
    """leakprobe is beside leakcheck, or else in PATH; nowhere else."""
    place = Place(launcher=None)
    place.environment["PATH"] = "/nowhere::/usr/bin:/bin"
    said, _ = place.check(place.program("fixed"), expect=2)
    check(
        "--run needs leakprobe, which is neither beside leakcheck nor in" in said, said
    )
    place.environment["PATH"] = f"{Place().directory}:/usr/bin:/bin"
    place.check(place.program("fixed"), expect=0)


# -- interrupted -----------------------------------------------------------------------


def interrupted(place, number):
    """Starts a long run, and ends it by a signal when the program is up; returns the
    status."""
    stays = place.script(
        "stays",
        f'#!/bin/bash\nsetsid sleep 100 &\nexec {place.program("fixed")} "$@"\n',
    )
    before = descendants()
    process = subprocess.Popen(
        place.words(stays, "--rounds", "100", "--calls", "1000"),
        env=place.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pid = place.pid()
    wait_until(
        lambda: len(descendants() - before) >= 3, what="the program and its child"
    )
    process.send_signal(number)
    status = process.wait(timeout=30)
    return status, pid, before


@pytest.mark.parametrize("name", ("SIGINT", "SIGTERM", "SIGHUP"))
def test_interrupted(name):
    """Ctrl-C and the like end leakcheck as usual, and before it all that it started."""
    number = getattr(signal, name)
    status, pid, before = interrupted(Place(), number)
    equal(status, -number)
    check(ended(pid), "the program has ended")
    equal(descendants() - before, set(), "processes that are left")


def test_interrupted_on_a_terminal():
    """Ctrl-C also clears the line that shows how far the judge is."""
    place = Place()
    words = place.words(place.program("fixed"), "--rounds", "100", "--calls", "1000")
    seen = Terminal(
        place.directory, "leakcheck", *words[1:], STARTED=place.started, HOW=""
    )
    seen.wait_for("warming up; ")
    pid = place.pid()
    seen.type(b"\x03")
    equal(seen.end(), -signal.SIGINT)
    check(ended(pid), "the program has ended")
    equal(seen.output[-64:], b"\r" + 62 * b" " + b"\r", "the cleared line")


def test_killed():
    """If leakcheck is killed, the program ends, too."""
    status, pid, _ = interrupted(Place(), signal.SIGKILL)
    equal(status, -signal.SIGKILL)
    wait_until(lambda: ended(pid), what="the program has ended")


def test_other_children_are_left_alone():
    """A child that leakcheck has had from a shell before is not its to end."""
    place = Place()
    words = " ".join(f"'{word}'" for word in place.words("/bin/false"))
    script = place.script(
        "shell",
        f"#!/bin/bash\nsleep 100 >/dev/null 2>&1 &\necho $!\nexec {words} >&2\n",
    )
    done = run(script, env=place.environment, check_exit=False)
    equal(done.returncode, 2, done.stderr)
    check("exit status 1" in done.stderr, done.stderr)
    pid = int(done.stdout)
    check(not ended(pid), "the other child has ended")
    os.kill(pid, signal.SIGKILL)
