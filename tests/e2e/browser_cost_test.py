"""What the pages cost: the time until they are usable, their bytes, and what polling
takes of the server and of the browser. The limits allow for a busy machine."""

import os
import time

import pytest

from browser import Browser, lab
from checks import check, wait_until
from heap_profile import MIB

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

# Poll's pauses of a second take a millisecond.
FAST = """
const wait = window.setTimeout;
window.setTimeout = (call, ms, ...rest) => wait(call, ms > 500 ? ms / 1000 : ms, ...rest);
"""
HOUR = 3600  # samples
KEPT = 600  # samples that a page keeps of each server
POLLED = 2 * KEPT  # so often are all of them replaced; what grows is told for an hour


@pytest.fixture(scope="module", autouse=True)
def started():
    """Both servers and a browser, for all tests here."""
    global leaky, fixed, browser
    with lab() as (leaky, fixed), Browser() as browser:
        yield


def address(name):
    """The page of a debug port, or the lab's page."""
    return {"live": leaky.debug_url + "/", "lab": leaky.url + "/"}[name]


@pytest.mark.parametrize("name", ["live", "lab"])
def test_page_is_usable_at_once(name):
    """From loopback the first chart is drawn within 300 ms (more on a busy machine), and
    the page takes less than 500 KB in all."""
    times, sizes = [], []
    for _ in range(5):
        with browser.page(address(name), others=[fixed.url]) as page:
            page.command("Network.clearBrowserCache")
            page.forget()  # the first time, with which the browser warms up
            page.open(address(name))
            times.append(round(page.wait("window.seen.drawn")))
            page.wait("document.readyState === 'complete'")
            sizes.append(page.received())
    print(f"{name}: first chart after {sorted(times)} ms, {max(sizes)} bytes")
    check(min(times) < 4000, f"the first chart is drawn after {times} ms")
    check(100_000 < max(sizes) < 500_000, f"the page takes {sizes} bytes")


def cpu_seconds(pid):
    """What the threads of a process have used so far."""
    used = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            used += int(file.read().split()[0])
    return used / 1e9


@pytest.mark.one_of("polling", "processor")
def test_polling_takes_next_to_nothing_of_a_core():
    """A page at rest, which polls once a second, takes less than 1 % of a core of each
    server (more on a busy machine)."""
    with browser.page(address("lab"), others=[fixed.url]) as page:
        page.risen("in_use", "fixed", 1)
        before = [cpu_seconds(each.pid) for each in (leaky, fixed)]
        begin = time.monotonic()
        count = len(page.line("in_use", "leaky"))
        wait_until(lambda: len(page.line("in_use", "leaky")) >= count + 6, 60)
        passed = time.monotonic() - begin
        after = [cpu_seconds(each.pid) for each in (leaky, fixed)]
    shares = [(b - a) / passed for a, b in zip(before, after)]
    print(f"polling takes {[f'{share:.2%}' for share in shares]} of a core")
    check(max(shares) < 0.03, f"polling takes {shares} of a core")


@pytest.mark.one_of("polling", "memory")
def test_hour_of_polling_grows_nothing():
    """Neither the page's samples, nor the objects of its JavaScript and its document,
    nor what the server has in use: by a third of an hour's samples, after the page holds
    all that it keeps."""
    with browser.page(leaky.debug_url + "/", first=FAST, width=360) as page:
        page.command("Network.disable")  # its notes of each request would pile up
        polled(page, KEPT + 100)
        server = leaky.status()["memory"]["alloc_bytes"]
        before = [page.metric(name) for name in ("JSHeapUsedSize", "Nodes")]
        polled(page, POLLED)
        after = [page.metric(name) for name in ("JSHeapUsedSize", "Nodes")]
        grown = leaky.status()["memory"]["alloc_bytes"] - server
        kept = page.script(
            "return Math.max(...Object.values(leakCharts)"
            ".map((chart) => chart.data.datasets[0].data.length))"
        )
    hour = HOUR / POLLED
    print(
        f"JavaScript {before[0]} -> {after[0]}, nodes {before[1]} -> {after[1]}, "
        f"server {grown:+}, samples {kept}"
    )
    check(kept <= KEPT, f"{kept} samples are kept")
    objects, nodes = (b - a for a, b in zip(before, after))
    check(objects * hour < 3 * MIB, f"JavaScript has {before[0]}, then {after[0]}")
    check(nodes < 50, f"nodes: {before[1]}, then {after[1]}")
    check(grown < 4096, f"the server has {grown} bytes more in use")


def polled(page, count):
    """Waits until the page has polled so many times more."""
    # Every fifth time it asks for the locks, too.
    wanted = leaky.status()["requests_total"] + count * 6 // 5
    wait_until(
        lambda: time.sleep(0.2) or leaky.status()["requests_total"] >= wanted,
        200,
        f"{count} samples; the page has {len(page.line('in_use', 'leaky'))}",
    )
