"""Every row of the table of errors, and requests that are not well formed: each is
answered in the one error shape, and the server goes on."""

import re
import socket
import time
import urllib.parse

import pytest

from checks import check, equal
from http_request import exchange, read_reply
from servers import Server


@pytest.fixture(scope="module", autouse=True)
def started():
    """The server of all tests here, and its ports."""
    global server, ports
    with Server("leaky") as server:
        ports = (server.port, server.debug_port)
        yield


def send(text, port=None, limit=5.0):
    """Sends a request given as text with bare newlines for CRLF."""
    data = text.encode("latin-1").replace(b"\n", b"\r\n")
    return exchange(port or server.port, data, limit)


def refused(reply, status, code=None, closed=None):
    """Checks an error reply, and that nothing was done."""
    check(reply is not None, "no reply came")
    error = reply.error(status, code)
    if closed is not None:
        equal(reply.closed, closed, "connection closed")
    return error


def bad_framing(text, port=None):
    """The request must be refused with 400, and the connection closed."""
    for each in (port,) if port else ports:
        reply = send(text, each)
        refused(reply, 400, closed=True)


# -- 400: parameters -------------------------------------------------------------------


def test_400_parameter_that_is_not_number_out_of_range():
    """400: a parameter that is not a number, out of range, given twice, or unknown."""
    for query, word in (
        ("count=x", "count"),
        ("count=", "count"),
        ("count=0", "count"),
        ("count=-1", "count"),
        ("count=+1", "count"),
        ("count=1.5", "count"),
        ("count=10001", "count"),
        ("count=99999999999999999999999", "count"),
        ("count=1&count=1", "count"),
        ("count=0x10", "count"),
        ("bytes=0", "bytes"),
        ("bytes=-4K", "bytes"),
        ("bytes=1X", "bytes"),
        ("bytes=KK", "bytes"),
        ("bytes=1T", "bytes"),
        ("bytes=257M", "bytes"),
        ("bytes=99999999999G", "bytes"),
        ("bytes=", "bytes"),
        ("hold=10001", "hold"),
        ("hold=ten", "hold"),
        ("size=3", "size"),
        ("counts=1", "counts"),
        ("=1", ""),
        ("COUNT=1", "COUNT"),
    ):
        before = server.status()["scenarios"]["slice-prefix"]["calls"]
        reply = server.get(f"/leak/slice-prefix?id=x&{query}")
        error = refused(reply, 400)
        check(word in error["message"] + error["hint"], f"{query}: {error}")
        after = server.status()["scenarios"]["slice-prefix"]["calls"]
        equal(after, before, f"calls after {query}")


def test_400_id_that_is_empty_longer_than_128_bytes():
    """400: an id that is empty, longer than 128 bytes, or not printable."""
    for identity in ("", "x" * 129, "a\nb", "a\0b", "\x7f", "caf\u00e9", "\u2028"):
        query = urllib.parse.urlencode({"id": identity})
        refused(server.get(f"/leak/slice-prefix?{query}"), 400)
        refused(server.get(f"/leak?{query}"), 400)
    for raw in ("%", "%4", "%zz", "%u0041"):
        refused(server.get(f"/leak/slice-prefix?id={raw}"), 400)


def test_400_routes_that_take_no_parameters_or_others():
    """400: routes that take no parameters, or others, refuse them."""
    for port in (False, True):
        refused(server.get("/status?verbose=1", debug=port), 400)
        refused(server.get("/healthz?x", debug=port), 400)
        refused(server.get("/scenarios?answers=2", debug=port), 400)
        refused(server.get("/scenarios?answer=1", debug=port), 400)
    refused(server.get("/leak?id=x&bytes=2"), 400)
    refused(server.post("/debug/heap/dump?reason=a&reason=b"), 400)
    refused(server.post("/debug/heap/dump?reasons=a"), 400)


def test_400_body_that_is_no_form():
    """400: a body that is no form."""
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        reply = server.post(
            "/leak/slice-prefix", b'{"id":1}', headers={"Content-Type": kind}
        )
        refused(reply, 400)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused(server.post("/leak/slice-prefix", b"id=a%", headers=form), 400)
    refused(server.post("/leak/slice-prefix", b"id=a\0&count=2", headers=form), 400)


# -- 400: framing ----------------------------------------------------------------------


def test_400_and_closed_content_length_twice():
    """400 and closed: Content-Length twice, or with Transfer-Encoding, or no number."""
    head = "POST /leak/slice-prefix?bytes=1K HTTP/1.1\nHost: localhost\n"
    for lines in (
        "Content-Length: 0\nContent-Length: 0\n\n",
        "Content-Length: 0\nContent-Length: 5\n\n",
        "Content-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n",
        "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n0\n\n",
        "Content-Length: 3abc\n\nabc",
        "Content-Length: +3\n\nabc",
        "Content-Length: 0x3\n\nabc",
        "Content-Length: 3, 3\n\nabc",
        "Transfer-Encoding: gzip\n\n",
        "Transfer-Encoding: gzip, chunked\n\n0\n\n",
        "Transfer-Encoding: identity\n\n",
    ):
        bad_framing(head + lines)


def test_content_length_below_zero_or_past_every_number_is_refused():
    """A Content-Length below zero or past every number is refused and closed."""
    for length in ("-1", "", "9" * 19, "9" * 30, "1" + "0" * 100):
        for port in ports:
            text = (
                "POST /leak/slice-prefix HTTP/1.1\nHost: localhost\n"
                f"Content-Length: {length}\n\n"
            )
            reply = send(text, port)
            check(reply is not None, f"{length}: no reply")
            check(
                reply.status in (400, 411, 413) and reply.closed, (length, reply.status)
            )
            reply.error(reply.status)


def test_400_and_closed_no_host_two_hosts():
    """400 and closed: no Host, two Hosts."""
    bad_framing("GET /healthz HTTP/1.1\n\n")
    bad_framing("GET /healthz HTTP/1.1\nHost: localhost\nHost: localhost\n\n")


def test_400_and_closed_space_before_colon_bare_line_feed():
    """400 and closed: a space before the colon, a bare line feed, a folded line."""
    bad_framing("GET /healthz HTTP/1.1\nHost : localhost\n\n")
    bad_framing("GET /healthz HTTP/1.1\nHost: localhost\nX-A : b\n\n")
    bad_framing("GET /healthz HTTP/1.1\nHost: localhost\n : b\n\n")
    for data in (
        b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\nX-A: b\r\n\r\n",
    ):
        for port in ports:
            reply = exchange(port, data)
            refused(reply, 400, closed=True)
    bad_framing("GET /healthz HTTP/1.1\nHost: localhost\nX-A: b\n c: d\n\n")


def test_400_and_closed_more_than_64_headers():
    """400 and closed: more than 64 headers, which civetweb would drop unseen."""
    head = "GET /healthz HTTP/1.1\nHost: localhost\n"
    many = "".join(f"X-{number}: a\n" for number in range(70))
    bad_framing(head + many + "\n")
    bad_framing(head + many + "Connection: close\n\n")
    some = "".join(f"X-{number}: a\n" for number in range(50))
    equal(send(head + some + "Connection: close\n\n").status, 200, "50 headers")


def test_400_nul_cr_lf_and_other_bytes_in_path_encoded_or_not():
    """400: NUL, CR LF and other bytes in the path, encoded or not."""
    for path in (
        "/healthz%00",
        "/healthz%00.html",
        "/health%7a",
        "/leak/slice-prefix%0d%0aX:%20y",
        "/leak/%2e%2e/healthz",
        "/caf\u00e9",
        "/a\x01b",
    ):
        for port in ports:
            reply = send(f"GET {path} HTTP/1.1\nHost: localhost\n\n", port)
            refused(reply, 400)


def test_400_what_is_no_http_at_all():
    """400: what is no HTTP at all."""
    for text in (
        "hello\n\n",
        "GET\n\n",
        "GET /healthz\n\n",
        "GET /healthz HTTP/9.9\nHost: localhost\n\n",
        "GET  HTTP/1.1\nHost: localhost\n\n",
        "\x16\x03\x01\x02\x00\x01\x00\n\n",
        "GET /healthz HTTP/1.1\nHost: localhost\nno colon here\n\n",
    ):
        for port in ports:
            reply = send(text, port)
            check(
                reply is None or 400 <= reply.status < 506,
                f"{text!r}: {reply and reply.status}",
            )
            check(reply is None or reply.closed, f"{text!r}: the connection stays open")


def test_request_line_or_header_of_100_kib_is_refused():
    """A request line or header of 100 KiB is refused."""
    for text in (
        "GET /" + "a" * 100000 + " HTTP/1.1\nHost: localhost\n\n",
        "GET /healthz HTTP/1.1\nHost: localhost\nX: " + "a" * 100000 + "\n\n",
    ):
        for port in ports:
            reply = send(text, port)
            check(reply is None or 400 <= reply.status < 500, reply and reply.status)


def test_request_that_comes_byte_by_byte_is_served():
    """A request that comes byte by byte is served."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n":
            client.sendall(bytes([byte]))
        equal(read_reply(client).status, 200, "status")


def test_what_follows_refused_request_on_its_connection_is_not():
    """What follows a refused request on its connection is not taken for a request."""
    before = server.status()["scenarios"]["slice-prefix"]["calls"]
    hidden = "GET /leak/slice-prefix?bytes=1K HTTP/1.1\nHost: localhost\n\n"
    for lines in (
        "Content-Length: 0\nContent-Length: 9\n\n",
        "Content-Length: 3\nTransfer-Encoding: chunked\n\n0\n\n",
        "Content-Length: 99999999\n\n",
    ):
        for path in ("/leak/slice-tail", "/healthz", "/debug/heap/dump"):
            send(f"POST {path} HTTP/1.1\nHost: localhost\n{lines}{hidden}")
    equal(server.status()["scenarios"]["slice-prefix"]["calls"], before, "calls")


def test_body_that_route_does_not_read_is_not_taken_for_next_request():
    """A body that a route does not read is not taken for the next request."""
    before = server.status()["scenarios"]["slice-prefix"]["calls"]
    hidden = "GET /leak/slice-prefix?bytes=1K HTTP/1.1\nHost: localhost\n\n"
    for method, path in (("GET", "/healthz"), ("GET", "/nothing"), ("PUT", "/status")):
        send(
            f"{method} {path} HTTP/1.1\nHost: localhost\n"
            f"Content-Length: {len(hidden) + hidden.count(chr(10))}\n\n{hidden}",
            limit=1,
        )
    equal(server.status()["scenarios"]["slice-prefix"]["calls"], before, "calls")


# -- 403 -------------------------------------------------------------------------------


def test_403_host_that_is_not_name_of_this_server():
    """403: a Host that is not a name of this server."""
    for host in (
        "example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "evil",
        "10.0.0.1",
        "localhost:x",
        "",
        "[::1]",
    ):
        for port in ports:
            reply = send(f"GET /healthz HTTP/1.1\nHost: {host}\n\n", port)
            refused(reply, 403 if host else reply.status)
            check(reply.status in (400, 403), reply.status)
    for host in ("localhost", "LocalHost", "127.0.0.1", f"localhost:{server.port}"):
        reply = send(f"GET /healthz HTTP/1.1\nHost: {host}\nConnection: close\n\n")
        equal(reply.status, 200, f"Host: {host}")


def test_403_browser_cross_site_request():
    """403: a browser's cross-site request, by Sec-Fetch-Site or Origin."""
    for header in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://example.com"},
        {"Origin": "null"},
        {"Origin": "https://localhost.example.com"},
    ):
        before = server.status()["scenarios"]["slice-prefix"]["calls"]
        for debug in (False, True):
            refused(server.get("/status", debug=debug, headers=header), 403)
        refused(server.post("/leak/slice-prefix?bytes=1K", headers=header), 403)
        after = server.status()["scenarios"]["slice-prefix"]["calls"]
        equal(after, before, "calls")
    for header in (
        {"Sec-Fetch-Site": "same-origin", "Origin": server.url},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        server.get("/status", headers=header).expect(200)


# -- 404, 405, 409, 413 ----------------------------------------------------------------


def test_404_no_such_route_none_of_leak_on_debug_port():
    """404: no such route; none of /leak on the debug port."""
    for path in ("/nothing", "/leaks", "/status/", "/healthz/x", "//", "/leak2"):
        for debug in (False, True):
            refused(server.get(path, debug=debug), 404)
    for path in ("/leak", "/leak/slice-prefix"):
        error = refused(server.get(path, debug=True), 404)
        check("main port" in error["hint"], error)


def test_404_no_such_route_with_nearest_name():
    """404: no such route, with the nearest one, if one is like it."""
    for wrong, right in (
        ("/debug/pprof/fdss", "/debug/pprof/fds"),
        ("/debug/pprof/Heap", "/debug/pprof/heap"),
        ("/scenario", "/scenarios"),
        ("/debug/pprof/nothing", None),
        ("/x", None),
    ):
        for debug in (False, True):
            hint = refused(server.get(wrong, debug=debug), 404, "unknown_route")["hint"]
            equal(re.findall("did you mean '(.*)'", hint), [right] if right else [])
    check("'/leak'" in refused(server.get("/leaks"), 404)["hint"], "/leaks")
    hint = refused(server.get("/leaks", debug=True), 404)["hint"]
    check("did you mean" not in hint, hint)


def test_404_no_such_scenario_with_nearest_name():
    """404: no such scenario, with the nearest name."""
    for wrong, right in (
        ("slice-prefx", "slice-prefix"),
        ("slices-tail", "slice-tail"),
        ("stuck-thread", "stuck-threads"),
        ("CHANNEL-NIL", "channel-nil"),
        ("slice_prefix", "slice-prefix"),
    ):
        error = refused(server.get(f"/leak/{wrong}"), 404, "unknown_scenario")
        check(wrong in error["message"], error)
        check(f"'{right}'" in error["hint"], error)
    for odd in ("x" * 2000, "", "slice-prefix/", "slice-prefix/x", "<b>", "%", "%zz"):
        refused(server.get(f"/leak/{odd}"), 404)


def test_405_wrong_method_with_allow():
    """405: the wrong method, with Allow."""
    for path, allowed in (
        ("/status", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
        ("/scenarios", "GET, HEAD"),
        ("/leak", "GET, POST"),
        ("/leak/slice-prefix", "GET, POST"),
        ("/debug/heap/dump", "POST"),
    ):
        for method in (
            "GET",
            "POST",
            "PUT",
            "DELETE",
            "PATCH",
            "OPTIONS",
            "TRACE",
            "BREW",
        ):
            if method in allowed.split(", "):
                continue
            reply = send(
                f"{method} {path} HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n"
            )
            check(reply is not None, f"{method} {path}: no reply")
            if method in ("TRACE", "BREW") and reply.status in (400, 501):
                continue  # civetweb itself refuses a method that it does not know.
            refused(reply, 405)
            listed = sorted(re.split(r", *", reply.headers["allow"]))
            equal(listed, sorted(allowed.split(", ")), f"Allow of {path}")
    head = send("HEAD /leak HTTP/1.1\nHost: localhost\nConnection: close\n\n")
    equal(head.status, 405, "HEAD /leak")
    equal(head.body, b"", "body of a reply to HEAD")


def test_413_body_over_64_kib_refused_before_it_is_read():
    """413: a body over 64 KiB, refused before it is read; 64 KiB is taken."""
    form = "Content-Type: application/x-www-form-urlencoded\n"
    for length in (65537, 10**9, 10**17):
        for path in ("/leak/slice-prefix", "/status", "/debug/heap/dump"):
            started = time.monotonic()
            reply = send(
                f"POST {path} HTTP/1.1\nHost: localhost\n{form}"
                f"Content-Length: {length}\n\n"
            )
            refused(reply, 413)
            check(time.monotonic() - started < 2, "it waited for the body")
    body = "bytes=1K&id=x" + "&" * (65536 - 13)
    head = "POST /leak/slice-prefix HTTP/1.1\nHost: localhost\nConnection: close\n"
    reply = send(f"{head}{form}Content-Length: 65536\n\n{body}")
    equal(reply.status, 200, "64 KiB")


def test_413_chunked_body_over_64_kib_smaller_one_is_taken():
    """413: a chunked body over 64 KiB; a smaller one is taken."""
    head = (
        "POST /leak/slice-prefix HTTP/1.1\nHost: localhost\nConnection: close\n"
        "Content-Type: application/x-www-form-urlencoded\n"
        "Transfer-Encoding: chunked\n\n"
    )
    reply = send(head + "d\nbytes=1K&id=x\n0\n\n")
    equal(reply.status, 200, "small chunked body")
    chunk = "1000\n" + "&" * 4096 + "\n"
    refused(send(head + chunk * 17 + "0\n\n"), 413)
    refused(send(head + "zz\nabc\n0\n\n"), 400)


def test_client_that_goes_away_in_middle_of_body_harms_nothing():
    """A client that goes away in the middle of a body harms nothing."""
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(
                b"POST /leak/slice-prefix HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Length: 99\r\n\r\nid="
            )
    server.get("/healthz").expect(200)


def test_after_all_of_this_server_still_works():
    """After all of this the server still works, and nothing stayed open."""
    server.get("/healthz").expect(200)
    status = server.status()
    check(status["sockets"] < 80, f"{status['sockets']} sockets")
    server.stop()
