"""A page of another site, or of another port of this machine, drives neither server;
the lab's own pages, its peer's, and programs that are no browsers do."""

import pytest

from checks import check, equal
from http_request import exchange
from servers import Server

PEER = "http://peer.example:8099"
LEAK = "/leak/buffer-churn?bytes=4K"


@pytest.fixture(scope="module", autouse=True)
def started():
    """The server of all tests here, and its ports."""
    global server, MAIN, DEBUG
    with Server("leaky", "--peer", PEER) as server:
        MAIN, DEBUG = server.port, server.debug_port
        yield


def ask(path, *headers, host="127.0.0.1", method="GET", debug=False):
    """Sends a request with these header lines; `host` gets the port that is asked."""
    port = DEBUG if debug else MAIN
    name = host if ":" in host else f"{host}:{port}"
    lines = [f"{method} {path} HTTP/1.1", f"Host: {name}", *headers]
    lines.append("Connection: close")
    if method == "POST":
        lines.append("Content-Length: 0")
    reply = exchange(port, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    check(reply is not None, f"no reply to {headers}")
    return reply


def calls():
    return server.status()["scenarios"]["buffer-churn"]["calls"]


def refused_everywhere(*headers, host="127.0.0.1"):
    before = calls()
    for method in ("GET", "POST"):
        reply = ask(LEAK, *headers, host=host, method=method)
        reply.error(403, "cross_site")
        check(reply.closed, f"{headers}: the connection stays open")
    for debug in (False, True):
        ask("/status", *headers, host=host, debug=debug).error(403, "cross_site")
        dump = ask("/debug/heap/dump", *headers, host=host, method="POST", debug=debug)
        dump.error(403, "cross_site")
    equal(calls(), before, f"calls after {headers}")


def allowed(*headers, host="127.0.0.1", debug=False):
    ask("/status", *headers, host=host, debug=debug).expect(200)
    if not debug:
        before = calls()
        for method in ("GET", "POST"):
            ask(LEAK, *headers, host=host, method=method).expect(200)
        equal(calls(), before + 2, f"calls after {headers}")


def test_without_any_header_of_browser_everything_works():
    """Without any header of a browser everything works."""
    allowed()
    allowed(debug=True)
    allowed(host="localhost")
    allowed(host="LOCALHOST")


def test_origin_that_is_address_asked_is_allowed():
    """An Origin that is the address asked is allowed, in upper case too."""
    for host in ("127.0.0.1", "localhost"):
        allowed(f"Origin: http://{host}:{MAIN}", host=host)
        allowed(f"Origin: http://{host}:{DEBUG}", host=host, debug=True)
        same = "Sec-Fetch-Site: same-origin"
        allowed(f"Origin: http://{host}:{MAIN}", same, host=host)
    allowed(f"Origin: http://LocalHost:{MAIN}", host="localhost")
    allowed(f"Origin: http://localhost:{MAIN}", host="LOCALHOST")


def test_another_name_of_same_address_is_another_origin():
    """Another name of the same address is another origin, as to a browser."""
    for host, name in (("127.0.0.1", "localhost"), ("localhost", "127.0.0.1")):
        before = calls()
        ask(LEAK, f"Origin: http://{name}:{MAIN}", host=host).error(403, "cross_site")
        origin = f"Origin: http://{name}:{DEBUG}"
        ask("/status", origin, host=host, debug=True).error(403, "cross_site")
        equal(calls(), before, "calls")


def test_page_of_another_port_is_refused():
    """A page of another port is refused, also when it is on this machine."""
    for host in ("127.0.0.1", "localhost"):
        for port in (1, 3000, 80, 8099):
            refused_everywhere(f"Origin: http://{host}:{port}", host=host)
        refused_everywhere(f"Origin: http://{host}", host=host)
        refused_everywhere(
            f"Origin: http://{host}:3000", "Sec-Fetch-Site: same-site", host=host
        )


def test_page_of_this_server_other_port_is_allowed():
    """A page of this server's other port is allowed, on any name of this server."""
    for host in ("127.0.0.1", "localhost"):
        for name in ("127.0.0.1", "localhost", "LOCALHOST"):
            allowed(f"Origin: http://{name}:{DEBUG}", host=host)
            allowed(f"Origin: http://{name}:{MAIN}", host=host, debug=True)
            site = "Sec-Fetch-Site: same-site"
            allowed(f"Origin: http://{name}:{DEBUG}", site, host=host)
    refused_everywhere(f"Origin: http://example.com:{DEBUG}")
    refused_everywhere(f"Origin: http://10.0.0.1:{MAIN}")


def test_origin_without_port_is_port_80():
    """An Origin without a port is port 80, and so is a Host without one."""
    refused_everywhere("Origin: http://127.0.0.1")
    reply = ask("/status", "Origin: http://localhost", host="localhost:80")
    reply.expect(200)
    request = b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for origin in (b"http://localhost", b"http://localhost:80"):
        reply = exchange(MAIN, request + b"Origin: " + origin + b"\r\n\r\n")
        reply.expect(200)
    reply = exchange(
        MAIN, request + f"Origin: http://localhost:{MAIN}\r\n\r\n".encode()
    )
    reply.error(403, "cross_site")


def test_origin_null_other_schemes_lists():
    """Origin null, other schemes, lists, and what is no origin are refused."""
    own = f"127.0.0.1:{MAIN}"
    for origin in (
        "null",
        "",
        f"https://{own}",
        f"HTTP://{own}",
        f"ws://{own}",
        "file://",
        own,
        f"//{own}",
        f"http://{own}/",
        f"http://{own}/status",
        f"http://{own} http://{own}",
        f"http://{own},http://{own}",
        f"http://x@{own}",
        f"http://{own}@example.com",
        f"http://127.0.0.1:0{MAIN}",
        f"http://127.0.0.1:{MAIN + 65536}",
        f"http://{own}.example.com",
        "http://example.com",
        "chrome-extension://abcdefgh",
    ):
        refused_everywhere(f"Origin: {origin}")


def test_origin_or_sec_fetch_site_given_twice_is_refused():
    """Origin or Sec-Fetch-Site given twice is refused, even when each is right."""
    own = f"Origin: http://127.0.0.1:{MAIN}"
    refused_everywhere(own, own)
    refused_everywhere(own, "Origin: http://example.com")
    refused_everywhere(own, "origin: null")
    refused_everywhere("Sec-Fetch-Site: none", "Sec-Fetch-Site: none")
    refused_everywhere("Sec-Fetch-Site: same-origin", "sec-fetch-site: cross-site")


def test_sec_fetch_site_cross_site_is_refused_everywhere():
    """Sec-Fetch-Site: cross-site is refused everywhere, whatever the Origin."""
    refused_everywhere("Sec-Fetch-Site: cross-site")
    refused_everywhere("Sec-Fetch-Site: Cross-Site")
    refused_everywhere(f"Origin: http://127.0.0.1:{MAIN}", "Sec-Fetch-Site: cross-site")


def test_same_site_without_origin_may_look_and_may_not_leak():
    """Same-site without an Origin may look, and may not leak."""
    before = calls()
    for site in ("same-site", "Same-Site"):
        header = f"Sec-Fetch-Site: {site}"
        for path in (LEAK, "/leak?id=x", "/leak/", "/leak/churn", "/leak/none"):
            for method in ("GET", "POST"):
                ask(path, header, method=method).error(403, "cross_site")
        for path in ("/status", "/scenarios", "/debug/pprof/heap", "/healthz"):
            for debug in (False, True):
                ask(path, header, debug=debug).expect(200)
    equal(calls(), before, "calls")
    for site in ("same-origin", "none"):
        allowed(f"Sec-Fetch-Site: {site}")


def test_peer_origin_of_that_url_is_allowed():
    """--peer: the origin of that URL is allowed, no other port or name of it."""
    allowed(f"Origin: {PEER}")
    allowed(f"Origin: {PEER}", "Sec-Fetch-Site: same-site")
    allowed(f"Origin: {PEER}", debug=True)
    allowed("Origin: http://PEER.example:8099")
    for origin in (
        "http://peer.example:8100",
        "http://peer.example",
        "https://peer.example:8099",
        "http://other.example:8099",
    ):
        refused_everywhere(f"Origin: {origin}")
    refused_everywhere(f"Origin: {PEER}", "Sec-Fetch-Site: cross-site")
    # That its pages are allowed makes its name none of this server's.
    ask("/status", host="peer.example:8099").error(403, "forbidden_host")


def reader(origin, debug=False):
    """The origin whose page may read the reply to a request from there."""
    reply = ask("/status", f"Origin: {origin}", debug=debug)
    return reply.headers.get("access-control-allow-origin")


def test_peer_and_other_port_may_read_replies():
    """A browser lets a page of the peer, or of the other port, read a reply. The page's
    own server need not say so; of another page the reply says nothing."""
    for debug in (False, True):
        equal(reader(PEER, debug), PEER, "what the peer's page may read")
    for name in ("127.0.0.1", "localhost"):
        equal(reader(f"http://{name}:{MAIN}", True), f"http://{name}:{MAIN}", "main")
        equal(reader(f"http://{name}:{DEBUG}"), f"http://{name}:{DEBUG}", "debug")
    equal(reader(f"http://127.0.0.1:{MAIN}"), None, "what the own page may read")
    equal(reader("http://example.com"), None, "what a foreign page may read")
    leak = ask(LEAK, f"Origin: {PEER}")
    equal(leak.headers.get("access-control-allow-origin"), PEER, "the reply to /leak")
    plain = ask("/status")
    check("access-control-allow-origin" not in plain.headers, plain.headers)


def test_refused_peer_may_read_why():
    """The peer's page may read an error, too: it shows the reason."""
    reply = ask("/leak/none", f"Origin: {PEER}")
    reply.error(404, "unknown_scenario")
    equal(reply.headers.get("access-control-allow-origin"), PEER, "of an error")


def test_names_of_loopback_are_one_peer():
    """localhost and 127.0.0.1 are the same peer, on the same port only."""
    with Server("fixed", "--peer", "http://localhost:8099") as other:
        for origin, status in (
            ("http://localhost:8099", 200),
            ("http://127.0.0.1:8099", 200),
            ("http://127.0.0.2:8099", 403),
            ("http://127.0.0.1:8100", 403),
            ("http://localhost.example:8099", 403),
        ):
            other.get("/status", headers={"Origin": origin}).expect(status)


def test_peer_without_port_is_port_80():
    """--peer without a port is port 80; without --peer there is no peer."""
    with Server("fixed", "--peer", "http://peer.example/") as other:
        for origin, status in (
            ("http://peer.example", 200),
            ("http://peer.example:80", 200),
            ("http://peer.example:8099", 403),
        ):
            other.get("/status", headers={"Origin": origin}).expect(status)
    with Server("fixed") as other:
        for origin in (PEER, server.url, "http://"):
            reply = other.get("/status", headers={"Origin": origin})
            error = reply.error(403, "cross_site")
            check("--peer" in error["hint"], error)


def test_http_1_0_without_host():
    """HTTP/1.0 without a Host: an Origin can be no address that was asked."""
    for origin, status in (
        (f"http://127.0.0.1:{MAIN}", 403),
        (f"http://127.0.0.1:{DEBUG}", 200),
        (PEER, 200),
    ):
        data = f"GET /status HTTP/1.0\r\nOrigin: {origin}\r\n\r\n"
        equal(exchange(MAIN, data.encode()).status, status, origin)
    equal(exchange(MAIN, b"GET /status HTTP/1.0\r\n\r\n").status, 200, "no Origin")


def test_with_debug_port_off_there_is_no_other_port():
    """With --debug-port off there is no other port."""
    with Server("leaky", "--debug-port", "off") as alone:
        alone.get("/status", headers={"Origin": alone.url}).expect(200)
        for origin in ("http://127.0.0.1:65535", "http://127.0.0.1:6060"):
            alone.get("/status", headers={"Origin": origin}).error(403, "cross_site")
