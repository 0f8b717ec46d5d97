"""Grades one half of a case: builds it into a server, drives it beside the lab's fixed
half, and has leakcheck judge what it keeps. `check` and `verify` both stand on this."""

import concurrent.futures
import dataclasses
import json
import os
import re
import subprocess
import tempfile
import time

from learn import build, process, source
from learn.failure import Broken
from learn.questions import (
    AT_ONCE,
    answered,
    counts,
    held,
    new_sizes,
    settled,
    sizes_of,
    together,
)
from learn.server import (
    CALL_SECONDS,
    START_SECONDS,
    Gone,
    Hangs,
    Refused,
    Server,
    fetch,
)
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
TOGETHER_ROUNDS = 3
SLOWEST = 10  # a busy machine counts as so many times slower, at most
SLOWER = 25  # so many times slower than the lab's server, a call hangs
# Seconds in each round of calls of new sizes: what grows in all is no cache that fills.
SIZE_PATIENCE = (2.5, 0.3, 2.5)
SOME_CALLS, SOME_KEPT = 4, 3  # of so many things, a cache keeps at least that many
FILLING = 20  # calls of the usual size that fill a cache
KEPT_BYTES = 4096  # at most, of one call
TOO_MUCH = Verdict(CRASHES, "it took more than 1.5 GB of memory")
COUNTED = "See 'held' in /status, which is counted by the case."

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
        # A call that takes longer hangs. Where threads wait for a processor, all takes
        # as many times longer.
        waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
        self.seconds = CALL_SECONDS * min(max(1, waiting), SLOWEST)
        self.together = ()  # what is asked at the same time, and the lab's replies
        self.sizes = None  # the bounds of bytes=N, as the lab's server tells them

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
        """Raises Found if a function is never called whose work no answer shows, or one
        is called that hides the work from the judge. The compiler leaves out a static
        function that nobody calls."""
        if not self.case.calls and not self.case.without:
            return
        path = f"build/objects/{self.units}/{self.case.name}.o"
        with process.group(("nm", path), stdout=subprocess.PIPE) as listing:
            there = set(listing.communicate(timeout=30)[0].decode().split())
        for function in self.case.calls:
            ways = function.split("|")
            if there.isdisjoint(ways):
                raise Found(ANSWERS, f"{ways[0]} is never called, and has work to do")
        for function in self.case.without:
            if function in there:
                raise Found(ANSWERS, f"{function} is no way out in this case")

    def build_plain(self):
        """Builds the server without the sanitizers alone. Returns None, or what the
        compiler said."""
        self.write()
        return self.link(build.PLAIN, self.program)

    def write(self):
        """Writes the C around the learner's file."""
        case = self.case
        text = source.unit(case.leaky, self.code, case.name, case.title)
        text = f"/* Of the files {build.digest(self.code)} */\n{text}"
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
        """Drives both servers and judges the plain one, at the same time. The lab's
        server has ended by then, so nobody can ask it."""
        with Server(build.FIXED) as model:
            self.sizes = sizes_of(model, self.case.scenario)
            asked = answered(self.sizes, self.case.churn)
            expected = [self.ask_model(model, question) for question in asked]
            kept = held(model, self.case.scenario)
            self.together = together(model, self.case.scenario, self.sizes)
        # The servers are ended first, so that a thread that asks one ends with it.
        with (
            concurrent.futures.ThreadPoolExecutor() as pool,
            self.start(self.sanitized, environment=SANITIZERS) as checked,
            self.start(self.program) as plain,
        ):
            memory = pool.submit(self.drive_checked, checked, asked, expected)
            try:
                found = self.drive_and_judge(plain, asked, expected, kept)
            except NoVerdict as failed:
                found = failed
            # A wrong pointer explains a crash or a wrong answer, so it comes first. But
            # what leaks explains that too much memory was taken.
            reported = memory.result()
            leaks = isinstance(found, Verdict) and found.word == LEAKS
            if leaks and reported == TOO_MUCH:
                reported = None
            found = reported or found or Verdict(SOLVED)
            if isinstance(found, NoVerdict):
                raise found
            return found

    def ask_model(self, model, question):
        """The lab's own reply. The time that it takes tells how busy the machine is."""
        begin = time.monotonic()
        reply = model.call(self.case.scenario, START_SECONDS, **question)
        took = time.monotonic() - begin
        self.seconds = max(self.seconds, SLOWER * took)
        return reply

    def drive_and_judge(self, server, asked, expected, kept):
        """The verdict on what can be seen from outside; None if all is well."""
        wrong = None
        try:
            wrong = self.drive(server, asked, expected)
            if wrong is not None and wrong.answer is not None:
                return wrong.verdict
            if wrong is None:
                self.check_some_kept(server, asked[-1])
                self.check_all_kept(server, kept)
            self.judge(server)
            self.check_sizes(server)
            self.check_all_kept(server, kept)
            self.drive_together(server)
        except Found as found:
            if wrong is None or found.verdict.word != ANSWERS:
                return found.verdict
        except Refused as refused:
            return Verdict(ANSWERS, f"the server refuses a call: {refused}")
        except Gone as gone:
            return Verdict(CRASHES, *how_it_died(server, str(gone)))
        except Hangs:
            return Verdict(HANGS, *self.where_it_hangs(server))
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

    def drive_together(self, server):
        """Calls the server several times at once: what is static in the learner's code
        is shared by these calls. Raises Found if one is answered wrongly; to refuse one
        for a limit of the server is no fault."""

        def ask(question, model):
            try:
                reply = self.call(server, question, AT_ONCE * self.seconds)
            except Refused as refused:
                if refused.status == 503:
                    return None
                return Difference(question, model["answer"], None, str(refused), True)
            if reply["answer"] == model["answer"]:
                return None
            return Difference(question, model["answer"], reply["answer"], "", True)

        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in range(TOGETHER_ROUNDS):
                asked = [pool.submit(ask, *each) for each in self.together]
                wrong = next(filter(None, [each.result() for each in asked]), None)
                if wrong is not None:
                    raise Found(*dataclasses.astuple(wrong.verdict))

    def call(self, server, question, seconds=None):
        """Calls the case once. Raises Found if there is no answer."""
        try:
            return server.call(self.case.name, seconds or self.seconds, **question)
        except Hangs:
            raise Found(HANGS, *self.where_it_hangs(server)) from None
        except Gone as gone:
            raise Found(CRASHES, *how_it_died(server, str(gone))) from None

    def where_it_hangs(self, server):
        """Where in the learner's file a thread is, by the thread profile."""
        said = f"no answer within {self.seconds:.0f} s"
        try:
            threads = fetch(server.debug + "/debug/pprof/goroutine?debug=1")
        except (Gone, Hangs, Refused):
            return said, ""
        return said + place_in(threads, self.code), ""

    def check_some_kept(self, server, question):
        """Raises Found if a cache is of no use: it keeps nothing, or the last thing
        alone."""
        if self.case.keeps != "some":
            return
        for _ in range(5):  # what it keeps may expire before we look
            self.call(server, question | {"count": SOME_CALLS})
            mine, _ = held(server, self.case.name)
            if mine >= SOME_KEPT:
                # A cache with a limit is full before the judge comes.
                self.call(server, {"id": "fill", "count": FILLING})
                return
        raise Found(ANSWERS, f"only {mine} of {SOME_CALLS} things are kept", COUNTED)

    def check_all_kept(self, server, kept):
        """Raises Found if the server keeps less than the case needs: who remembers
        nothing leaks nothing, and does no work either. `kept` is what the lab's fix
        keeps after how many calls."""
        if self.case.keeps != "all":
            return
        mine, calls = held(server, self.case.name)
        wanted = kept[0] * calls // kept[1]
        if mine < wanted:
            found = f"{mine} things are kept after {calls} calls, and not {wanted}"
            raise Found(ANSWERS, found, COUNTED)

    def check_sizes(self, server):
        """Raises Found if calls of sizes that are new each time leave something. The
        judge's have all the same size, so that something could be kept for it."""
        before = counts(server)
        for patience in SIZE_PATIENCE:
            asked = new_sizes(self.sizes)
            for question in asked:
                self.call(server, question)
            least = min(question["bytes"] for question in asked)
            limits = before | {"heap": before["heap"] + len(asked) * least // 4}
            before, over = settled(server, limits, patience)
            if over is None:
                return
        found = {
            "resource": over,
            "per_call": (before[over] - limits[over]) / len(asked),
        }
        line, _ = growth(found, False)
        raise Found(
            LEAKS, line, "These calls had ids and sizes that were new each time."
        )

    def drive_checked(self, server, asked, expected):
        """Drives the server with the sanitizers in it, to the end of its process. The
        verdict if they reported something, or it crashed or hung; else None."""
        verdict = None
        try:
            if self.drive(server, asked, expected) is None:
                self.drive_together(server)
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
                return TOO_MUCH
            return None
        kind = re.split(r" on (?:unknown )?(?:address|0x)", found[1])[0].strip()
        died = DEADLY.get(kind.split()[0])
        return Verdict(
            CRASHES if died else MEMORY,
            (died or kind) + place_in(report, self.code),
            own_lines(report, self.code),
        )

    def is_kept(self, found):
        """Whether what stays is little, in a case that keeps something of each call: a
        copy in memory of its own is as good as one in the table."""
        little = min(self.sizes.usual // 16, KEPT_BYTES)
        return (
            self.case.keeps == "all"
            and found["resource"] == "heap"
            and found["per_call"] <= little
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
                    raise Found(HANGS, *self.where_it_hangs(server)) from None
            if judge.returncode == 0:
                return
            if server.process.poll() is not None:
                raise Found(CRASHES, *how_it_died(server))
            if judge.returncode != 1:
                said = output.decode(errors="replace").strip()
                refused = re.search(r": refused with \d+ (.*?);? ?no verdict", said)
                if refused:
                    raise Found(
                        ANSWERS, f"the server refuses a call: {refused[1]}"[:160]
                    )
                if "over before anything can be measured" in said:
                    raise Found(
                        ANSWERS, "the call does not stay at its peak for hold=MS"
                    )
                raise NoVerdict(said)
            with open(told, encoding="utf-8") as file:
                found = json.load(file)["scenarios"][0]
            if self.is_kept(found):
                return
            raise Found(LEAKS, *growth(found, self.case.during))


def how_it_died(server, reason="no answer"):
    """The signal, or else what was seen; and the last words."""
    died = server.signal_of_death() or (
        reason if server.process.poll() is None else "the process ended"
    )
    said = server.said().splitlines()
    for line in said:
        # What confines it says so; or the learner's code does, which changes nothing.
        if line.startswith("killed: "):
            died = line.removeprefix("killed: ")[:80]
    return died, "\n".join(said[-5:])
