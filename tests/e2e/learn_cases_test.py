"""Every exercise: what is untouched, wrong or right gets the verdict that it deserves,
and nothing that a learner sees at first tells the cause."""

import re

import pytest

from checks import check, equal
from exercises import CASES, HANDED_IN, changed, grade, half
from learn.practise import TITLE, filled
from learn.session import untouched
from learn.verdict import AFTER, DURING, growth
from other_fixes import FAIR, WAYS_OUT
from scenarios import scenario_names

LONG_RUNS = 5


def handed_in():
    """Each case with each thing that may be handed in. Of each kind, the seed chooses
    one case in a run."""
    for kind in HANDED_IN:
        for name in CASES:
            marks = pytest.mark.one_of(f"exercise, {kind}", name)
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


def others():
    """The other fixes, and which verdicts are right. The seed chooses some in a run."""
    fair = {key: (edits, ("solved",)) for key, edits in FAIR.items()}
    for index, (key, told) in enumerate((WAYS_OUT | fair).items()):
        marks = pytest.mark.one_of(f"exercise, other, {index % 2}", " ".join(key))
        yield pytest.param(*key, *told, id=": ".join(key), marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize("stem, name, edits, words", others())
def test_another_fix_gets_its_verdict(stem, name, edits, words):
    """A way out that does less is no solution; a fix that is right is one, also if it is
    not the lab's."""
    case = next(case for case in CASES.values() if case.stem == stem)
    verdict = grade(case, changed(half(case, case.leaky), edits))
    check(verdict["word"] in words, f"{name}: {verdict}, expected {words}")


def expected_found(case):
    """What is said of the resource that a case is about."""
    return (DURING if case.during else AFTER)[case.resource]


@pytest.mark.parametrize("resource", AFTER)
@pytest.mark.parametrize("during", (False, True))
def test_every_leak_has_words(resource, during):
    """A case about what is held during a call may leak something else as well."""
    for amount in (1, 2.5):
        told = {"resource": resource, "per_call": amount, "blamed": None}
        found, _ = growth(told, during)
        check("{}" not in found and " call" in found, found)


def test_every_pair_is_an_exercise():
    """Numbers from 1 on without a gap, and no later case is easier."""
    equal(sorted(case.scenario for case in CASES.values()), sorted(scenario_names()))
    equal([case.number for case in CASES.values()], list(range(1, len(CASES) + 1)))
    stars = [case.stars for case in CASES.values()]
    equal(stars, sorted(stars), "stars")


@pytest.mark.parametrize("name", CASES)
def test_an_exercise_is_complete(name):
    """Four hints that fit a terminal, a known resource, and a title that fits the
    list."""
    case = CASES[name]
    equal(len(case.hints), 4, "hints")
    check(case.resource in (DURING if case.during else AFTER), case.resource)
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
