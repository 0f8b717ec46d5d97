"""The lab's page without a browser: its files, what protects it, what it is told first,
and the lessons, which are those of `make lesson`."""

import re
import socket

import pytest

from checks import check, equal
from commands import run
from http_request import request
from scenarios import scenario_names
from servers import Server
from tree import ROOT

PAGE_BYTES_MAX = 500_000
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@pytest.fixture(scope="module", autouse=True)
def started():
    """Both servers; fixed is told of leaky, and leaky of another one."""
    global leaky, fixed
    with Server("leaky", "--peer", "http://peer.example:8099") as leaky:
        with Server("fixed", "--peer", f"{leaky.url}/") as fixed:
            yield


def files_of_page(server):
    """The page, and all that it names, and what that imports: replies by path."""
    page = server.get("/").expect(200)
    found = {"/": page}
    waiting = re.findall(r'(?:src|href)="(/page/[^"]+)"', page.text)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = server.get(path).expect(200)
            waiting += re.findall(r'from "(/page/[^"]+)"', found[path].text)
    return found


def test_page_is_protected():
    """The page may ask its peer, load nothing from elsewhere, and be in no frame."""
    reply = leaky.get("/").expect(200)
    equal(reply.headers["content-type"], "text/html; charset=utf-8", "type")
    equal(reply.headers["x-content-type-options"], "nosniff", "sniffing")
    policy = reply.headers["content-security-policy"].split("; ")
    check("default-src 'self'" in policy, policy)
    check("frame-ancestors 'none'" in policy, policy)
    check("connect-src 'self' http://peer.example:8099" in policy, policy)
    own = fixed.get("/").expect(200).headers["content-security-policy"]
    port = leaky.port
    both = f"connect-src 'self' http://localhost:{port} http://127.0.0.1:{port};"
    check(both in own, own)


def test_page_is_on_the_main_port_alone():
    """The debug port has the page of any process."""
    check("<title>Leak lab</title>" in leaky.get("/").text, "the main port's page")
    other = leaky.get("/", debug=True).expect(200)
    check("Leak lab" not in other.text, other.text)


def test_page_finds_all_its_files_and_is_small():
    """Everything that the page loads is there, with its type; together it is small."""
    found = files_of_page(leaky)
    check(len(found) > 15, sorted(found))
    for path, reply in found.items():
        kind = TYPES.get(path[path.rfind(".") :], "text/html; charset=utf-8")
        equal(reply.headers["content-type"], kind, path)
        equal(reply.headers["x-content-type-options"], "nosniff", path)
    size = sum(len(reply.body) for reply in found.values())
    check(size < PAGE_BYTES_MAX, f"{size} bytes")


@pytest.mark.parametrize("debug", [False, True])
def test_all_modules_are_asked_for_at_once(debug):
    """The HTML names each module, so that none waits until another one was read."""
    html = leaky.get("/", debug=debug).text
    named = set(re.findall(r'(?:src|href)="(/page/[^"]+\.js)"', html))
    texts = [leaky.get(path, debug=debug).expect(200).text for path in named]
    imported = set(re.findall(r'from "(/page/[^"]+)"', "".join(texts)))
    check(len(imported) >= 8, imported)
    equal(imported - named, set(), "modules that the HTML does not name")


def test_page_has_no_html_from_outside_and_no_script_in_it():
    """No module of ours makes HTML of a text, and the policy's rules are kept."""
    for path, reply in files_of_page(leaky).items():
        if not path.endswith(".min.js"):
            found = re.findall(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(",
                reply.text,
            )
            equal(found, [], path)
    page = leaky.get("/").text
    equal(re.findall(r"<script(?![^>]* src=)|\son\w+=|\sstyle=", page), [], "inline")


def test_no_answer_is_in_what_the_page_loads():
    """What gives a bug away is in no file of the page, nor in the list that it reads."""
    answers = leaky.scenarios()
    texts = [reply.text for reply in files_of_page(leaky).values()]
    texts.append(leaky.get("/scenarios").expect(200).text)
    for scenario in answers:
        for member in ("cause", "fix", "find_it"):
            check(
                not any(scenario[member] in text for text in texts),
                f"{scenario['name']}: {member} is told",
            )


def test_setup_names_server_and_peer():
    """What the page is told first: the server's name, its peer, and no exercise."""
    equal(
        leaky.get("/page/lab/setup").expect(200).json(),
        {"server": "leaky", "peer": "http://peer.example:8099", "exercise": False},
        "setup of leaky",
    )
    equal(
        fixed.get("/page/lab/setup").expect(200).json(),
        {"server": "fixed", "peer": leaky.url, "exercise": False},
        "setup of fixed",
    )
    with Server("leaky") as alone:
        setup = alone.get("/page/lab/setup").expect(200).json()
        equal(setup["peer"], None, "peer on a free port")
        policy = alone.get("/").headers["content-security-policy"]
        check("connect-src 'self';" in policy, policy)


# The demo's tests want the same ports, so one worker has them and this test.
@pytest.mark.xdist_group("demo")
@pytest.mark.parametrize(
    "name, port, peer", [("leaky", 8080, 8081), ("fixed", 8081, 8080)]
)
def test_servers_on_their_own_ports_are_peers(name, port, peer):
    """On its own port a server takes the other's own port for its peer's."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        pytest.skip(f"port {port} is taken")
    with Server(name, "--port", port) as server:
        setup = server.get("/page/lab/setup").expect(200).json()
        equal(setup["peer"], f"http://localhost:{peer}", "peer")


def test_peer_reads_what_the_page_asks():
    """A page of the peer may read all that the lab's page asks of a server."""
    origin = {"Origin": leaky.url}
    for path in (
        "/status",
        "/scenarios",
        "/page/lab/setup",
        "/debug/pprof/?format=json",
    ):
        reply = fixed.get(path, headers=origin).expect(200)
        equal(reply.headers.get("access-control-allow-origin"), leaky.url, path)
    reply = fixed.post("/leak/buffer-churn?bytes=4K", headers=origin).expect(200)
    equal(reply.headers.get("access-control-allow-origin"), leaky.url, "/leak")
    refused = fixed.post("/leak/slice-prefix?bytes=1", headers=origin)
    refused.error(400, "bad_parameter")
    equal(refused.headers.get("access-control-allow-origin"), leaky.url, "a refusal")


@pytest.mark.parametrize("name", scenario_names())
def test_lesson_is_that_of_make(name):
    """The lesson is what `make lesson` prints, to the byte, on both servers."""
    printed = run("make", "-s", "lesson", f"S={name}", cwd=ROOT).stdout
    check("LEAK:" in printed and "FIX:" in printed, printed)
    for server in (leaky, fixed):
        reply = server.get(f"/page/lab/lesson/{name}").expect(200)
        equal(reply.headers["content-type"], "text/plain; charset=utf-8", "type")
        equal(reply.text, printed, f"lesson of {server.name}")


def test_lesson_that_is_not_there():
    """A name that no scenario has gives 404."""
    for name in ("slices", "slice_prefix", "variant", "slice-prefix/x", ""):
        leaky.get(f"/page/lab/lesson/{name}").error(404)
    leaky.get("/page/lab/lesson/slices").error(404, "unknown_lesson")
    leaky.get("/page/lab/lesson/slice-prefix?x=1").error(400, "unknown_parameter")
    leaky.get("/page/lab/nothing.js").error(404)


def test_methods():
    """Each is read with HEAD too, as long as with GET; nothing is posted to it."""
    paths = [
        "/",
        "/page/lab/lab.js",
        "/page/lab/setup",
        "/page/lab/lesson/slice-prefix",
    ]
    for path in paths:
        got = leaky.get(path).expect(200)
        head = request(leaky.port, "HEAD", path).expect(200)
        equal(head.body, b"", f"body of HEAD {path}")
        for header in ("content-length", "content-type"):
            equal(head.headers[header], got.headers[header], f"{path}: {header}")
        leaky.post(path).error(405)
