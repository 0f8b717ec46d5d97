"""Whatever bytes a client sends, and wherever it puts them: every reply is printable
ASCII only, and valid JSON."""

import json
import re
import urllib.parse

import pytest

from checks import check, equal
from http_request import exchange, request
from servers import Server


@pytest.fixture(scope="module", autouse=True)
def started():
    """The server of all tests here, and its ports."""
    global server, ports
    with Server("leaky") as server:
        ports = (server.port, server.debug_port)
        yield


# Every control but those that end a line or a word of the request, DEL, and the rest.
ODD = [bytes([c]) for c in range(1, 32) if c not in b"\t\n\r"]
ODD += [bytes([c]) for c in range(127, 256)]
# Whole characters of UTF-8, and sequences that are none.
ODD += [b"caf\xc3\xa9", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b"\xc3", b"\xed\xa0\x80"]
ODD += [b"\xc0\xaf", b"\xff\xfe", b'"\xff\\']


def plain(reply, sent):
    """Checks a reply: an error, every byte of it printable, and indented JSON."""
    check(reply is not None, f"no reply to {sent!r}")
    check(400 <= reply.status < 500, f"{sent!r}: {reply.status}")
    check(
        all(32 <= byte < 127 or byte in b"\n\t" for byte in reply.body),
        f"raw bytes in the reply to {sent!r}: {reply.body!r}",
    )
    error = json.loads(reply.body.decode("utf-8", "strict"))["error"]
    for value in error.values():
        check(value.isascii() and value.isprintable(), f"{sent!r}: {value!r}")
    return error


def send(port, target=b"/healthz", host=b"localhost", method=b"GET", lines=b""):
    data = b"%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (method, target, host, lines)
    reply = exchange(port, data)
    error = plain(reply, data)
    check(request(port, "GET", "/healthz").status == 200, "the server goes on")
    return error


def test_in_path():
    """In the path."""
    for odd in ODD:
        for path in (b"/" + odd, b"/leak/slice-" + odd, b"/debug/pprof/" + odd):
            for port in ports:
                send(port, path)


def test_in_host_where_they_are_shown_as_xnn():
    """In the host, where they are shown as \\xNN."""
    for odd in ODD:
        for port in ports:
            error = send(port, host=b"a" + odd + b"b")
            if error["code"] == "forbidden_host":
                shown = "".join(
                    chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in odd
                )
                check(f"'a{shown}b'" in error["message"], (odd, error))
    equal(
        send(server.port, host=b"\xff\x80")["message"],
        r"'\xff\x80' is not a name of this server",
        "message",
    )


def test_in_target_that_names_server():
    """In a target that names a server."""
    for odd in ODD:
        target = b"http://" + odd + b":%d/status" % server.port
        reply = exchange(
            server.port, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        plain(reply, target)


def test_in_names_and_values_of_query_encoded_or_not():
    """In names and values of the query, encoded or not."""
    for odd in ODD:
        for part in (odd, urllib.parse.quote(odd, safe="").encode()):
            for query in (b"%s=1", b"x%s", b"id=%s", b"count=%s", b"bytes=1%s"):
                filled = query.replace(b"%s", part)
                send(server.port, b"/leak/slice-prefix?" + filled)
            for port in ports:
                send(port, b"/status?" + part)
                lines = b"Content-Length: 0\r\n"
                dump = b"/debug/heap/dump?reason=" + part
                send(port, dump, method=b"POST", lines=lines)


def test_in_form():
    """In a form."""
    for odd in ODD:
        for body in (odd, b"id=" + odd, odd + b"=1", b"count=" + odd):
            lines = b"Content-Type: application/x-www-form-urlencoded\r\n"
            lines += b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            data = b"POST /leak/slice-prefix HTTP/1.1\r\nHost: localhost\r\n" + lines
            plain(exchange(server.port, data), data)


def test_in_method_and_version_and_in_headers_that_are_read():
    """In the method and the version, and in headers that are read."""
    for odd in ODD:
        host = b"\r\nHost: localhost\r\n"
        good = b"GET /healthz HTTP/1.1" + host
        for data in (
            b"G" + odd + b"T /healthz HTTP/1.1" + host,
            odd + b"\r\n",
            b"GET /healthz HTTP/1." + odd + host,
            good + b"Origin: http://" + odd + b"\r\n",
            good + b"Content-Length: " + odd + b"\r\n",
            good + b"Transfer-Encoding: " + odd + b"\r\n",
        ):
            data += b"\r\n"
            reply = exchange(server.port, data)
            if reply is not None:  # What is no HTTP may be closed without a word.
                check(reply.status >= 400, f"{data!r}: {reply.status}")
                check(reply.body.rstrip(b"\n").isascii(), f"{data!r}: {reply.body!r}")
                json.loads(reply.body)


def test_printable_characters_come_back_as_they_were():
    """Printable characters come back as they were, in a name as long as any."""
    everything = "".join(chr(c) for c in range(33, 127) if chr(c) not in "#%&+=?")
    error = server.get(f"/leak/{everything}").error(404, "unknown_scenario")
    equal(re.search("'(.*)'", error["message"])[1], everything, "the name")
    error = send(server.port, host=b"\xff" * 3000)
    check(len(error["message"]) < 2100, f"{len(error['message'])} characters")
    check(re.fullmatch(r"'(\\xff)+", error["message"]), error)
