"""The exercises: one file each in exercises/, beside a pair of the same name."""

import dataclasses
import functools
import os
import re
import textwrap
import tomllib

from learn.failure import UsageError
from learn.place import MINE, absolute, read

STARS = {
    1: "First steps",
    2: "Somebody still holds it",
    3: "Guess first, then measure",
    4: "The figures mislead",
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One exercise."""

    stem: str  # the pair's file without ".c": slice_prefix
    number: int
    stars: int  # 1 to 4
    title: str
    symptom: str
    hints: tuple
    resource: str  # what `check` names while it is unsolved
    words: tuple  # of the cause, which must not appear before it is solved
    calls: tuple  # functions whose work no answer shows, of which none may be left out;
    # "a|b": one of the two
    without: tuple  # functions that would hide from the judge what is allocated
    keeps: str  # what a fix still keeps by /status: "all" that the lab's fix does,
    # "some" of it, or "" for nothing

    @property
    def name(self):
        """As the learner types it: case-07."""
        return f"case-{self.number:02}"

    @property
    def scenario(self):
        """The pair's name in routes: slice-prefix."""
        return self.stem.replace("_", "-")

    @property
    def during(self):
        """Whether it is about what a call holds, and gives back at its end."""
        return "SCENARIO_TEMPORARY" in read(self.leaky)

    @property
    def churn(self):
        """Whether it is about what a call allocates and frees."""
        return "SCENARIO_CHURN" in read(self.leaky)

    @property
    def leaky(self):
        """The half with the leak."""
        return f"leaky/{self.stem}.c"

    @property
    def fixed(self):
        """The lab's solution."""
        return f"fixed/{self.stem}.c"

    @property
    def mine(self):
        """The learner's half."""
        return f"{MINE}/{self.name}.c"


def load(stem):
    """Reads one exercise."""
    with open(absolute(f"exercises/{stem}.toml"), "rb") as file:
        told = tomllib.load(file)
    return Case(
        stem=stem,
        number=told["number"],
        stars=told["stars"],
        title=told["title"],
        symptom=told["symptom"].strip(),
        hints=tuple(textwrap.dedent(hint).strip() for hint in told["hints"]),
        resource=told["resource"],
        words=tuple(told["words"]),
        calls=tuple(told.get("calls", ())),
        without=tuple(told.get("without", ())),
        keeps=told.get("keeps", ""),
    )


@functools.cache
def cases():
    """All exercises, from easy to hard."""
    names = os.listdir(absolute("exercises"))
    stems = [name[: -len(".toml")] for name in names if name.endswith(".toml")]
    return tuple(sorted(map(load, stems), key=lambda case: case.number))


def find(text):
    """The case that the learner names: case-07, or 7."""
    found = re.fullmatch(r"(?:case-)?0*(\d{1,3})", text)
    for case in cases():
        if found and case.number == int(found[1]):
            return case
    raise UsageError(f"no case named '{text}': ./learn.sh lists them")
