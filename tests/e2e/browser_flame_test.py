"""The flame graphs of the live page, in a browser."""

import pytest
from selenium.webdriver.common.keys import Keys

from browser import Browser
from checks import check, equal, wait_until
from raw_profile import function_sums
from servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

NAMES = (
    "[...document.querySelectorAll('[role=treeitem]')].map((each) => each.textContent)"
)
CRUMBS = "[...document.querySelectorAll('nav[aria-label=Zoom] li')].map((each) => each.textContent)"
REFUSED = "document.querySelector('.refused:not([hidden])')"
EMPTY = {  # what is said of the profiles of which there is nothing here
    "goroutineleak": "Of no thread is it proved",
    "threadcreate": "There are no such threads",
    "children": "There are no such children",
}
FRAME = """
return [...document.querySelectorAll("[role=treeitem]")]
    .find((each) => each.textContent === arguments[0])
"""


@pytest.fixture(scope="module", autouse=True)
def started():
    """A server that holds something, and a browser, for all tests here."""
    global leaky, browser
    with Server("leaky") as leaky, Browser() as browser:
        leaky.leak("slice-prefix", count=2)
        leaky.leak("thread-wait", count=5)
        leaky.leak("file-unclosed", count=7)
        leaky.leak("ticker-many")
        yield


def live(view=""):
    return browser.page(f"{leaky.debug_url}/#{view}")


def row(page, function):
    """The cells of a function in the table beside the graph."""
    return page.script(
        "const rows = [...document.querySelectorAll('.functions tbody tr')];"
        "const row = rows.find((each) => each.cells[0].textContent === arguments[0]);"
        "return row ? [...row.cells].slice(1).map((each) => each.textContent) : null;",
        function,
    )


def test_graph_is_zoomed_and_back():
    """A click makes a frame as wide as the graph; Escape and the path above lead back."""
    with live() as page:
        page.wait(f"{NAMES}.includes('payload_read')")
        width = "return document.querySelector('[role=tree]').clientWidth"
        frame = page.script(FRAME, "payload_receive")
        check(frame.size["width"] < page.script(width) - 5, "it is as wide already")
        frame.click()
        page.wait(f"{CRUMBS}.at(-1) === 'payload_receive'")
        frame = page.script(FRAME, "payload_receive")
        check(abs(frame.size["width"] - page.script(width)) <= 2, "it is not as wide")
        check(
            "payload_receive" in page.script("return location.hash"), "not in the link"
        )
        page.press(Keys.ESCAPE)
        page.wait(f"{CRUMBS}.at(-1) === 'leak_plan_run'")
        page.push("all")
        page.wait(f"{CRUMBS}.length === 1")
        check(page.script(f"return {NAMES}.length") > 10, "not all frames are back")


def test_link_keeps_view():
    """Profile, value, zoom and search stand in the address: the same page comes back."""
    view = "profile=allocs&value=alloc_space&search=payload"
    with live(view) as page:
        page.wait("document.querySelector('[role=treeitem].found')")
        page.script(FRAME, "payload_receive").click()
        page.wait(f"{CRUMBS}.at(-1) === 'payload_receive'")
        link = page.script("return location.href")
        shown = page.script(f"return {NAMES}")
    with live(link.partition("#")[2]) as page:
        page.wait(f"{CRUMBS}.at(-1) === 'payload_receive'")
        equal(page.script(f"return {NAMES}"), shown, "frames")
        chosen = "return [...document.querySelectorAll('.flame-controls select')]"
        values = page.script(f"{chosen}.map((each) => each.value)")
        equal(values, ["leaky", "allocs", "alloc_space"], "what is chosen")


def test_since_now_shows_what_has_grown():
    """Since now: nothing at first, then what payload_read has allocated since."""
    with live() as page:
        wait_until(
            lambda: row(page, "payload_read") == ["20.0 MiB"] * 2, what="2 calls"
        )
        page.push("Since now")
        page.wait("location.hash.includes('since')")
        wait_until(
            lambda: not row(page, "payload_read"), what="nothing of it has grown"
        )
        leaky.leak("slice-prefix", count=3)
        page.push("Take again")
        wait_until(lambda: row(page, "payload_read"), what="payload_read has grown")
        equal(row(page, "payload_read"), ["+30.0 MiB"] * 2, "its growth")
        more = "document.querySelector('[role=treeitem].more')"
        check("payload_read" in page.script(f"return {NAMES}"), "not in the graph")
        page.wait(more, what="the colour of what has grown")


def test_every_profile_is_drawn_and_can_be_downloaded():
    """Each profile of the index is offered, drawn with its numbers, and the link gives
    the profile itself."""
    listed = leaky.get("/debug/pprof/?format=json", debug=True).json()
    with live() as page:
        offered = "[...document.querySelectorAll('.flame-controls select')][1]?.options"
        page.wait(f"{offered}?.length === {len(listed)}")
        names = page.script(f"return [...{offered}].map((each) => each.value)")
        equal(names, [each["name"] for each in listed], "profiles")
    for entry in listed:
        name = entry["name"]
        if not entry["values"] or entry["status"] != 200:
            continue
        with live(f"profile={name}&value={entry['values'][-1]}") as page:
            page.wait(f"{NAMES}.length > 0 || {REFUSED}")
            link = page.find("#flames a[download]").get_attribute("href")
            equal(link, f"{leaky.debug_url}/debug/pprof/{name}", "the link")
            wait_until(
                lambda: name in page.text(".told [role=status]"), what="its summary"
            )
            root = page.script(FRAME, "all")
            label = root.get_attribute("aria-label") if root else page.text(".refused")
        if root is None:
            check(label.startswith(EMPTY.get(name, "?")), f"{name}: {label}")
            continue
        profile = leaky.get(f"/debug/pprof/{name}", debug=True).expect(200).body
        sums = function_sums(profile)[entry["values"][-1]]["own"]
        check(any(sums.values()), f"nothing in {name}: {sums}")
        check(label.startswith("all: "), f"{name}: {label}")


def test_kind_is_seen_and_is_no_function():
    """What a label says of a stack is a frame below it; in the table what it counts is
    the function's own. How many there are, and what was not seen, stands above."""
    with live("profile=fds") as page:
        page.wait(f"{NAMES}.includes('price_look_up')")
        frames = page.script(f"return {NAMES}")
        label = page.script(FRAME, "price_look_up").get_attribute("aria-label")
        kind = page.script(FRAME, "kind: file").get_attribute("class")
        equal(row(page, "price_look_up"), ["7", "7"], "descriptors that it opened")
        equal(row(page, "kind: file"), None, "a kind in the table of functions")
        about = page.text(".about-profile")
        legend = page.text(".legend")
    check({"kind: file", "kind: socket"} <= set(frames), frames)
    check(label.startswith("price_look_up: 7,"), label)
    check("tone-mark" in kind, kind)
    check("by the code that opened it" in about and "the kernel lists" in about, about)
    check("of which kind" in legend, legend)


def test_profile_that_fails_is_said():
    """A profile that the server does not have is refused in words, without a request, and
    the page goes on."""
    with live("profile=nothing") as page:
        page.wait("document.querySelector('.refused:not([hidden])')")
        check("nothing" in page.text(".refused"), page.text(".refused"))
        page.script(
            "const select = [...document.querySelectorAll('.flame-controls select')][1];"
            "select.value = 'heap'; select.dispatchEvent(new Event('change'));"
        )
        page.wait(f"{NAMES}.length > 5")
        page.wait("document.querySelector('.refused').hidden")
