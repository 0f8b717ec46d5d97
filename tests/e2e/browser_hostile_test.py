"""Text from outside never becomes HTML in the pages: a stand-in passes on what a real
server says, with HTML put into every text of it."""

import contextlib
import http.server
import itertools
import json
import urllib.error
import urllib.request

import pytest

from browser import Browser
from checks import check, equal, wait_until
from servers import Server
from stand_in import LocalServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser, lab")]

HTML = "<img src=x onerror='window.hit=1'><script>window.hit=1</script>"
KEYS = {"title", "symptom", "story", "meaning", "cause", "fix", "find_it", "suspect"}
KEYS |= {"message", "hint", "version", "profile"}
LOCK_KEYS = {"name", "lock", "kind", "type", "wants", "state", "function", "file"}


class Hostile(LocalServer):
    """Passes requests on to a server of the lab, and puts HTML into its replies; or what
    another handler does."""

    def __init__(self, real, handler=None):
        super().__init__(handler or Handler)
        self.real = real


class Garbage(http.server.BaseHTTPRequestHandler):
    """A peer that is another program: JSON, but never what the page reads."""

    bodies = itertools.cycle(
        (b"null", b"[]", b"{}", b'"x"', b'{"pid": 1, "uptime_seconds": 1}', b"{", b"")
    )

    def log_message(self, *_):
        """Prints nothing, because the output belongs to the tests."""

    def do_GET(self):
        body = next(self.bodies)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Prints nothing, because the output belongs to the tests."""

    def do_POST(self):
        error = {"code": HTML, "message": HTML, "hint": HTML}
        self.answer(503, "application/json", json.dumps({"error": error}).encode(), {})

    def do_GET(self):
        asked = urllib.request.Request(self.server.real.url + self.path)
        try:
            with urllib.request.urlopen(asked) as reply:
                status, headers, body = reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            status, headers, body = error.code, error.headers, error.read()
        kind = headers["Content-Type"]
        if kind.startswith("application/json"):
            keys = LOCK_KEYS if "/debug/locks" in self.path else KEYS
            body = json.dumps(spoiled(json.loads(body), keys)).encode()
        elif "/lesson/" in self.path:
            body = body.replace(b"\n ", f"\n {HTML}".encode())
        elif self.path == "/debug/pprof/heap":
            body = body.replace(b"payload_read", b"<b>img</b>&a")  # of the same length
        self.answer(status, kind, body, headers)

    def answer(self, status, kind, body, headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name in ("Content-Security-Policy", "X-Content-Type-Options"):
            if name in headers:
                self.send_header(name, headers[name])
        self.end_headers()
        self.wfile.write(body)


def spoiled(value, keys, key=None):
    """The same with HTML in the texts that a page shows."""
    if isinstance(value, dict):
        return {key: spoiled(each, keys, key) for key, each in value.items()}
    if isinstance(value, list):
        return [spoiled(each, keys, key) for each in value]
    return value + HTML if key in keys and isinstance(value, str) else value


@pytest.fixture(scope="module", autouse=True)
def started():
    """A server, the stand-in before it, and a browser, for all tests here."""
    global leaky, hostile, browser
    with Server("leaky") as leaky, Hostile(leaky) as hostile, Browser() as browser:
        leaky.leak("slice-prefix", count=3)
        leaky.leak("lock-deadlock")
        yield


def test_texts_of_server_stay_text():
    """Titles, errors, answers, differences and functions with HTML in them are shown as
    they are, and nothing in them is run or asked for."""
    view = "/#interval=100&card=slice-prefix&search=<img src=x>&zoom=<b>;<i>"
    with browser.page(hostile.url + view, expected=["503"]) as page:
        page.find("[role=treeitem]")
        page.click("#card-slice-prefix [data-action=run]")
        refused = "#card-slice-prefix .lab-refused"
        wait_until(lambda: HTML in page.text(refused), what="the refusal")
        for fold in ("hint", "line", "diff"):
            page.click(f"#card-slice-prefix [data-fold={fold}] summary")
            place = f"#card-slice-prefix [data-fold={fold}]"
            wait_until(lambda: HTML in page.text(place), what=f"the {fold}")
        for place in ("#card-slice-prefix h4", "#card-slice-prefix .lab-symptom"):
            check(HTML in page.text(place), page.text(place))
        for place in (".proofs", ".locks tbody th", ".locks .lock", ".locks .place"):
            wait_until(lambda: HTML in page.text(place), what=f"the locks' {place}")
        check("<b>img</b>&a" in page.text(".functions"), page.text(".functions"))
        made = page.script(
            "return [...document.querySelectorAll('img, b, i, body script')]"
            ".map((each) => each.outerHTML)"
        )
        equal(made, [], "elements that were made of text")
        equal(page.script("return window.hit"), None, "what a text has run")
        asked = [url for url in page.requests() if url.endswith("/x")]
        equal(asked, [], "what a text has asked for")


def test_live_page_keeps_texts_as_text():
    """The same on the page of a debug port, which is the probe's own."""
    leaky_debug = leaky.debug_url
    with browser.page(f"{leaky_debug}/#profile={HTML}") as page:
        wait_until(lambda: "<img" in page.text(".refused"), what="the refusal")
        asked = [url for url in page.requests() if "img" in url and "#" not in url]
        equal(asked, [], "profiles that a link made the page ask for")
        options = page.text(".flame-controls")
        check("<img" in options, options)
        equal(
            page.script("return document.querySelectorAll('img').length"), 0, "pictures"
        )
        equal(page.script("return window.hit"), None, "what a text has run")


def test_peer_that_is_another_program():
    """What the peer sends is no status: it counts as away, and that is said; the own
    server's line goes on, and a scenario runs there alone."""
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(Hostile(None, Garbage))
        own = stack.enter_context(Server("leaky", "--peer", peer.url))
        url = f"{own.url}/#interval=50"
        page = stack.enter_context(browser.page(url, others=[peer.url]))
        wait_until(lambda: len(page.line("threads", "fixed")) >= 15, what="samples")
        equal(set(page.line("threads", "fixed")), {None}, "what is shown of it")
        check(None not in page.line("threads", "leaky"), "the own line has gaps")
        states = "not with its status"
        wait_until(lambda: states in page.text(".states"), what=states)
        page.click("#card-slice-prefix [data-action=run]")
        card = "#card-slice-prefix"
        wait_until(lambda: "1 call in" in page.text(f"{card} .lab-said"), what="a call")
        page.find(f"{card}:not(.lab-busy)")
        check("fixed: not measured" in page.text(card), page.text(card))
        equal(page.text(".messages-list"), "", "errors that nobody expected")
