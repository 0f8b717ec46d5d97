"""The live page as a server sends it: its files and headers, that it is complete in
itself, and that the index of the profiles tells it the truth. No browser is needed."""

import gzip
import re
import shutil
import subprocess
import urllib.parse

import pytest

from checks import check, equal
from servers import Server
from tree import scratch

PAGE_LIMIT = 500 * 1000  # bytes of all files together
TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
# How one file names another.
NAMES = (r'(?:href|src)="(/[^"]*)"', r'from "(/[^"]*)"', r'url\(["\']?([^)"\']*)')


@pytest.fixture(scope="module", autouse=True)
def started():
    """The server of all tests here."""
    global server
    with Server("leaky", "--peer", "http://127.0.0.1:9") as server:
        yield


def get(path):
    return server.get(path, debug=True)


def page_files():
    """The replies for the page and all files that it names, by path."""
    replies = {}
    wanted = ["/"]
    while wanted:
        path = wanted.pop()
        if path in replies:
            continue
        replies[path] = get(path).expect(200)
        if path.endswith(".min.js"):
            continue  # what a library writes in its comments is no name of a file
        for pattern in NAMES:
            wanted += [
                name
                for name in re.findall(pattern, replies[path].text)
                if name.startswith("/page/")
            ]
    return replies


def test_every_file_that_page_names_is_there_with_its_type():
    """Every file that the page names is there, with its type, and not to be sniffed."""
    replies = page_files()
    for needed in ("live.js", "live.css", "chart.min.js", "profile.js", "icicle.js"):
        check(f"/page/{needed}" in replies, f"{needed} is not named: {list(replies)}")
    for path, reply in replies.items():
        ending = "html" if path == "/" else path.rsplit(".", 1)[1]
        equal(reply.headers["content-type"], TYPES[ending], f"type of {path}")
        equal(reply.headers["x-content-type-options"], "nosniff", path)
        check(len(reply.body) > 40, f"{path} is {reply.text!r}")


def test_page_is_small():
    """All that the page loads is under 500 KB."""
    sizes = {path: len(reply.body) for path, reply in page_files().items()}
    check(sum(sizes.values()) < PAGE_LIMIT, sizes)
    equal(len(get("/").body), sizes["/"], "the page again")


def test_page_asks_no_other_server():
    """The page loads from its own server alone; its policy allows no inline script or
    style, no frame, and no connection but to this server and its peer."""
    for path, reply in page_files().items():
        if not path.endswith(".min.js"):
            for pattern in NAMES:
                for name in re.findall(pattern, reply.text):
                    check(name.startswith("/"), f"{path} names {name}")
    policy = get("/").headers["content-security-policy"]
    rules = dict(part.split(" ", 1) for part in policy.split("; "))
    equal(rules["default-src"], "'self'", "default-src")
    equal(rules["frame-ancestors"], "'none'", "frame-ancestors")
    equal(rules["base-uri"], "'none'", "base-uri")
    equal(
        rules["connect-src"].split(),
        ["'self'", "http://localhost:9", "http://127.0.0.1:9"],
        "connect-src",
    )
    check("unsafe" not in policy, policy)


def test_page_has_nothing_inline():
    """The page has no script, style or handler in its HTML, which its policy forbids,
    and its scripts make no HTML of texts."""
    html = get("/").text
    check(not re.search(r"<style|\sstyle=|\son\w+=", html), html)
    for script in re.findall(r"<script[^>]*>(.*?)</script>", html, re.S):
        equal(script, "", "inline script")
    for path, reply in page_files().items():
        if path.endswith(".js") and not path.endswith(".min.js"):
            maker = re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(",
                reply.text,
            )
            check(not maker, f"{path}: {maker}")


def test_page_knows_nothing_of_lab():
    """The page on the debug port is for any program: no word of it is the lab's."""
    for path, reply in page_files().items():
        if not path.endswith(".min.js"):
            for word in ("leaky", "fixed server", "scenario", "/page/lab", "lesson"):
                check(word not in reply.text, f"{path} speaks of {word}")
    lab = server.get("/").expect(200)
    check("/page/lab/" in lab.text, "the main port has the lab's page")


def test_files_of_page_are_on_both_ports():
    """The files of the page are the same on the main port: the lab's page has them too."""
    for path, reply in page_files().items():
        if path != "/":
            equal(server.get(path).expect(200).body, reply.body, path)


def test_head_of_page_is_its_headers():
    """HEAD is answered with the headers of GET, and no body."""
    for path in ("/", "/page/live.js"):
        got = get(path).expect(200)
        head = subprocess.run(
            ["curl", "-sSI", "--max-time", "10", server.debug_url + path],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        check(head.startswith("HTTP/1.1 200"), head)
        check(f"Content-Length: {len(got.body)}\n" in head.replace("\r", ""), head)
        check(got.headers["content-type"] in head, head)


def test_what_is_no_file_of_page_is_refused():
    """An unknown file gives 404, a parameter 400, another method 405."""
    for name in ("x", "live", "live.js.map", "../status", "lab/x"):
        get(f"/page/{name}").error(404)
    get("/page/").error(404)
    get("/page/live.js?x=1").error(400)
    get("/?x=1").error(400)
    for path in ("/", "/page/live.js"):
        reply = server.post(path, debug=True)
        reply.error(405)
        equal(reply.headers["allow"], "GET, HEAD", f"Allow of {path}")


def value_names(name):
    """The names of a profile's values, as Go's pprof reads them."""
    profile = f"{scratch()}/profile"
    data = get(f"/debug/pprof/{name}").expect(200).body
    with open(profile, "wb") as file:
        file.write(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    raw = subprocess.run(
        ["go", "tool", "pprof", "-raw", profile],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    line = raw.split("Samples:\n", 1)[1].split("\n", 1)[0]
    return [value.split("/")[0] for value in line.replace("[dflt]", "").split()]


@pytest.mark.skipif(shutil.which("go") is None, reason="needs go tool pprof")
def test_index_says_which_values_each_profile_has():
    """The index as JSON names the values of each profile as they are in it."""
    listed = get("/debug/pprof/?format=json").expect(200).json()
    drawn = [entry for entry in listed if entry["values"]]
    check({"heap", "goroutine"} <= {entry["name"] for entry in drawn}, listed)
    for entry in drawn:
        equal(sorted(entry), ["name", "status", "title", "values"], "members")
        check(len(entry["title"]) > 3, entry)
        get(f"/debug/pprof/{entry['name']}").expect(entry["status"])
        if entry["status"] == 501:
            continue
        equal(value_names(entry["name"]), entry["values"], entry["name"])


def test_index_is_the_same_as_html():
    """The index as JSON lists what the index page lists, in the same order. The page
    leads to what is no profile, too."""
    listed = [entry["name"] for entry in get("/debug/pprof/?format=json").json()]
    html = get("/debug/pprof/").expect(200)
    shown = re.findall(r'<dt><a href="/debug/pprof/(\w+)', html.text)
    equal([name for name in shown if name in listed], listed, "order of the profiles")
    others = {"trace", "cmdline", "symbol"}
    equal(set(shown) - set(listed), others, "what is no profile")
    for path in ("/", "/status", "/metrics", "/debug/locks"):
        get(path).expect(200)
        check(f'href="{path}"' in html.text, f"the index does not lead to {path}")
    get("/debug/pprof/?format=xml").error(400, "bad_parameter")


@pytest.mark.parametrize(
    "profile, missing",
    [
        ("off", {"heap", "allocs", "lost", "retained"}),
        ("exact", {"lost", "retained"}),
        ("recorder", set()),
    ],
)
def test_profile_that_is_not_there_is_listed_so_and_says_why(profile, missing):
    """The index has 501 for a profile that this process has not; asked for, it says how
    to get it."""
    with Server("leaky", "--profile", profile) as other:
        listed = other.get("/debug/pprof/?format=json", debug=True).json()
        statuses = {entry["name"]: entry["status"] for entry in listed}
        equal({k for k, v in statuses.items() if v != 200}, missing, statuses)
        for name, status in statuses.items():
            reply = other.get(f"/debug/pprof/{name}", debug=True).expect(status)
            if status != 200:
                check("--profile" in reply.error(501)["hint"], reply.text)


def test_page_asks_only_for_what_there_is():
    """Every path of this server that the page's scripts and links name is there."""
    for path, reply in page_files().items():
        if path.endswith(".min.js"):
            continue
        for name in re.findall(r'"(/(?:debug|status)[^"$`]*)"', reply.text):
            get(urllib.parse.urljoin("/", name)).expect(200)
