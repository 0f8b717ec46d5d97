"""`verify DIR`: a teacher's check of a learner's mine/. Each case in it is copied,
built and judged with the lab's own judge and halves. It runs code that others wrote, so
it confines that as far as the machine allows, and says how far that is."""

import json
import os
import re
import resource
import select
import signal
import stat
import sys
import time
import traceback

from learn import build
from learn.case import cases
from learn.failure import Broken, UsageError
from learn.grade import Grading
from learn.homework import kernel, outside
from learn.homework.protection import Protection, digest
from learn.process import fork
from learn.server import Gone, Hangs, Refused, Server
from learn.terminal import bold, green, red, say
from learn.verdict import CRASHES, HANGS, LEAKS, NO_BUILD, SOLVED, Found, Verdict

CASE_SECONDS = 150  # for one case, whatever it does
SOURCE_BYTES = 1 << 20
PROGRESS_BYTES = 1 << 20
MOST_HINTS = 99  # a greater number is no count of hints
NAMES_SHOWN = 12
TITLE = 32  # columns of the table
OWN_FILES = r"progress\.json|\.lock|server|case-\d\d\.before-reset\.c"
MEMORY_BYTES = 2 << 30  # for what reads the replies


def tell(text=""):
    """Progress and warnings, on stderr: the table alone is the result."""
    print(text, file=sys.stderr, flush=True)


def printable(text):
    """A learner's text without what could steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


# -- what is in DIR --------------------------------------------------------------------


def content(directory, name, most):
    """The bytes of a regular file in an open directory. Raises Broken with the reason
    why it is not read."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        file = os.open(name, flags, dir_fd=directory)
    except OSError as error:
        reason = "it is a symbolic link" if is_link(directory, name) else error.strerror
        raise Broken(reason) from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Broken("it is no regular file")
    with open(file, "rb") as opened:
        text = opened.read(most + 1)
    if len(text) > most:
        raise Broken(f"it has more than {most >> 10} KiB")
    return text


def is_link(directory, name):
    """Whether a name in an open directory is a symbolic link."""
    try:
        return stat.S_ISLNK(os.lstat(name, dir_fd=directory).st_mode)
    except OSError:
        return False


class Work:
    """What a learner's directory has: for each case its text, or why it is not read;
    the names that are none of a learner's files; and how many hints were taken, in
    the learner's own word."""

    def __init__(self, path):
        try:
            directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        try:
            self._read(directory)
        finally:
            os.close(directory)
        if not self.texts:
            raise UsageError(f"{path} has no case: case-01.c and so on, as in mine/")

    def _read(self, directory):
        known = {f"{case.name}.c": case for case in cases()}
        names = sorted(os.listdir(directory))
        self.texts, self.ignored = {}, []
        for name in names:
            if name in known:
                try:
                    self.texts[known[name]] = content(directory, name, SOURCE_BYTES)
                except Broken as refused:
                    self.texts[known[name]] = refused
            elif not re.fullmatch(OWN_FILES, name):
                self.ignored.append(name)
        try:
            progress = json.loads(content(directory, "progress.json", PROGRESS_BYTES))
        except (Broken, ValueError, RecursionError):
            progress = None
        self.hints = {case: hints_in(progress, case) for case in self.texts}


def hints_in(progress, case):
    """The number of hints that a progress file has for a case; None if it has no number
    that can be one."""
    told = progress
    for name in ("cases", case.name, "hints"):
        told = told.get(name) if isinstance(told, dict) else None
    is_number = isinstance(told, int) and not isinstance(told, bool)
    return told if is_number and 0 <= told <= MOST_HINTS else None


# -- one case --------------------------------------------------------------------------


def second_opinion(case, grading):
    """Judges a case that seems solved by what the kernel counts alone. The verdict
    if it is not solved; else None."""
    with Server(build.FIXED) as model:
        listed = model.json("/scenarios")
        told = next(item for item in listed if item["name"] == case.scenario)
        measure = outside.plan(told)
        if measure is None:
            return None
        expected = outside.growth(model, case.scenario, measure)
    try:
        with grading.start(grading.program) as server:
            grown = outside.growth(server, case.name, measure)
    except Found as found:
        return found.verdict
    except Gone:
        return Verdict(CRASHES, "after many calls")
    except Hangs:
        return Verdict(HANGS, "after many calls")
    except Refused as refused:
        return Verdict(LEAKS, str(refused))
    over = outside.excess(grown, expected, measure)
    return None if over is None else Verdict(LEAKS, over)


def judged(case, protection):
    """The verdict on a case whose text has been copied."""
    work = protection.work(case)
    code = f"{work}/{case.name}.c"
    before = {"wrapper": protection.server(case), "compiler": protection.compiler(case)}
    grading = Grading(case, code, work, **before)
    verdict = grading.verdict()
    if verdict.word == SOLVED:
        verdict = second_opinion(case, grading) or verdict
    return verdict


def in_one_line(verdict):
    """What was found; of a linker, which has no `error: `, its first line."""
    if verdict.word == NO_BUILD and "error: " not in verdict.details:
        return verdict.details.strip().split("\n")[0]
    return verdict.found


def judge_in_child(case, protection, tell_end):
    """The life of the process that judges one case: tells the verdict as JSON, or why
    there is none."""
    try:
        os.setsid()
        kernel.end_with_parent()
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, most))
        protection.enter()
        verdict = judged(case, protection)
        told = {"word": verdict.word, "found": in_one_line(verdict)}
    except Broken as error:
        told = {"reason": str(error)}
    except Exception:  # such as a reply that is no reply of a server of the lab
        told = {"reason": traceback.format_exc().strip().splitlines()[-1]}
    with open(tell_end, "w", encoding="utf-8") as pipe:
        json.dump(told, pipe)


def verdict_of(case, protection):
    """Judges a case in a process of its own, and ends all that this started. Raises
    Broken if there is no verdict."""
    read_end, tell_end = os.pipe()
    child = fork()
    if child == 0:
        try:
            judge_in_child(case, protection, tell_end)
        finally:
            os._exit(0)
    os.close(tell_end)
    try:
        text = read_for(read_end, CASE_SECONDS)
    finally:
        os.close(read_end)
        kernel.end_descendants()
    if text is None:
        return Verdict(HANGS, f"no verdict within {CASE_SECONDS} s")
    told = json.loads(text) if text else {"reason": "the judging process has ended"}
    if "reason" in told:
        raise Broken(told["reason"])
    return Verdict(told["word"], told["found"])


def read_for(pipe, seconds):
    """All that comes from a pipe; None if that takes longer."""
    end, text = time.monotonic() + seconds, b""
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return None
        part = os.read(pipe, 65536)
        if not part:
            return text
        text += part


# -- all of them -----------------------------------------------------------------------


def begin(path, work):
    """Says what is in DIR and is not looked at."""
    tell(f"{len(work.texts)} of {len(cases())} cases are in {printable(path)}")
    for name in work.ignored[:NAMES_SHOWN]:
        tell(f"ignored: {printable(name)}")
    if len(work.ignored) > NAMES_SHOWN:
        tell(f"ignored: {len(work.ignored) - NAMES_SHOWN} more names")


def check_all(work, protection):
    """Yields each case with its verdict; None for one that has no verdict."""
    before = digest()
    for case in sorted(work.texts, key=lambda case: case.number):
        text, begun = work.texts[case], time.monotonic()
        try:
            if isinstance(text, Broken):
                verdict = Verdict(NO_BUILD, f"it is not read: {text}")
            else:
                protection.copy(case, text)
                verdict = verdict_of(case, protection)
            said = verdict.line
        except Broken as error:
            verdict, said = None, f"not judged: {error}"
        if digest() != before:
            raise Broken(
                f"files of the lab itself changed during {case.name}, so no verdict of "
                "this run counts. Look at them (git status), then: make clean"
            )
        seconds = time.monotonic() - begun
        tell(f"{case.name}: {printable(said)[:200]}  ({seconds:.0f} s)")
        yield case, verdict


def table(rows):
    """Prints the rows, and the total."""
    say(bold(f"case     {'title':{TITLE}}  {'verdict':15}  hints"))
    for case, verdict, hints in rows:
        word = verdict.word if verdict else "not judged"
        paint = green if word == SOLVED else red
        taken = "-" if hints is None else str(hints)
        title = f"{case.title:{TITLE}.{TITLE}}"
        say(f"{case.name}  {title}  " + paint(f"{word:15}") + f"  {taken:>5}")
    solved = sum(bool(verdict) and verdict.word == SOLVED for _, verdict, _ in rows)
    say(f"{solved} of {len(rows)} solved; hints are the learner's own word")


def as_json(rows):
    """Prints the rows for a program."""
    listed = [
        {
            "case": case.name,
            "scenario": case.scenario,
            "verdict": verdict.word if verdict else None,
            "hints": hints,
        }
        for case, verdict, hints in rows
    ]
    say(json.dumps(listed, indent=2))


def interrupted(number, _frame):
    """Leaves through every `finally`, which ends all below this process too."""
    raise SystemExit(128 + number)


def command(*words):
    """Checks a learner's directory. Returns 0 if every case in it is solved, 1 if
    one is not, 2 if one could not be judged."""
    path = next(word for word in words if word != "--json")
    work = Work(os.path.join(os.environ.get("LEARN_FROM", os.getcwd()), path))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    os.umask(0o022)  # what is built here is run by another user, if this one is root
    kernel.take_in_orphans()
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    with Protection() as protection:
        begin(path, work)
        protection.explore()
        tell(protection.said())
        build.prepare()
        verdicts = check_all(work, protection)
        rows = [(case, verdict, work.hints[case]) for case, verdict in verdicts]
    (as_json if "--json" in words else table)(rows)
    if any(verdict is None for _, verdict, _ in rows):
        return 2
    return 0 if all(verdict.word == SOLVED for _, verdict, _ in rows) else 1
