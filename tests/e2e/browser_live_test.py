"""The live page of a debug port, in a browser: what its charts show."""

import pytest

from browser import AWAY, Browser
from checks import check, equal, wait_until
from heap_profile import MIB
from servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

OFTEN = "/#interval=50"
COUNTS = ["threads", "fds", "timers", "mappings", "children"]
CHARTS = ["in_use", "resident", *COUNTS]


@pytest.fixture(scope="module", autouse=True)
def started():
    """A server and a browser, for all tests here."""
    global leaky, browser
    with Server("leaky") as leaky, Browser() as browser:
        yield


def test_page_has_a_chart_of_each_resource():
    """Seven charts with one line each, which have the values of /status."""
    with browser.page(leaky.debug_url + OFTEN) as page:
        page.wait("Object.keys(window.leakCharts ?? {}).length === 7")
        equal(page.script("return Object.keys(leakCharts)"), CHARTS, "charts")
        for name in CHARTS:
            wait_until(
                lambda: len(page.line(name, "leaky")) >= 3, what=f"line of {name}"
            )
        status = leaky.status()
        figures = [*[status["memory"][k] for k in ("alloc_bytes", "rss_bytes")]]
        figures += [status[k] for k in COUNTS]
        for name, figure in zip(CHARTS, figures):
            shown = page.line(name, "leaky")[-1]
            check(abs(shown - figure) <= figure * 0.2 + 8, f"{name}: {shown}, {figure}")


def test_what_leaks_is_seen():
    """The lines rise by what the calls leave: bytes, threads, descriptors, timers, and
    the mappings of the threads' stacks."""
    with browser.page(leaky.debug_url + OFTEN) as page:
        before = {name: page.risen(name, "leaky", 0) for name in CHARTS}
        leaky.leak("slice-prefix", count=3)
        leaky.leak("thread-wait", count=40)
        leaky.leak("file-unclosed", count=60)
        leaky.leak("ticker-unstopped", count=20)
        page.risen("in_use", "leaky", before["in_use"] + 30 * MIB)
        page.risen("resident", "leaky", before["resident"] + 20 * MIB)
        page.risen("threads", "leaky", before["threads"] + 40)
        page.risen("fds", "leaky", before["fds"] + 50)
        page.risen("timers", "leaky", before["timers"] + 20)
        page.risen("mappings", "leaky", before["mappings"] + 40)


def test_restart_is_a_gap_and_said():
    """A server that is away is a gap in each line and is said in words; another process
    in its place is marked as a restart, in words too, and the lines go on."""
    first = Server("leaky")
    with browser.page(first.debug_url + OFTEN, expected=[AWAY]) as page:
        page.risen("threads", "leaky", 0)
        first.stop(limit=30)
        wait_until(lambda: page.line("threads", "leaky")[-1] is None, what="a gap")
        wait_until(lambda: "away" in page.shown(), what="'away' on the page")
        with Server("leaky", "--debug-port", first.debug_port):
            wait_until(
                lambda: page.line("threads", "leaky")[-1], what="the line goes on"
            )
            line = page.line("threads", "leaky")
            gap = line.index(None)
            check(all(y is not None for y in line[:gap]), f"before the gap: {line}")
            wait_until(lambda: "restart" in page.shown(), what="'restart' on the page")
            wait_until(lambda: "away" not in page.shown(), what="no more 'away'")


def test_paused_charts_keep_what_they_show():
    """A pause keeps the samples as they are, whatever time is chosen; afterwards the
    lines go on."""
    fast = "const now = performance.now.bind(performance); performance.now = () => 100 * now();"
    newest = "return leakCharts.fds.data.datasets[0].data.at(-1).x"
    with browser.page(leaky.debug_url + OFTEN, first=fast) as page:
        page.wait("performance.now() > 150000")
        page.push("Pause")
        minute = page.line("fds", "leaky")
        choose_time(page, 600)
        all_of_it = page.line("fds", "leaky")
        check(len(all_of_it) > len(minute), "no samples of before that minute")
        page.polls(10)
        choose_time(page, 60)
        equal(page.line("fds", "leaky"), minute, "the line of the minute")
        choose_time(page, 600)
        equal(page.line("fds", "leaky"), all_of_it, "the line of ten minutes")
        last = page.script(newest)
        page.push("Pause")
        wait_until(lambda: page.script(newest) > last, what="it goes on")


def choose_time(page, seconds):
    """Chooses how much time the charts show."""
    page.script(
        "const select = document.querySelector('#charts select');"
        "select.value = arguments[0]; select.dispatchEvent(new Event('change'));",
        str(seconds),
    )


def test_any_interval_in_link_is_bounded():
    """A link makes the page ask neither without a pause nor never again."""
    with browser.page(f"{leaky.debug_url}/#interval=Infinity") as page:
        page.risen("threads", "leaky", 1)
        page.wait("performance.now() > 2000")
        count = len(page.line("threads", "leaky"))
    check(count <= 2, f"{count} samples already")


def test_clock_that_is_set_moves_no_line():
    """The lines go on to the right, whatever the clock of the machine is set to."""
    back = "const now = Date.now; Date.now = () => now() - 1e6 * (performance.now() > 1e3);"
    with browser.page(leaky.debug_url + OFTEN, first=back) as page:
        wait_until(lambda: len(page.line("fds", "leaky")) >= 30, what="30 samples")
        page.wait("performance.now() > 2000")
        times = page.script(
            "return leakCharts.fds.data.datasets[0].data.map((p) => p.x)"
        )
        equal(times, sorted(times), "times of the samples")
        check(len(times) >= 30, f"only {len(times)} samples are seen")
