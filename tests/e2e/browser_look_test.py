"""How both pages look, and whether everybody can use them: narrow and wide, light and
dark, by eye, keyboard and screen reader. The pictures are in out/screenshots/."""

import pytest

from browser import HEIGHT, Browser, lab
from checks import check, equal
from servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

# Each text that is seen, with its colour, what lies behind it, and how bold it is.
CONTRASTS = r"""
const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const read = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
};
const over = ([r, g, b, a], below) =>
    [r, g, b].map((part, i) => part * a + below[i] * (1 - a)).concat(1);
const ancestors = (node) => node ? [...ancestors(node.parentElement), node] : [];
const light = ([r, g, b]) => [r, g, b]
    .map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const found = [];
for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes]
        .filter((child) => child.nodeType === Node.TEXT_NODE)
        .map((child) => child.textContent.trim()).join("");
    const box = node.getBoundingClientRect();
    const seen = node.checkVisibility({checkOpacity: true, checkVisibilityCSS: true});
    if (text === "" || !seen || box.width <= 1 || box.height <= 1 ||
        node.matches(":disabled, [aria-disabled=true], option, noscript")) {
        continue;
    }
    let below = dark ? [18, 18, 18, 1] : [255, 255, 255, 1], opacity = 1;
    for (const each of ancestors(node)) {
        const style = getComputedStyle(each);
        below = over(read(style.backgroundColor), below);
        opacity *= Number(style.opacity);
    }
    const style = getComputedStyle(node);
    const colour = read(style.color);
    colour[3] *= opacity;
    const [high, low] = [light(over(colour, below)), light(below)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push([(high + 0.05) / (low + 0.05), large, node.tagName, node.className,
                text.slice(0, 40)]);
}
return found;
"""
# Texts that are broken into single letters, because their place is far too narrow.
BROKEN = """
return [...document.querySelectorAll("th, td, dt, li, p, h1, h2, h3, h4, label, button")]
    .filter((node) => {
        const range = document.createRange();
        range.selectNodeContents(node);
        const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
        return tops.size > 3 && tops.size > node.textContent.length / 4;
    })
    .map((node) => node.textContent);
"""
CONTROLS = set(
    "button link textbox searchbox combobox checkbox radio switch slider tab tree treeitem "
    "DisclosureTriangle img image table region article group form".split()
)
NAMELESS = {"group", "DisclosureTriangle"}  # a fold: its summary is its name


@pytest.fixture(scope="module", autouse=True)
def started():
    """Both servers, in which something leaks, one with locks that nobody gets any more,
    and a browser, for all tests here."""
    global leaky, fixed, recorded, locked, browser
    with (
        lab() as (leaky, fixed),
        Server("leaky", "--profile", "recorder") as recorded,
        Server("leaky") as locked,
        Browser() as browser,
    ):
        recorded.leak("slice-prefix", count=2)
        locked.leak("lock-deadlock")
        locked.leak("lock-never-released")
        for server in (leaky, fixed):
            server.leak("slice-prefix", count=2)
            server.leak("thread-wait", count=10)
        yield


def drawn(name, width=1400, scheme="light", interval=100):
    """The page of a debug port, also with the graph of who holds what, or with a table of
    locks and who opened what, or the lab's page with an open card, and its folds."""
    base = {
        "live": leaky.debug_url,
        "held": recorded.debug_url,
        "locks": locked.debug_url,
        "lab": leaky.url,
    }[name]
    profile = {"held": "&profile=retained", "locks": "&profile=fds"}.get(name, "")
    view = f"/#interval={interval}&card=slice-prefix{profile}"
    return browser.page(base + view, others=[fixed.url], width=width, scheme=scheme)


def complete(page):
    """Waits until the charts, the graph, the locks and the card are there."""
    page.rest("threads", "leaky")
    page.find("[role=treeitem]")
    page.script("document.fonts.ready")
    page.wait(
        "/waits? for a (lock|mutex or rwlock)/.test("
        "[...document.querySelectorAll('.told')].at(-1).textContent)"
    )
    page.script(
        "document.querySelectorAll('.locks details').forEach((e) => { e.open = true; })"
    )
    for fold in page.script(
        "return [...document.querySelectorAll('[data-fold]')].slice(0, 3)"
    ):
        page.script("arguments[0].open = true", fold)
    page.script(
        "document.querySelectorAll('details.fold').forEach((e) => { e.open = true; })"
    )
    page.wait("!document.body.textContent.includes('One moment')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("name", ["live", "held", "locks", "lab"])
def test_fits_and_can_be_read(name, width, scheme):
    """Nothing is wider than the window, and each text stands out from what is behind."""
    with drawn(name, width, scheme) as page:
        complete(page)
        page.screenshot(f"{name}-{width}-{scheme}")
        wide = page.script("return document.documentElement.scrollWidth")
        contrasts = page.script(CONTRASTS)
        broken = page.script(BROKEN)
    check(wide <= width, f"the page is {wide} pixels wide")
    check(len(contrasts) > 20, f"only {len(contrasts)} texts were found")
    equal(broken, [], "texts that are broken into letters")
    weak = [each for each in contrasts if each[0] < (3 if each[1] else 4.5)]
    equal(weak, [], "texts with little contrast")


def test_index_of_profiles_fits_a_phone():
    """Nor is anything on the index of the profiles, where long build ids may stand."""
    with browser.page(f"{leaky.debug_url}/debug/pprof/", width=360) as page:
        page.wait("document.readyState === 'complete'")
        page.script(
            "document.querySelectorAll('details').forEach((e) => { e.open = true; })"
        )
        names = page.script("return document.querySelector('#names') !== null")
        wide = page.script("return document.documentElement.scrollWidth")
    check(names, "no file without symbols here, and so no long line")
    check(wide <= 360, f"the page is {wide} pixels wide")


@pytest.mark.parametrize("width", [1150, 1400, 1600])
def test_charts_stay_beside_cards(width):
    """On a wide screen all charts are in the window while a card below is used."""
    with drawn("lab", width) as page:
        page.rest("threads", "leaky")
        page.script("document.querySelector('#card-slice-return').scrollIntoView()")
        boxes = page.script(
            "return [...document.querySelectorAll('.chart, #card-slice-return')].map("
            "(each) => each.getBoundingClientRect()).map((box) => [box.top, box.bottom])"
        )
        bar = page.script(
            "return document.querySelector('.lab-bar').getBoundingClientRect().bottom"
        )
    equal(len(boxes), 6, "charts and a card")
    for top, bottom in boxes:
        check(top >= bar, f"{boxes} lie below the bar, which ends at {bar}")
        check(bottom <= HEIGHT, f"{boxes} end in the window of {HEIGHT}")


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("name", ["live", "locks", "lab"])
def test_nothing_jumps(name, width):
    """While the page loads and its lines move, what is on it stays where it is."""
    with drawn(name, width) as page:
        page.rest("threads", "leaky")
        page.find("[role=treeitem]")
        page.polls(10)
        seen = page.script("return window.seen")
    print(f"{name} {width}: layout shift {seen['shift']:.4f}")
    check(seen["shift"] < 0.05, f"the layout jumps: {seen}")


def nodes(page):
    """Role, name and level of all that a screen reader knows of, in the page's order."""
    page.command("Accessibility.enable")
    found = []
    for node in page.command("Accessibility.getFullAXTree")["nodes"]:
        if node.get("ignored"):
            continue
        of = {
            each["name"]: each["value"].get("value")
            for each in node.get("properties", ())
        }
        name = (node.get("name", {}).get("value") or "").strip()
        found.append((node["role"]["value"], name, of.get("level")))
    return found


@pytest.mark.parametrize("name", ["locks", "lab"])
def test_screen_reader_knows_all(name):
    """Each control has a name, the headings are in order, the page has a language, a
    title and a main part, and no id is there twice."""
    with drawn(name) as page:
        complete(page)
        known = nodes(page)
        ids = page.script(
            "return [...document.querySelectorAll('[id]')].map((e) => e.id)"
        )
        language = page.script("return document.documentElement.lang")
        title = page.script("return document.title")
    named = [role for role, name_, _ in known if role in CONTROLS - NAMELESS and name_]
    check(len(named) > 15, f"only these were found: {named}")
    nameless = [
        each for each in known if each[0] in CONTROLS - NAMELESS and not each[1]
    ]
    equal(nameless, [], "controls without a name")
    levels = [(level, text) for role, text, level in known if role == "heading"]
    equal(
        [text for level, text in levels if level == 1], [levels[0][1]], "main headings"
    )
    for (before, _), (level, text) in zip(levels, levels[1:]):
        check(level <= before + 1, f"heading {text!r}: level {level} after {before}")
    equal([role for role, _, _ in known].count("main"), 1, "main parts")
    equal(
        sorted(each for each in set(ids) if ids.count(each) > 1), [], "ids used twice"
    )
    equal((language, bool(title)), ("en", True), "language and title")


@pytest.mark.parametrize("name", ["locks", "lab"])
def test_focus_is_seen(name):
    """What has the focus by the keyboard is marked, and is in the window."""
    with drawn(name) as page:
        complete(page)
        page.script("scrollTo(0, 0)")
        for _ in range(25):
            page.press("\ue004")
            mark = page.script(
                "const node = document.activeElement, style = getComputedStyle(node);"
                "const box = node.getBoundingClientRect();"
                "return [node.tagName + '.' + node.className, style.outlineStyle !== 'none' &&"
                " parseFloat(style.outlineWidth) >= 1 || style.boxShadow !== 'none',"
                " box.bottom > 0 && box.top < innerHeight]"
            )
            equal(mark[1:], [True, True], f"focus of {mark[0]}: marked, in the window")
