"""The verdicts: their words, and how what was found is told to a learner."""

import dataclasses
import re

from learn.failure import Broken

# The verdicts, as the last line of `check` begins.
SOLVED = "solved"
LEAKS = "still leaks"
ANSWERS = "answers changed"
MEMORY = "memory error"
CRASHES = "crashes"
HANGS = "hangs"
NO_BUILD = "does not build"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a half is worth: one of the words above, what was found in a few words, and
    what helps to understand it."""

    word: str
    found: str = ""
    details: str = ""

    @property
    def line(self):
        """The last line that a learner reads."""
        return f"{self.word}: {self.found}" if self.found else self.word


# AddressSanitizer's names of signals.
DEADLY = {"SEGV": "SIGSEGV", "ABRT": "SIGABRT", "FPE": "SIGFPE", "BUS": "SIGBUS"}


class NoVerdict(Broken):
    """The judge could not measure, and says why."""


class Found(Exception):
    """A verdict that needs no further step."""

    def __init__(self, *verdict):
        super().__init__(*verdict)
        self.verdict = Verdict(*verdict)


@dataclasses.dataclass(frozen=True)
class Difference:
    """An answer that is not the lab's."""

    question: dict
    expected: str
    answer: str
    refusal: str = ""
    at_once: bool = False  # with other calls at the same time

    @property
    def verdict(self):
        """In one line, and all of it."""
        asked = "&".join(f"{name}={value}" for name, value in self.question.items())
        given = (
            self.refusal
            or self.answer
            or "nothing: the call ended before its work was done"
        )
        others = ", with other calls at once" if self.at_once else ""
        return Verdict(
            ANSWERS,
            f"for id={self.question['id'][:20]} expected '{self.expected}'{others}",
            f"call      {asked}\nexpected  {self.expected}\nanswered  {given}",
        )


def first_error(said):
    """The first error of a compiler, in a few words."""
    found = re.search(r"error: (.*)", said)
    return found[1][:120] if found else "see above"


def place_in(text, code):
    """ " at FILE:LINE" for the first line of `code` that a report names."""
    found = re.search(rf"(?:in (\w+) )?(?:\S*/)?({re.escape(code)}:\d+)", text)
    if found is None:
        return ""
    return f" in {found[1]}, {found[2]}" if found[1] else f" at {found[2]}"


def own_lines(report, code):
    """Of a sanitizer's report, the lines that name the learner's file, and what they
    belong to."""
    kept = []
    for line in report.splitlines():
        line = re.sub(
            r"==\d+==|0x[0-9a-f]+ |\(\S+\+0x\S+\)|\(BuildId: \w+\)", "", line
        ).rstrip()
        line = re.sub(r"(ERROR: .*?) on (unknown )?address.*", r"\1", line)
        if re.match(r"\s*#\d+ ", line):
            if code in line:
                kept.append(re.sub(r"\S*(?=" + re.escape(code) + ")", "", line))
        elif re.search(
            r"Assertion `|ERROR: |runtime error|freed by|allocated by|READ of|WRITE of",
            line,
        ):
            kept.append(line)
    return "\n".join(kept[:24])


# By resource, what is said of an amount, and of the amount 1: first of what is held
# during a call and given back, then of what stays after it.
DURING = {
    "rss": ("{} of resident memory is held during each call",) * 2,
    "fds": ("{} descriptors are open at once during each call",) * 2,
    "heap": ("{} of heap is held during each call",) * 2,
}
AFTER = {
    "heap": ("{} of heap stays after each call",) * 2,
    "threads": ("{} threads stay after each call", "{} thread stays after each call"),
    "fds": (
        "{} descriptors stay open after each call",
        "{} descriptor stays open after each call",
    ),
    "timers": ("{} timers stay after each call", "{} timer stays after each call"),
    "rss": ("{} of resident memory stays after each call",) * 2,
    "mappings": (
        "{} mappings of memory stay after each call",
        "{} mapping of memory stays after each call",
    ),
    "children": (
        "{} child processes stay after each call",
        "{} child process stays after each call",
    ),
    "allocated": ("{} is allocated by each call",) * 2,
}


# What the line does that made what stays.
MADE = {
    "threads": "threads started in",
    "fds": "opened in",
    "timers": "made in",
    "mappings": "mapped in",
    "children": "started in",
}


def growth(told, during):
    """What leakcheck found: in one line, and where. `during`: the case is about what
    is held during a call."""
    amount = told["per_call"]
    resource = told["resource"]
    in_bytes = resource in ("heap", "rss", "allocated")
    text = in_units(amount) if in_bytes else f"{amount:.2f}".rstrip("0").rstrip(".")
    lines = []
    made = (told.get("made") or {}).get(resource)
    for at, verb in (
        (told.get("blamed"), "allocated in"),
        (told.get("waiting"), "threads wait in"),
        (made, MADE.get(resource)),
    ):
        if at:
            where = f"{at['file']}:{at['line']}" if at.get("file") else "no line known"
            lines.append(f"{verb} {at['function']}, {where}")
    texts = DURING if during and resource in DURING else AFTER
    many, one = texts[resource]
    said = (one if text == "1" else many).format(text)
    # leakcheck asks for less where a call leaves many megabytes.
    if in_bytes and told.get("bytes") is not None:
        said += f" with bytes={told['bytes']}"
    return said, "\n".join(lines)


def in_units(amount):
    """ "1.5 MiB" for a number of bytes."""
    for unit, size in (("MiB", 2**20), ("KiB", 2**10)):
        if amount >= size:
            return f"{amount / size:.1f} {unit}"
    return f"{amount:.0f} bytes"
