"""Grades one half of a case: builds it into a server, drives it beside the lab's fixed
half, and has leakcheck judge what it keeps. `check` and `verify` both stand on this."""

import concurrent.futures
import json
import os
import random
import re
import subprocess
import tempfile

from learn import build, process, source
from learn.failure import Broken
from learn.server import CALL_SECONDS, Gone, Hangs, Refused, Server, fetch
from learn.verdict import (
    ANSWERS,
    CRASHES,
    DEADLY,
    Difference,
    Found,
    HANGS,
    LEAKS,
    MEMORY,
    NO_BUILD,
    NoVerdict,
    SOLVED,
    Verdict,
    first_error,
    growth,
    own_lines,
    place_in,
)

ROUNDS, CALLS = 4, 3  # of the judge
JUDGE_SECONDS = 60

# hard_rss_limit_mb bounds it, because address space limits do not fit AddressSanitizer.
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=0:handle_abort=1:detect_stack_use_after_return=1:"
    "hard_rss_limit_mb=1500",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


class Grading:
    """One half on its way to a verdict. `code` is its file, and `work` the directory
    for what is built; both are relative to the lab's tree. `wrapper` and `compiler` are
    commands in front of the server and of the compiler, to confine them."""

    def __init__(self, case, code, work, wrapper=(), compiler=()):
        self.case = case
        self.code = code
        self.work = work
        self.wrapper = wrapper
        self.compiler = compiler
        self.units = f"{work}/units"
        self.program = f"{work}/mine"
        self.sanitized = f"{work}/sanitized"

    def verdict(self):
        """Builds, drives and judges."""
        try:
            self.build()
            return self.measure()
        except Found as found:
            return found.verdict

    # -- building ----------------------------------------------------------------------

    def build(self):
        """Builds the two servers. Raises Found if the compiler refuses."""
        self.write()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            plain = pool.submit(self.link, build.PLAIN, self.program)
            checked = pool.submit(self.link, build.SANITIZED, self.sanitized)
            said = plain.result() or checked.result()
        if said is not None:
            raise Found(NO_BUILD, first_error(said), said)
        self.check_calls()

    def check_calls(self):
        """Raises Found if a function is never called whose work no answer shows. The
        compiler leaves out a static function that nobody calls."""
        if not self.case.calls:
            return
        path = f"build/objects/{self.units}/{self.case.name}.o"
        with process.group(("nm", path), stdout=subprocess.PIPE) as listing:
            there = listing.communicate(timeout=30)[0].decode().split()
        for function in self.case.calls:
            if function not in there:
                raise Found(ANSWERS, f"{function} is never called, and has work to do")

    def build_plain(self):
        """Builds the server without the sanitizers alone. Returns None, or what the
        compiler said."""
        self.write()
        return self.link(build.PLAIN, self.program)

    def write(self):
        """Writes the C around the learner's file."""
        case = self.case
        text = source.unit(case.leaky, self.code, case.name, case.title)
        build.write_units(self.units, "mine", {case.name: text})

    def link(self, settings, program):
        """Returns None, or what the compiler said of the learner's file."""
        output = build.link(settings, self.units, program, self.compiler)
        if output is None:
            return None
        for entry in source.entries(self.case.leaky):
            if re.search(rf"error: .{entry}. undeclared", output):
                return (
                    f"{self.code}: error: {entry} is missing, or not static: the "
                    "server calls it, so it keeps its name"
                )
        return build.messages_of(output, self.code)

    # -- running -----------------------------------------------------------------------

    def measure(self):
        """Drives both of the learner's servers at the same time, and judges the plain
        one. The lab's own has ended by then, so that they cannot ask it."""
        with Server(build.FIXED) as model:
            asked = questions(model, self.case)
            expected = [
                model.call(self.case.scenario, **question) for question in asked
            ]
            kept = held(model, self.case.scenario)
        with (
            self.start(self.sanitized, environment=SANITIZERS) as checked,
            self.start(self.program) as plain,
            concurrent.futures.ThreadPoolExecutor() as pool,
        ):
            memory = pool.submit(self.drive_checked, checked, asked, expected)
            try:
                found = self.drive_and_judge(plain, asked, expected, kept)
            except NoVerdict as failed:
                found = failed
            # A wrong pointer explains a crash or a wrong answer, so it comes first.
            found = memory.result() or found or Verdict(SOLVED)
            if isinstance(found, NoVerdict):
                raise found
            return found

    def drive_and_judge(self, server, asked, expected, kept):
        """The verdict on what can be seen from outside; None if all is well."""
        wrong = None
        try:
            wrong = self.drive(server, asked, expected)
            if wrong is not None and wrong.answer is not None:
                return wrong.verdict
            if wrong is None:
                self.check_kept(server, asked[-1], kept)
            self.judge(server)
        except Found as found:
            if wrong is None or found.verdict.word != ANSWERS:
                return found.verdict
        except Refused as refused:
            return Verdict(ANSWERS, f"the server refuses a call: {refused}")
        except NoVerdict:
            if wrong is None:
                raise
        return wrong.verdict if wrong is not None else None

    def start(self, program, **options):
        """Starts a server with the learner's code in it, which may run before main."""
        try:
            return Server(program, wrapper=self.wrapper, **options)
        except Broken as error:
            raise Found(CRASHES, "the server does not start", str(error)) from None

    def drive(self, server, asked, expected):
        """Calls the server; returns the first Difference from the expected answers, or
        None."""
        for question, model in zip(asked, expected):
            try:
                reply = self.call(server, question)
            except Refused as refused:
                return Difference(question, model["answer"], None, str(refused))
            if reply["answer"] != model["answer"]:
                return Difference(question, model["answer"], reply["answer"])
        return None

    def call(self, server, question):
        """Calls the case once. Raises Found if there is no answer."""
        try:
            return server.call(self.case.name, **question)
        except Hangs:
            raise Found(HANGS, *where_it_hangs(server, self.code)) from None
        except Gone as gone:
            raise Found(CRASHES, *how_it_died(server, str(gone))) from None

    def check_kept(self, server, question, kept):
        """Raises Found if the server keeps less than the case needs: what remembers
        nothing leaks nothing, and does no work either. `kept` is what the lab's fix
        keeps after the same calls."""
        wanted = {"all": kept, "some": min(kept, 1)}.get(self.case.keeps, 0)
        if wanted == 0:
            return
        for _ in range(5):  # what a cache keeps may expire before we look
            self.call(server, question)
            mine = held(server, self.case.name)
            if mine >= wanted:
                return
        found = f"{mine} things are kept after these calls, and not {wanted}"
        raise Found(
            ANSWERS, found, "See 'held' in /status, which is counted by the case."
        )

    def drive_checked(self, server, asked, expected):
        """Drives the server with the sanitizers in it, to the end of its process. The
        verdict if they reported something, or it crashed or hung; else None."""
        verdict = None
        try:
            self.drive(server, asked, expected)
            if not server.end():
                verdict = Verdict(HANGS, "the server does not end when it is told to")
            elif server.process.returncode != 0:
                verdict = Verdict(CRASHES, *how_it_died(server))
        except Found as found:
            verdict = found.verdict
        return self.reported(server) or verdict

    def reported(self, server):
        """The verdict of the sanitizers; None if they found nothing."""
        server.signal_of_death()  # the report is whole when the process has ended
        report = server.said()
        found = re.search(r"(?:ERROR: AddressSanitizer: |runtime error: )(.*)", report)
        if found is None:
            if "hard rss limit" in report:
                return Verdict(CRASHES, "it took more than 1.5 GB of memory")
            return None
        kind = re.split(r" on (?:unknown )?(?:address|0x)", found[1])[0].strip()
        died = DEADLY.get(kind.split()[0])
        return Verdict(
            CRASHES if died else MEMORY,
            (died or kind) + place_in(report, self.code),
            own_lines(report, self.code),
        )

    def judge(self, server):
        """Has leakcheck judge what stays. Raises Found if something does."""
        with tempfile.TemporaryDirectory() as directory:
            told = os.path.join(directory, "verdict.json")
            command = (
                *(build.JUDGE, "--alone", "--scenario", self.case.name),
                *("--rounds", str(ROUNDS), "--calls", str(CALLS), "--json", told),
                server.url,
            )
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            with process.group(command, **pipes) as judge:
                try:
                    output = judge.communicate(timeout=JUDGE_SECONDS)[0]
                except subprocess.TimeoutExpired:
                    raise Found(HANGS, *where_it_hangs(server, self.code)) from None
            if judge.returncode == 0:
                return
            if server.process.poll() is not None:
                raise Found(CRASHES, *how_it_died(server))
            if judge.returncode != 1:
                said = output.decode(errors="replace").strip()
                if "over before anything can be measured" in said:
                    raise Found(
                        ANSWERS, "the call does not stay at its peak for hold=MS"
                    )
                raise NoVerdict(said)
            with open(told, encoding="utf-8") as file:
                found = json.load(file)["scenarios"][0]
            raise Found(LEAKS, *growth(found, self.case.during))


def held(server, name):
    """How many things a scenario keeps, by /status; 0 if the server is not there."""
    try:
        return int(server.json("/status")["scenarios"][name]["held"])
    except (Gone, Hangs, Refused, KeyError, TypeError, ValueError):
        return 0


def questions(server, case):
    """What is asked: several ids, sizes and counts. Some are new each time, so that no
    answer can be written down."""
    listed = server.json("/scenarios")
    told = next(item for item in listed if item["name"] == case.scenario)
    bounds = next(item for item in told["parameters"] if item["name"] == "bytes")
    low, usual = bounds["min"], bounds["default"]
    dice = random.SystemRandom()
    small = min(usual, max(low, 8192))
    unusual = f"%{dice.randrange(10**9)}'\"\\ {dice.randrange(10**9)}"
    return (
        {"id": "first"},
        {"id": f"guest-{dice.randrange(10**6)}", "bytes": small},
        {"id": unusual, "bytes": min(bounds["max"], small + dice.randrange(1, 999))},
        {"id": "first", "bytes": low, "count": 2},
        {"id": f"guest-{dice.randrange(10**6)}", "bytes": small, "count": 3},
        {"id": "last " + "x" * 100, "bytes": small},
    )


def how_it_died(server, reason="no answer"):
    """The signal, or else what was seen; and the last words."""
    died = server.signal_of_death() or (
        reason if server.process.poll() is None else "the process ended"
    )
    return died, "\n".join(server.said().splitlines()[-5:])


def where_it_hangs(server, code):
    """Where in the learner's file a thread is, by the thread profile."""
    said = f"no answer within {CALL_SECONDS} s"
    try:
        threads = fetch(server.debug + "/debug/pprof/goroutine?debug=1")
    except (Gone, Hangs, Refused):
        return said, ""
    return said + place_in(threads, code), ""
