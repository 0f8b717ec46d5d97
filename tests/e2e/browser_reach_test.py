"""The live page's graphs of what is lost and of who holds the rest, in a browser."""

import pytest

from browser import Browser
from checks import check, equal, wait_until
from servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

ROWS = """
return [...document.querySelectorAll(".functions tbody tr")]
    .map((row) => [...row.cells].map((cell) => cell.textContent))
"""
HEADS = "return [...document.querySelectorAll('.functions th[scope=col]')].map((each) => each.textContent)"
# Frames of the graph in one row, the widest first: their names.
LEVEL = """
return [...document.querySelectorAll(`[role=treeitem][aria-level="${arguments[0]}"]`)]
    .sort((a, b) => b.clientWidth - a.clientWidth).map((each) => each.textContent)
"""
HOLDER = "global signatures (leaky/slice_prefix.c:22)"


@pytest.fixture(scope="module", autouse=True)
def started():
    """A server under the recorder that has lost something and holds more, and a browser,
    for all tests here."""
    global leaky, browser
    with Server("leaky", "--profile", "recorder") as leaky, Browser() as browser:
        leaky.leak("slice-prefix", count=2)
        leaky.leak("cstring-argument", count=5, bytes="64K")
        yield


def live(server, view):
    return browser.page(f"{server.debug_url}/#{view}")


def seen(page):
    """The frames' names in the graph's rows of the root and of the two below it."""
    return [page.script(LEVEL, level) for level in (1, 2, 3)]


def test_holders_stand_under_the_root():
    """The retained profile's graph is a map of the heap: below the root are the holders,
    below these what they lead to. The table has the largest holder first."""
    with live(leaky, "profile=retained") as page:
        page.find("[role=treeitem]")
        root, holders, held = seen(page)
        heads, rows = page.script(HEADS), page.script(ROWS)
        about = page.text(".about-profile")
        chosen = page.script(
            "return [...document.querySelectorAll('.flame-controls select')][1]"
            ".selectedOptions[0].textContent"
        )
    equal((root, holders[0], held[0]), (["all"], HOLDER, "payload_read"), "the graph")
    equal(heads, ["Function or holder", "Allocated", "Holds"], "the table's head")
    equal(rows[0], [HOLDER, "0 B", "20.0 MiB"], "the largest holder")
    equal(rows[1], ["payload_read", "20.0 MiB", "20.0 MiB"], "what it holds")
    equal(chosen, "Held by (retained)", "the profile's name")
    check("who holds the memory" in about, about)
    check(" threads stopped for " in about and " bytes" not in about, about)


def test_what_a_holder_gained_is_drawn():
    """Since now: only the holder that gained something meanwhile."""
    with live(leaky, "profile=retained&since=1") as page:
        page.wait("document.querySelector('.told')?.textContent.includes('since')")
        leaky.leak("global-list", count=3)
        page.push("Take again")
        wait_until(
            lambda: page.script(ROWS)[:1] and "orders" in page.script(ROWS)[0][0],
            what="the holder that gained most",
        )
        name, own, held = page.script(ROWS)[0]
    check(name.startswith("global orders (leaky/global_list.c:"), name)
    check(own == "0 B" and held.startswith("+3."), f"{name}: {own}, {held}")


def test_lost_blocks_are_drawn_by_their_stacks():
    """The lost profile's graph has the stacks of lost blocks alone."""
    with live(leaky, "profile=lost") as page:
        page.find("[role=treeitem]")
        frames = page.script(
            "return [...document.querySelectorAll('[role=treeitem]')]"
            ".map((each) => each.textContent)"
        )
        heads, rows = page.script(HEADS), page.script(ROWS)
        about = page.text(".about-profile")
    check("setting_read" in frames and "payload_read" not in frames, frames)
    equal(heads, ["Function", "Own", "With callees"], "the table's head")
    equal(rows[0][0], "cstring_duplicate", "who allocated most of what is lost")
    check("Nothing in the process points" in about, about)


def test_nothing_lost_is_said():
    """A process that has lost nothing gets no graph, but a sentence."""
    with Server("fixed", "--profile", "recorder") as fixed:
        with live(fixed, "profile=lost") as page:
            page.wait("document.querySelector('.refused:not([hidden])')")
            said = page.text(".refused")
    check("Nothing is lost" in said, said)


@pytest.mark.parametrize("name", ["lost", "retained"])
def test_reason_is_said_where_there_is_none(name):
    """Without the recorder both are offered, and say why there is none and how to get
    it; the other profiles go on."""
    with Server("leaky") as other:
        with browser.page(
            f"{other.debug_url}/#profile={name}", expected=["501"]
        ) as page:
            page.wait("document.querySelector('.refused:not([hidden])')")
            said = page.text(".refused")
            hidden = page.script(
                "return document.querySelector('.about-profile').hidden"
            )
            page.script(
                "const select = [...document.querySelectorAll('.flame-controls select')][1];"
                "select.value = 'heap'; select.dispatchEvent(new Event('change'));"
            )
            page.find("[role=treeitem]")
    check("gperftools records this heap" in said, said)
    check("start the server with --profile recorder" in said, said)
    check(hidden, "it explains what is not there")


def test_reads_the_mark_of_what_others_hold_too():
    """A block with two holders is marked below the function that allocated it, and is
    still that function's own."""
    code = """
const {readStacks, functionsOf} = await import("/page/tree.js");
const profile = readStacks(new Uint8Array(await (await fetch(
    "/debug/pprof/retained")).arrayBuffer()));
const marked = profile.samples.filter(({labels}) => labels.length > 0);
return {
    leaves: [...new Set(marked.map(({frames}) => frames[0].name))],
    names: functionsOf(profile, "inuse_space").map(({name}) => name),
};
"""
    with browser.page(leaky.debug_url + "/debug/pprof/") as page:
        read = page.later(code)
    equal(read["leaves"], ["shared: other holders lead here, too"], "the mark")
    check(not any("shared" in name for name in read["names"]), read["names"])
