"""The commands on cases: the list, start, hint, check, watch, solution, reset, stop."""

import difflib
import os
import shutil
import time

from learn import build, progress, session, source, terminal
from learn.case import STARS, cases, find
from learn.failure import UsageError
from learn.grade import Grading
from learn.place import BUILT, MINE, absolute, read, write
from learn.terminal import bold, faint, green, red, say, wrapped, yellow
from learn.verdict import NO_BUILD, SOLVED

PROGRAM = "build/mine"  # the server with the learner's half, as last built
POLL_SECONDS = 0.2  # how often `watch` looks at the file


def work(case):
    """Where a case is built."""
    return f"{BUILT}/{case.name}"


def written(case):
    """Whether the learner has a file for a case."""
    return os.path.exists(absolute(case.mine))


# -- the list --------------------------------------------------------------------------

COLUMN = 39  # two of them fit a terminal
TITLE = 32


def row(case, known):
    """One case in the list: its mark, number, title, and how many hints it took."""
    told = known["cases"].get(case.name, {})
    mark = (
        "x" if told.get("solved") else ">" if known.get("current") == case.name else " "
    )
    hints = f"{told['hints']}h" if told.get("hints") else ""
    text = f"{mark}{case.number:02} {case.title:{TITLE}.{TITLE}} {hints:>2}"
    paint = green if mark == "x" else bold if mark == ">" else str
    return text, paint(text)


def group(stars, known):
    """The rows of all cases with that many stars, under their heading."""
    heading = f"{'*' * stars} {STARS[stars]}"
    return [(heading, bold(heading))] + [
        row(case, known) for case in cases() if case.stars == stars
    ]


def show_list():
    """All cases, two groups beside each other, so that they fit one screen."""
    known = progress.load()
    solved = [name for name, told in known["cases"].items() if told.get("solved")]
    for left, right in ((1, 2), (3, 4)):
        left, right = group(left, known), group(right, known)
        for i in range(max(len(left), len(right))):
            text, painted = left[i] if i < len(left) else ("", "")
            other = right[i][1] if i < len(right) else ""
            say((painted + " " * (COLUMN + 1 - len(text)) + other).rstrip())
    say(terminal.bar(len(solved), len(cases())) + " solved")
    mystery = known.get("mystery", {})
    server = session.running(mystery)
    if server is not None:
        say(f"Mystery {mystery['seed']} runs at {server.url} and {server.debug}.")
        say("Next: ./learn.sh accuse FUNCTION, or FILE:LINE")
    else:
        say(next_step(known))
    return 0


def next_step(known):
    """What to type next."""
    if "current" in known and not known["cases"][known["current"]].get("solved"):
        case = find(known["current"])
        return f"Next: fix {case.mine}, then ./learn.sh check (hint, watch)"
    case = session.following(known)
    if case is None:
        return "All are solved. Next: ./learn.sh mystery"
    return f"Next: ./learn.sh start  ({case.name}, {case.title})"


# -- start, stop, reset ----------------------------------------------------------------


def lay(case):
    """Writes the case's source for the learner."""
    write(case.mine, session.untouched(case))


def restart(case, ports=(0, 0)):
    """Builds the learner's half into a server and lets it run. Returns None, or what the
    compiler said."""
    with build.alone("check"):
        grading = Grading(case, case.mine, work(case))
        output = grading.build_plain()
        if output is None:
            build.put(grading.program, PROGRAM)
    if output is None:
        with progress.change() as known:
            session.end_all(known)
            known["server"] = session.serve(PROGRAM, ports) | {"case": case.name}
    return output


def start(name=None):
    """Lays out a case, starts its server, and tells the symptom."""
    known = progress.load()
    case = find(name) if name else session.following(known)
    if case is None:
        say("All cases are solved. ./learn.sh reset CASE begins one again.")
        return 0
    say(faint("Building..."))
    build.prepare()
    new = not written(case)
    if new:
        lay(case)
    with progress.change() as known:
        progress.of(known, case).setdefault("started", time.time())
        known["current"] = case.name
    output = restart(case)
    tell(case, new)
    if output is not None:
        say(red(f"{case.mine} does not build, so its server does not run:"))
        say(output)
    return 0


def tell(case, new):
    """What an operator reports, and where to look."""
    known = progress.load()
    say()
    say(bold(f"{case.name}: {case.title}") + "  " + yellow("*" * case.stars))
    say()
    say(wrapped(case.symptom, "  "))
    say()
    left = "" if new else ", as you left it"
    say(f"Source: {case.mine}{left}. Fix it there; headers: common/.")
    server = session.running(known)
    if server is not None:
        say(f"Its server is at {server.url}, pid {server.pid}. Look at it:")
        say(f"  curl '{server.url}{session.route(case)}?id=me&count=10'")
        say(f"  curl -s {server.url}/status | head -n 22")
        say(f"  {heap_table(server)} | head -n 15")
        for page in ("heap", "goroutine"):
            shown = f"{server.debug}/debug/pprof/{page}?debug=1"
            say(f"  curl -s '{shown}' |")
            say("      cut -f 1,3- | cut -c -64 | head -n 20")
        say(f"  ls -l /proc/{server.pid}/fd")
    say("Next: ./learn.sh check, or watch (at each save). Stuck? ./learn.sh hint")
    say("A check also puts your code into the server. ./learn.sh stop ends it.")


def heap_table(server):
    """The command for a heap profile by function: Debian unstable has no google-pprof."""
    if shutil.which("google-pprof"):
        return f"google-pprof --text {server.url}/pprof/heap"
    return f"go tool pprof -top {server.debug}/debug/pprof/heap"


def stop():
    """Ends what runs in the background."""
    with progress.change() as known:
        ended = session.end_all(known)
    say("The server is stopped." if ended else "No server is running.")
    return 0


def reset(name):
    """Lays a case out again. What the learner wrote is kept beside it."""
    case = find(name)
    if written(case):
        kept = f"{MINE}/{case.name}.before-reset.c"
        os.replace(absolute(case.mine), absolute(kept))
        say(f"What you had is now in {kept}.")
    lay(case)
    with progress.change() as known:
        told = progress.of(known, case)
        told.pop("solved", None)
    say(f"{case.mine} is as at the beginning. Next: ./learn.sh start {case.name}")
    return 0


# -- hint ------------------------------------------------------------------------------


def filled(hint, case, server):
    """A hint with the addresses of the server that runs now."""
    values = {"case": case.name, "url": "URL", "debug": "DEBUG_URL", "pid": "PID"}
    if server is not None:
        values |= {"url": server.url, "debug": server.debug, "pid": str(server.pid)}
    for name, value in values.items():
        hint = hint.replace("{" + name + "}", value)
    return hint


def hint():
    """Shows one hint more, below those that were shown before."""
    with progress.change() as known:
        case = session.current(known)
        told = progress.of(known, case)
        solved = "solved" in told
        more = told["hints"] < len(case.hints) and not solved
        told["hints"] += more
    server = session.running(known)
    if server is None and any("{" in text for text in case.hints[: told["hints"]]):
        say(f"Its server does not run: ./learn.sh start {case.name}")
    for number, text in enumerate(case.hints[: told["hints"]], 1):
        newest = number == told["hints"]
        say((bold if newest else faint)(f"Hint {number} of {len(case.hints)}"))
        shown = wrapped(filled(text, case, server), "  ")
        say(shown if newest else "\n".join(map(faint, shown.split("\n"))))
    if solved:
        say(f"{case.name} is solved: ./learn.sh solution shows how the lab does it.")
    elif not more:
        say("That is all: ./learn.sh solution --give-up shows how the lab does it.")
    return 0


# -- check, watch, solution ------------------------------------------------------------


def graded(case):
    """The verdict on the learner's half, and what is known of the case afterwards."""
    if not written(case):
        raise UsageError(f"{case.mine} is not there: ./learn.sh reset {case.name}")
    build.prepare()
    with build.alone("check"):
        verdict = Grading(case, case.mine, work(case)).verdict()
    with progress.change() as known:
        told = progress.of(known, case)
        told["checks"] += 1
        if verdict.word == SOLVED:
            told.setdefault("solved", time.time())
        else:
            told.pop("solved", None)
    return verdict, told


def renew(case):
    """The running server gets the learner's new code, at the same address."""
    server = session.running(progress.load())
    if server is not None:
        ports = tuple(int(url.rpartition(":")[2]) for url in (server.url, server.debug))
        restart(case, ports)


def show(case, verdict, told):
    """Prints a verdict; its last line begins with the verdict's word."""
    if verdict.details:
        say(verdict.details)
    if verdict.word == SOLVED:
        show_solution(case)
        hints = {0: "without a hint", 1: "with one hint"}.get(
            told["hints"], f"with {told['hints']} hints"
        )
        say(terminal.bar(solved_count(), len(cases())) + " solved")
        say(next_step(progress.load()))
        say(bold(green(f"{SOLVED}: {case.name} {hints}, at check {told['checks']}")))
    else:
        say(red(verdict.line))


def solved_count():
    """How many cases are solved."""
    return sum(bool(told.get("solved")) for told in progress.load()["cases"].values())


def difference(old, new, name):
    """How one text differs from another."""
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), name, name, n=2, lineterm=""
    )
    return terminal.painted(list(lines)[2:]) or faint("(no change)")


def show_solution(case):
    """The learner's change beside the lab's, and what it was about."""
    if written(case):
        say(bold("Your change"))
        say(difference(session.untouched(case), read(case.mine), case.mine))
        say()
    say(bold(f"The lab's change  (make lesson S={case.scenario})"))
    say(difference(session.untouched(case), session.solution(case), case.mine))
    say()
    say(bold(source.prose(case.leaky, "title")))
    say(wrapped("Cause: " + source.prose(case.leaky, "cause"), "  "))
    say(wrapped("Fix: " + source.prose(case.leaky, "fix"), "  "))
    say()


def check():
    """Grades the current case. Returns 0 if it is solved."""
    case = session.current(progress.load())
    say(faint(f"Checking {case.mine}..."))
    verdict, told = graded(case)
    show(case, verdict, told)
    if verdict.word != NO_BUILD:
        renew(case)
    return 0 if verdict.word == SOLVED else 1


def saved(case):
    """What the learner's file has now; None while an editor replaces it."""
    try:
        return read(case.mine)
    except FileNotFoundError:
        return None


def watch():
    """Checks at each save until the case is solved."""
    case = session.current(progress.load())
    seen = None
    while True:
        now = saved(case)
        if now not in (None, seen):
            seen = now
            if check() == 0:
                return 0
            say(faint(f"Waiting until {case.mine} is saved (Ctrl-C ends this)..."))
        time.sleep(POLL_SECONDS)


def show_answer(*options):
    """Shows the lab's solution to a learner who has solved the case or gives up."""
    with progress.change() as known:
        case = session.current(known)
        told = progress.of(known, case)
        if not told.get("solved") and "--give-up" not in options:
            raise UsageError(
                f"{case.name} is not solved yet: ./learn.sh hint, or solution --give-up"
            )
        if not told.get("solved"):
            told["gave_up"] = True
    show_solution(case)
    say(next_step(progress.load()))
    return 0
