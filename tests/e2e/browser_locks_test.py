"""The table of locks on the live page and on the lab's, in a browser: what a server says,
and what another one might say."""

import http.server
import json
import urllib.request

import pytest

from browser import Browser, lab
from checks import check, equal, wait_until
from servers import Server
from stand_in import LocalServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser, lab")]

OFTEN = "/#interval=50"
ROWS = """
return [...document.querySelectorAll(".locks tbody tr")].map((row) =>
    [...row.cells].map((cell) => cell.innerText.replaceAll("\\n", " | ")))
"""
HTML = "<img src=x onerror='window.hit=1'>"
TOLD = "#locks .told [role=status]"


class Says(LocalServer):
    """The debug port of a server, but for its locks: those are `reply`, JSON or an
    error's status and text."""

    def __init__(self, real, reply):
        super().__init__(Handler)
        self.real = real
        self.reply = reply


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Prints nothing, because the output belongs to the tests."""

    def do_GET(self):
        if self.path.startswith("/debug/locks"):
            reply = self.server.reply
            status, value = reply if isinstance(reply, tuple) else (200, reply)
            self.answer(status, "application/json", json.dumps(value).encode())
            return
        with urllib.request.urlopen(self.server.real.debug_url + self.path) as reply:
            self.answer(reply.status, reply.headers["Content-Type"], reply.read())

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module", autouse=True)
def started():
    """Both servers and a browser, for all tests here."""
    global leaky, fixed, browser
    with lab() as (leaky, fixed), Browser() as browser:
        for server in (leaky, fixed):
            server.leak("lock-deadlock")
            server.leak("lock-never-released")
        yield


def said(page, words):
    """Waits until the line above the table has these words; returns the line."""
    wait_until(lambda: words in page.text(TOLD), what=f"{words} in {page.text(TOLD)}")
    return page.text(TOLD)


def wait(tid, **changes):
    """A wait as /debug/locks has it."""
    plain = {
        "tid": tid,
        "name": "worker",
        "waited_seconds": 12.5,
        "lock": "0x7f00",
        "kind": "mutex",
        "type": "normal",
        "robust": False,
        "shared": False,
        "pi": False,
        "wants": "mutex",
        "timed": False,
        "holder": {"state": "nobody", "tid": None, "name": None, "readers": 0},
        "verdict": "waits",
        "stack": [{"function": "work", "file": "work.c", "line": 7}],
    }
    return plain | changes


def locks(*waits, **changes):
    plain = {"measured": True, "kernel_asked": True, "waits": waits}
    return plain | {"holders": [], "deadlocks": [], "never_released": []} | changes


def shown(page, words):
    """The rows, and the line above them, once it has these words."""
    line = said(page, words)
    made = page.script("return document.querySelectorAll('img').length")
    hit = page.script("return window.hit")
    equal((made, hit), (0, None), "what a text has made or run")
    return page.script(ROWS), line


def test_deadlock_and_lock_never_released_are_marked():
    """The proofs are said in words, over the page as well; each thread has its row, those
    that wait alike have one; the stack is folded away, and stays open while the time
    goes on."""
    with browser.page(leaky.debug_url + OFTEN) as page:
        line = said(page, "DEADLOCK: 2; NEVER RELEASED: 9; STUCK BEHIND THEM: 1.")
        check("leaky: 12 threads wait for a lock" in line, line)
        proofs = page.text(".proofs")
        check("each waits for a lock of the next one: account (" in proofs, proofs)
        check("had the lock 0x" in proofs and "when it ended" in proofs, proofs)
        page.wait("!document.querySelector('#news').hidden")
        check("12 threads never go on" in page.text("#news"), page.text("#news"))
        rows = page.script(ROWS)
        equal(len(rows), 4, "rows")
        marks = [row[0].split(" | ")[0] for row in rows]
        stuck = "STUCK BEHIND THEM"
        equal(marks, ["DEADLOCK", "DEADLOCK", "NEVER RELEASED", stuck], "marks")
        check("ledger (" in rows[2][0] and "and 6 more" in rows[2][0], rows[2])
        check(rows[2][3].endswith(" | which has ended"), rows[2])
        check("account_transfer leaky/lock_deadlock.c:" in rows[0][4], rows[0])
        # Each of the two has the lock that the other one waits for.
        names = [row[0].split(" | ")[1] for row in rows[:2]]
        equal([row[3] for row in rows[:2]], names[::-1], "who has the lock")
        page.push("Show the locks")
        page.wait("document.querySelector('#news').hidden")
        page.click(".locks summary")
        page.wait("document.querySelector('.locks details').open")
        time = page.text(".locks .time")
        wait_until(lambda: page.text(".locks .time") != time, what="the time goes on")
        check("start_thread" in page.text(".locks details[open]"), "the stack")
        page.script("document.querySelector('#locks').scrollIntoView()")
        page.screenshot("locks")


def test_lab_page_has_both_servers():
    """On the lab's page the locks of both servers: those of fixed end."""
    with browser.page(leaky.url + OFTEN, others=[fixed.url]) as page:
        said(page, "fixed: no thread waits for a mutex or rwlock.")
        line = said(page, "leaky: 12 threads wait for a lock")
        check("NEVER RELEASED: 9" in line, line)
        check("leaky: DEADLOCK" in page.text("#news"), page.text("#news"))
        rows = page.script(ROWS)
        check(all("leaky" in row[0] for row in rows), rows)


def test_no_wait_is_said():
    """Without a wait there is no table, but a sentence."""
    with browser.page(fixed.debug_url + OFTEN) as page:
        said(page, "fixed: no thread waits for a mutex or rwlock.")
        equal(page.script(ROWS), [], "rows")
        for place in (".locks", "#news"):
            check(page.script(f"return document.querySelector('{place}').hidden"), place)


def test_what_is_not_measured_is_said():
    """Where waits are not noted the reason is said; so is what is not judged, an error,
    and a reply that is something else."""
    reason = f"the program has its own pthread_mutex_lock {HTML}"
    refusal = {"error": {"code": "x", "message": "not here", "hint": "elsewhere"}}
    unsaid = "does not say who waits"
    replies = [
        ({"measured": False, "reason": reason}, f"not measured: {reason}."),
        (locks(kernel_asked=False), "rwlock; those in a condition variable are not"),
        ((501, refusal), f"{unsaid}: not here (elsewhere)."),
        ({"measured": True}, "no thread waits for a mutex or rwlock."),
        ((404, {}), f"{unsaid}: leaky answers with status 404."),
        *((each, f"{unsaid}: this is no list of locks.") for each in (None, [], 7, {})),
    ]
    with Says(leaky, locks(wait(1))) as server:
        url = server.url + OFTEN
        with browser.page(url, expected=["501", "404"]) as page:
            equal(len(shown(page, "1 thread waits for a lock.")[0]), 1, "rows")
            for reply, words in replies:
                server.reply = reply
                equal(shown(page, words)[0], [], "rows")


def test_every_kind_of_wait_is_told_apart():
    """Kinds, ways to wait and holders, in words; a text from a server stays text."""
    holders = [
        ({"state": "thread", "tid": 9, "name": HTML}, f"{HTML} (9) | now in hold h.c:3"),
        ({"state": "readers", "readers": 2}, "2 readers | which ones is not known"),
        ({"state": "readers", "readers": 1}, "1 reader | which ones is not known"),
        ({"state": "other_process", "tid": 5}, "thread 5 | of another process"),
        ({"state": "unknown"}, "not known"),
        (
            {"state": "this_or_other_process", "tid": 9},
            "thread 9 | of this process or another one",
        ),
        ({"state": "nobody"}, "nobody | it was released just now"),
    ]
    waits = [
        wait(i + 1, waited_seconds=100 - i, lock=f"0x{i}", holder=holder)
        for i, (holder, _) in enumerate(holders)
    ]
    waits[0] |= {"type": "recursive", "robust": True, "shared": True, "pi": True}
    waits[1] |= {"kind": "rwlock", "type": None, "wants": "write", "timed": True}
    waits[2] |= {"kind": "rwlock", "type": None, "wants": "read", "name": HTML}
    waits[3] |= {"wants": "mutex after condition", "name": None, "stack": []}
    stack = [
        {"function": "lock", "file": None},
        {"function": "std::lock", "file": "/usr/include/c++/12/mutex", "line": 9},
        {"function": HTML, "file": HTML, "line": 1},
    ]
    waits[4] |= {"stack": stack, "verdict": "?"}
    held = [{"tid": 9, "name": HTML, "stack": [{"function": "hold", "file": "h.c", "line": 3}]}]
    with Says(leaky, locks(*waits, holders=held)) as server:
        with browser.page(server.url + OFTEN) as page:
            rows, line = shown(page, "7 threads wait for a lock.")
    equal([row[3] for row in rows], [words for _, words in holders], "held by")
    equal(
        [row[1] for row in rows[:4]],
        [
            "mutex 0x0 | recursive, robust, in shared memory, priority inheritance",
            "rwlock 0x1 | to write, with a time limit",
            "rwlock 0x2 | to read",
            "mutex 0x3 | after a condition variable",
        ],
        "waits for",
    )
    equal(rows[2][0], f"waits | {HTML} (3)", "a name with HTML")
    equal((rows[3][0], rows[3][4]), ("waits | thread 4", "not known"), "no name, no stack")
    equal(rows[4][4], f"{HTML} {HTML}:1", "the frame with a source of the program")
    check(line.startswith("leaky: "), line)


def test_crowd_is_few_rows():
    """Threads that wait alike are one row, with the shortest and the longest time; of
    more than a hundred rows, or ten proofs, the rest is only counted, and the page does
    not get wider."""
    alike = [wait(i, waited_seconds=i / 10) for i in range(1, 2001)]
    others = [wait(i, lock=f"0x{i:0200x}") for i in range(1, 151)]
    for each in others:
        each["verdict"] = "deadlock"
    proved = [{"threads": [i, i + 1]} for i in range(1, 150, 2)]
    with Says(leaky, locks(*alike)) as server:
        with browser.page(server.url + OFTEN, width=360) as page:
            rows, _ = shown(page, "2000 threads wait for a lock")
            server.reply = locks(*others, deadlocks=proved)
            said(page, "150 threads wait for a lock")
            page.wait("document.querySelectorAll('.locks tbody tr').length === 100")
            wide = page.script("return document.documentElement.scrollWidth")
            check("And 50 more" in page.text("#locks"), page.text("#locks")[-300:])
            check(page.text(".proofs").endswith("And 65 more."), page.text(".proofs"))
            check("150 threads never go on" in page.text("#news"), page.text("#news"))
    equal(len(rows), 1, "rows")
    check("and 1,997 more" in rows[0][0], rows[0])
    equal(rows[0][2], "0 s to 3 min 20 s", "how long")
    check(wide <= 360, f"the page is {wide} pixels wide")


# A page that is hidden when the test says so, and then takes 10 ms for 10 s.
CAN_BE_HIDDEN = """
Object.defineProperty(document, "hidden", {get: () => window.away});
const wait = window.setTimeout;
window.setTimeout = (call, ms, ...rest) => wait(call, ms > 5000 ? ms / 1000 : ms, ...rest);
"""


def asked(page):
    """How often the page has asked for the locks, and for the status."""
    urls = page.requests()
    return [sum(part in url for url in urls) for part in ("/debug/locks?", "/status")]


def test_locks_are_asked_for_sparingly():
    """With every fifth sample; never while nobody sees the page."""
    url = f"{fixed.debug_url}/#interval=200"
    with browser.page(url, first=CAN_BE_HIDDEN) as page:
        said(page, "no thread waits")

        def often():
            count, samples = asked(page)
            return count >= 3 and samples >= 20 and [count, samples]

        count, samples = wait_until(often, what="20 samples, and the locks again")
        check(count <= samples / 5 + 2, f"{count} in {samples} samples")
        page.script(
            "window.away = true; document.dispatchEvent(new Event('visibilitychange'))"
        )
        page.polls(1)
        before = asked(page)[0]
        page.polls(20)
        equal(asked(page)[0], before, "requests while it is hidden")


def test_restart_forgets_the_locks():
    """Those of a server that is away are not shown, nor those of the one before."""
    with Server("leaky") as first:
        first.leak("lock-deadlock")
        with browser.page(first.debug_url + OFTEN, expected=["ERR_"]) as page:
            said(page, "DEADLOCK: 2")
            first.stop(limit=30)
            said(page, "is away")
            equal(page.script(ROWS), [], "rows of a server that is away")
            check(page.script("return document.querySelector('#news').hidden"), "news")
            with Server("leaky", "--debug-port", first.debug_port):
                said(page, "no thread waits for a mutex or rwlock")
