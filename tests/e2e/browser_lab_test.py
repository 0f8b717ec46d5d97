"""The lab's page in a browser, as a learner uses it: scenarios run by clicks, and their
answers looked up."""

import os
import re

import pytest
from selenium.webdriver.common.keys import Keys

from browser import AWAY, Browser, lab
from checks import check, equal, wait_until
from commands import run
from heap_profile import MIB
from servers import Server
from tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser, lab")]


@pytest.fixture(scope="module", autouse=True)
def started():
    """Both servers and a browser, for all tests here."""
    global leaky, fixed, browser
    with lab() as (leaky, fixed), Browser() as browser:
        yield


def lab_page(view="", **options):
    """The lab's page of the leaky server, which polls often."""
    url = f"{leaky.url}/#interval=50{view}"
    return browser.page(url, others=[fixed.url], **options)


def calls(server, scenario):
    """How often the server has run a scenario, by its own count."""
    return server.status()["scenarios"].get(scenario, {}).get("calls", 0)


def said(card):
    """A selector of what a card says of its last run."""
    return f"#card-{card} .lab-said"


# The chart that shows it, what one call leaves, the row of the card's table, and for how
# many samples the line must be level to be at rest: a server closes connections on which
# nothing has come for 2 s.
RUNS = {
    "slice-prefix": ("in_use", 10 * MIB, "heap in use", 8),
    "thread-wait": ("threads", 1, "threads", 8),
    "file-unclosed": ("fds", 1, "descriptors", 50),
}


@pytest.mark.parametrize("name", RUNS)
def test_leaky_line_rises_and_fixed_does_not(name):
    """Ten calls by a click: leaky's line rises by what they leave, fixed's does not; the
    card says what grew, and that the answers are equal."""
    chart, each, row, level = RUNS[name]
    with lab_page() as page:
        before = [page.rest(chart, server, level) for server in ("leaky", "fixed")]
        page.click(f"#card-{name} [data-action=run-10]")
        page.risen(chart, "leaky", before[0] + 8 * each)
        wait_until(lambda: "answer" in page.text(said(name)), what="the card's result")
        wait_until(
            lambda: "at rest" not in page.text(said(name)), what="figures at rest"
        )
        check("answers are equal" in page.text(said(name)), page.text(said(name)))
        grown = page.rest(chart, "fixed") - before[1]
        check(grown < 4 * each, f"fixed grew by {grown}")
        cells = f'#card-{name} [data-grew=kept] [data-resource="{row}"] td'
        grew = page.script(
            "return [...document.querySelectorAll(arguments[0])].map((each) =>"
            " [each.textContent, each.classList.contains('lab-grew')])",
            cells,
        )
        equal([marked for _, marked in grew], [True, False, False], f"marked in {grew}")
    equal([calls(each, name) for each in (leaky, fixed)], [10, 10], "calls")


def test_link_opens_card_and_runs_nothing():
    """A link to a card opens it; only a click runs it."""
    with lab_page("&card=global-list") as page:
        page.wait("!document.getElementById('body-global-list')?.hidden")
        page.polls(60)  # a card looks at the figures for 2 s before a call
    equal([calls(each, "global-list") for each in (leaky, fixed)], [0, 0], "calls")


def test_answers_come_with_their_folds():
    """Nothing that gives a scenario away is in the page, and none of it was asked for,
    before a fold is opened. Then the folds say where to look, the guilty line, and how
    the pair differs, as `make lesson` prints it."""
    name = "string-prefix"
    answers = {each["name"]: each for each in leaky.scenarios()}
    with lab_page(f"&card={name}") as page:
        page.find(f"#card-{name} [data-fold=hint]")
        html = page.script("return document.getElementById('scenarios').outerHTML")
        for each in answers.values():
            for key in ("cause", "fix", "find_it", "suspect"):
                told = each[key] and re.search(rf"(?<!\w){re.escape(each[key])}", html)
                check(not told, f"{each['name']}: the page has its {key}")
        asked = [url for url in page.requests() if re.search("answers|lesson/", url)]
        equal(asked, [], "answers that were asked for")
        for fold in ("hint", "line", "diff"):
            page.click(f"#card-{name} [data-fold={fold}] summary")
        page.wait("document.querySelectorAll('pre.lab-diff').length === 2")
        suspect = answers[name]["suspect"]
        hint = f"#card-{name} [data-fold=hint]"
        wait_until(lambda: suspect in page.text(hint), what=f"the hint, with {suspect}")
        folds = {
            each: page.text(f"#card-{name} [data-fold={each}]")
            for each in ("hint", "line", "diff")
        }
        shown = page.text(f"#card-{name} [data-fold=diff] pre")
    check(answers[name]["find_it"] in folds["hint"], folds["hint"])
    check(answers[name]["fix"] in folds["diff"], folds["diff"])
    equal(shown, run("make", "-s", "lesson", f"S={name}", cwd=ROOT).stdout, "the diff")
    with open(os.path.join(ROOT, "leaky", "string_prefix.c"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    guilty = next(i for i, line in enumerate(lines, 1) if "LEAK:" in line)
    check(f"leaky/string_prefix.c:{guilty}" in folds["line"], folds["line"])


def test_keyboard_alone_is_enough():
    """With Tab, Enter, Escape and arrows alone: a scenario is run, a fold is opened, a
    flame graph is zoomed and back."""
    name = "thread-loop"
    with lab_page() as page:
        page.risen("threads", "fixed", 1)
        page.find("[role=treeitem]")
        page.tab_to("[data-part=profiles]")
        page.press(Keys.ENTER)
        page.tab_to("[role=treeitem]")
        page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
        crumbs = "document.querySelectorAll('nav[aria-label=Zoom] li').length"
        page.wait(f"{crumbs} === 3")
        page.press(Keys.ESCAPE)
        page.wait(f"{crumbs} === 2")
        page.press(Keys.ESCAPE)
        page.wait(f"{crumbs} === 1")
        page.script("document.activeElement.blur(); scrollTo(0, 0)")
        page.tab_to(f"#card-{name} [data-action=run]")
        page.press(Keys.ENTER)
        wait_until(lambda: calls(fixed, name) == 1, what="the call")
        page.tab_to(f"#card-{name} [data-fold=hint] summary")
        page.press(Keys.ENTER)
        wait_until(
            lambda: len(page.text(f"#card-{name} .lab-fold")) > 20, what="the hint"
        )


def test_steady_rate_starts_and_stops():
    """A steady rate calls both servers again and again; after its end no call comes."""
    name = "cstring-argument"
    with lab_page("&rate=5") as page:
        page.click(f"#card-{name} [data-action=steady]")
        for server in (leaky, fixed):
            wait_until(lambda: calls(server, name) >= 3, what="three calls")
        page.click(f"#card-{name} [data-action=stop]")
        wait_until(lambda: "you stopped it" in page.text(said(name)), what="the end")
        page.find(f"#card-{name}:not(.lab-busy)")
        counts = [calls(each, name) for each in (leaky, fixed)]
        page.polls(40)
        equal(
            [calls(each, name) for each in (leaky, fixed)], counts, "calls since then"
        )


def test_steady_rate_that_stops_at_once_calls_nothing():
    """A call that waits for the figures before it is not made when nobody wants it."""
    name = "interface-list"
    with lab_page() as page:
        page.find(f"#card-{name}")
        page.script(
            "for (const name of ['steady', 'stop']) {"
            " document.querySelector(`${arguments[0]} [data-action=${name}]`).click(); }",
            f"#card-{name}",
        )
        wait_until(lambda: "you stopped it" in page.text(said(name)), what="the end")
        page.find(f"#card-{name}:not(.lab-busy)")
        page.polls(10)
        equal([calls(each, name) for each in (leaky, fixed)], [0, 0], "calls")


def test_refusal_of_guard_rail_is_shown_at_card():
    """A server that refuses says so where it was called, with what helps; the other one
    goes on."""
    with lab("--max-heap", "64M") as (small, other):
        wait_until(lambda: small.get("/leak/slice-prefix?id=x").status == 503)
        url = f"{small.url}/#interval=50"
        with browser.page(url, others=[other.url], expected=["503"]) as page:
            page.click("#card-slice-prefix [data-action=run]")
            refused = page.find("#card-slice-prefix [data-refusal=heap_limit]")
            equal(refused.is_displayed(), True, "is seen")
            told = page.text("#card-slice-prefix .lab-refused")
            for words in ("leaky refused", "--max-heap", "guard rail"):
                check(words in told, f"no {words!r} in {told!r}")
            check("fixed refused" not in told, told)
        equal(calls(other, "slice-prefix"), 1, "calls of fixed")


def test_peer_that_restarts_is_a_gap():
    """While fixed is away its line has a gap, leaky's goes on, and the page says what to
    type; when another process is in its place, the page says that too."""
    with lab() as (one, other):
        port, peer = other.port, one.url
        url = f"{one.url}/#interval=50"
        with browser.page(url, others=[other.url], expected=[AWAY]) as page:
            page.risen("threads", "fixed", 1)
            other.stop(limit=30)
            wait_until(lambda: page.line("threads", "fixed")[-1] is None, what="a gap")
            advice = f"build/fixed --port {port} --peer {peer}"
            wait_until(lambda: advice in page.shown(), what=f"the advice {advice}")
            page.click("#card-slice-tail [data-action=run]")
            wait_until(
                lambda: "at rest" in page.text(said("slice-tail")), what="a call"
            )
            with Server("fixed", "--port", port, "--peer", peer) as again:
                wait_until(lambda: page.line("threads", "fixed")[-1], what="its line")
                wait_until(lambda: f"pid {again.pid}" in page.shown(), what="its pid")
                check("restart" in page.shown().lower(), "no word of the restart")
                check(
                    None in page.line("threads", "fixed"), "the gap is no longer there"
                )
                line = page.line("threads", "leaky")
                check(None not in line, f"leaky's line has gaps: {line}")
