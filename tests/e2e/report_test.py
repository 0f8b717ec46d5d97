"""The HTML report: what it shows at once, what it keeps folded away until it is asked
for, and that its links, its scale and its script are right."""

import base64
import hashlib
import html.parser
import os
import re

import pytest

from commands import run
from servers import Server
from tree import BUILD, ROOT, scratch

# One worker: all tests read the same report.
pytestmark = pytest.mark.xdist_group("report")

# One of each kind, two of one family, and two that the heap profile cannot see.
CHOSEN = (
    *("thread-wait", "lock-deadlock", "global-cache", "slice-prefix", "slice-tail"),
    *("file-unclosed", "loop-defer", "interface-list", "buffer-churn"),
)
VOID = {"meta", "link", "line", "br"}


class Element:
    """An element of a page; `parts` holds its texts and children in order."""

    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.parts = []

    def all(self, tag=None, cls=None):
        """Every element below, in the order of the page."""
        for part in self.parts:
            if isinstance(part, Element):
                classes = part.attributes.get("class", "").split()
                if tag in (None, part.tag) and (cls is None or cls in classes):
                    yield part
                yield from part.all(tag, cls)

    def words(self, folded=True):
        """What is read here, attributes included; without what <details> fold away."""
        for part in self.parts:
            if isinstance(part, str):
                yield part
            elif part.tag not in ("script", "style"):
                yield from part.attributes.values()
                whole = folded or part.tag != "details"
                inner = [part] if whole else part.all("summary")
                for element in inner:
                    yield from element.words(folded)

    def text(self, folded=True):
        return " ".join(" ".join(self.words(folded)).split())


class Reader(html.parser.HTMLParser):
    """Makes the tree of a page, and refuses one whose tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.root = self.at = Element("", {}, None)
        self.feed(text)
        self.close()
        assert self.at is self.root, f"<{self.at.tag}> is not closed"

    def handle_starttag(self, tag, attrs):
        element = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.parts.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag, attrs):
        self.at.parts.append(Element(tag, dict(attrs), self.at))

    def handle_endtag(self, tag):
        assert tag == self.at.tag, f"</{tag}> ends <{self.at.tag}>"
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.parts.append(data)


class Report:
    """A report of some scenarios, and what the server says of them."""

    def __init__(self, path, listed):
        with open(path, encoding="utf-8") as file:
            self.source = file.read()
        self.page = Reader(self.source).root
        self.by_id = {
            one.attributes["id"]: one
            for one in self.page.all()
            if "id" in one.attributes
        }
        self.scenarios = {one["name"]: one for one in listed if one["name"] in CHOSEN}

    def article(self, name):
        return self.by_id[name]

    def fold(self, name, cls):
        return next(self.article(name).all("details", cls))


@pytest.fixture(name="report", scope="module")
def made():
    """The report on CHOSEN, from servers that end with this fixture."""
    path = os.path.join(scratch(), "report.html")
    with Server("leaky") as leaky, Server("fixed") as fixed:
        urls = [leaky.url, fixed.url]
        chosen = [word for name in CHOSEN for word in ("--scenario", name)]
        judge = os.path.join(BUILD, "leakcheck")
        run(judge, *chosen, "--report", path, "--source", ROOT, *urls, limit=120)
        yield Report(path, leaky.scenarios())


def test_scenarios_stand_under_their_family(report):
    families = {}
    for one in report.scenarios.values():
        families.setdefault(one["family"], []).append(one["name"])
    shown = {}
    for section in report.page.all("section", "family"):
        title = next(section.all("h2")).text()
        shown[title] = [one.attributes["id"] for one in section.all("article")]
    wanted = {
        family.replace("-", " ").capitalize(): names
        for family, names in families.items()
    }
    assert shown == wanted
    rows = [one.text() for one in report.page.all("tr", "family")]
    assert len(rows) == len(wanted)
    assert all(any(title in row for row in rows) for title in wanted), rows


def test_links_lead_somewhere(report):
    ids = [one.attributes["id"] for one in report.page.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids)), "an id is there twice"
    links = [one.attributes.get("href", "#_top") for one in report.page.all("a")]
    lost = [link for link in links if not link.startswith("#") or link[1:] not in ids]
    assert lost == []
    for one in report.page.all("article"):
        ways = [link.attributes.get("href") for link in one.all("a")]
        assert "#_top" in ways, f"no way back to the top from {one.attributes['id']}"


def test_nothing_gives_the_answer_away_before_it_is_asked_for(report):
    open_text = report.page.text(folded=False)
    assert "All pairs" in open_text and "Cause and fix" in open_text
    for one in report.scenarios.values():
        blamed = [code.text() for code in report.fold(one["name"], "place").all("code")]
        answers = [one["title"], one["cause"], one["fix"], *one["files"], *blamed]
        answers += [one["suspect"]] if one["suspect"] else []
        for answer in answers:
            assert answer not in open_text, f"{one['name']}: {answer}"
    assert "LEAK:" not in open_text and "FIX:" not in open_text
    assert not [one for one in report.page.all("details") if "open" in one.attributes]


def test_guilty_line_does_not_tell_the_cause(report):
    hidden = 0
    for one in report.scenarios.values():
        place = report.fold(one["name"], "place").text()
        hidden += "(see Cause and fix)" in place
        for answer in (one["title"], one["cause"], one["fix"], "LEAK:"):
            assert answer not in place, f"{one['name']}: {answer}"
        answer = report.fold(one["name"], "answer").text()
        for wanted in (one["title"], one["cause"], one["fix"], "LEAK:", "FIX:"):
            assert wanted in answer, f"{one['name']}: no {wanted}"
        if one["suspect"]:
            assert one["suspect"] in place, one["name"]
    assert hidden > 0, "no excerpt has such a comment: nothing was tested"


def box_figures(box):
    """Left edge, width and row of a box."""
    style = box.attributes["style"]
    found = re.fullmatch(r"--l:([0-9.]+);--w:([0-9.]+);--r:(\d+)", style)
    return float(found[1]), float(found[2]), int(found[3])


def bytes_of(text):
    number, unit = text.split()
    return float(number) * 1024 ** ("B", "KiB", "MiB", "GiB").index(unit)


def test_both_icicles_have_one_scale(report):
    icicles = list(report.page.all("div", "icicle"))
    assert len(icicles) == 2
    full = bytes_of(report.by_id["_scale"].text())
    compared = 0
    for icicle in icicles:
        above = {}  # by row, the last box
        for box in icicle.all("a", "box"):
            left, width, row = box_figures(box)
            size = bytes_of(box.attributes["data-bytes"])
            if float(box.attributes["data-bytes"].split()[0]) >= 10:
                part = size / full
                assert abs(width / 100 - part) < 0.006 * part + 1e-4, box.text()
                compared += 1
            if row > 0:
                outer_left, outer_width = above[row - 1]
                assert left > outer_left - 0.001, box.text()
                assert left + width < outer_left + outer_width + 0.001, box.text()
            above[row] = (left, width)
    assert compared > 20
    legend = next(report.page.all("ul", "legend")).text()
    for kind in ("own code", "libraries"):
        assert kind in legend


def test_boxes_and_scenarios_lead_to_each_other(report):
    for name, one in report.scenarios.items():
        links = report.fold(name, "place").all("a")
        targets = [link.attributes["href"] for link in links]
        boxes = [target[1:] for target in targets if target.startswith("#_leaky-")]
        assert bool(boxes) or one["kind"] != "permanent", f"{name} has no box"
        for box in boxes:
            assert report.by_id[box].attributes["href"] == f"#{name}"


def test_figures_are_in_words(report):
    text = report.page.text()
    assert "of it)" not in text and "1 calls" not in text and "1000.0 KiB" not in text
    facts = next(report.article("slice-prefix").all("dl")).text()
    assert "Leaky 1.0 MiB a call, as declared" in facts
    assert "0.98 MiB a call, as declared" in report.article("interface-list").text()
    peak = report.article("loop-defer").text()
    assert "200 descriptors at the peak of a call" in peak
    assert "1 thread a call, as declared" in report.article("thread-wait").text()
    # Each cell of the overview has its column's name, for pages that hide the heading.
    for row in next(report.page.all("table")).all("tr"):
        cells = list(row.all("td"))
        labels = [cell.attributes.get("data-label") for cell in cells]
        assert labels in ([], [None, "Grows", "Leaky", "Fixed", "Declared"])
        assert not any(cell.text().startswith("-") for cell in cells)


def test_code_says_that_it_scrolls(report):
    blocks = list(report.page.all("pre"))
    assert len(blocks) >= 2 * len(CHOSEN) - 2
    for block in blocks:
        assert block.attributes["tabindex"] == "0", "keys cannot scroll it"
        assert block.attributes["aria-label"] != ""
        caption = next(block.parent.all("figcaption")).text()
        assert "scrolls sideways" in caption


def test_policy_lets_the_script_of_the_page_run_and_no_other(report):
    scripts = re.findall(r"<script>(.*?)</script>", report.source, re.DOTALL)
    assert len(scripts) == 1
    digest = hashlib.sha256(scripts[0].encode()).digest()
    wanted = f"script-src 'sha256-{base64.b64encode(digest).decode()}'"
    policies = [
        one.attributes["content"]
        for one in report.page.all("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    assert wanted in policies[0], f"the policy must have {wanted}"
    assert "default-src 'none'" in policies[0]
    for one in report.page.all():
        assert not [name for name in one.attributes if name.startswith("on")]
