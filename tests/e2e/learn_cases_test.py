"""Every exercise: what is untouched, wrong or right gets the verdict that it deserves,
and nothing that a learner sees at first tells the cause."""

import re

import pytest

from checks import check, equal
from exercises import CASES, HANDED_IN, grade
from learn.verdict import DURING, FOUND
from learn.practise import TITLE, filled
from learn.session import untouched
from scenarios import scenario_names

LONG_RUNS = 5
CHECK_SECONDS = 10  # on two cores with nothing else to do; several run here at a time


def handed_in():
    """Each case with each thing that may be handed in. Of each kind, the seed chooses
    two cases in a run."""
    for kind in HANDED_IN:
        for index, name in enumerate(CASES):
            group = f"exercise, {kind}, {index % 2}"
            marks = pytest.mark.one_of(group, name)
            yield pytest.param(name, kind, id=f"{name}, {kind}", marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize("name, kind", handed_in())
def test_the_verdict_is_right(name, kind, request):
    """As `check` grades it; with --long five times."""
    case = CASES[name]
    hand_in, words = HANDED_IN[kind]
    text = hand_in(case)
    for _ in range(LONG_RUNS if request.config.option.long else 1):
        verdict = grade(case, text)
        check(verdict["word"] in words, f"{verdict}, expected {words}")
        if kind == "untouched":
            named = [said.replace("{}", "").strip() for said in expected_found(case)]
            there = any(said in verdict["found"] for said in named)
            check(there, f"{verdict}: not {named}")
        if kind == "no C":
            check("case-" in verdict["details"], verdict["details"])
            check("scenario.h" not in verdict["details"], verdict["details"])


def expected_found(case):
    """What is said of the resource that a case is about."""
    return (DURING if case.during else FOUND)[case.resource]


def test_every_pair_is_an_exercise():
    """Numbers from 1 on without a gap, and no later case is easier."""
    equal(sorted(case.scenario for case in CASES.values()), sorted(scenario_names()))
    equal([case.number for case in CASES.values()], list(range(1, len(CASES) + 1)))
    stars = [case.stars for case in CASES.values()]
    equal(stars, sorted(stars), "stars")


@pytest.mark.parametrize("name", CASES)
def test_an_exercise_is_complete(name):
    """Four hints that fit a terminal, a known resource, and a title that fits the list."""
    case = CASES[name]
    equal(len(case.hints), 4, "hints")
    check(case.resource in (DURING if case.during else FOUND), case.resource)
    check(len(case.title) <= TITLE, f"the title is too long: {case.title}")
    check(case.words, "no words that must not appear")
    for hint in case.hints:
        text = filled(hint, case, None)
        check(not re.search(r"\{\w+\}", text), f"a place that nothing fills: {text}")


@pytest.mark.parametrize("name", CASES)
def test_nothing_tells_the_cause(name):
    """No word of the cause is in the source, title, symptom or first hint."""
    case = CASES[name]
    shown = {
        "source": untouched(case),
        "title": case.title,
        "symptom": case.symptom,
        "first hint": case.hints[0],
    }
    telling = (*case.words, case.scenario, case.stem, "LEAK:", "FIX:")
    for where, text in shown.items():
        flat = " ".join(re.sub(r"^ ?\*", "", text, flags=re.MULTILINE).lower().split())
        for word in telling:
            check(word.lower() not in flat, f"{name}: '{word}' is in its {where}")
