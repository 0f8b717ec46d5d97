"""How leakcheck drives a server: any request, several URLs in turn, or a command, with
the profiles on another address. What went wrong is said in one line, and nothing that a
command has started is left."""

import json
import os
import time

import pytest

from checks import check, equal, wait_until
from commands import run
from processes import ended
from stand_in import Stand, heap, status
from tree import BUILD, scratch

JUDGE = os.path.join(BUILD, "leakcheck")
ROUNDS = ("--rounds", "2")


def judge(*words, expect=0, limit=60, **options):
    """Runs the gate; returns its output and its JSON, which is None after exit 2."""
    path = os.path.join(scratch(), "gate.json")
    command = (JUDGE, *ROUNDS, "--json", path, *words)
    done = run(*command, check_exit=False, limit=limit, **options)
    equal(done.returncode, expect, f"exit: {done.stdout}{done.stderr}")
    if expect == 2:
        equal(done.stdout, "", "a verdict in spite of exit 2")
        lines = done.stderr.replace("Try 'leakcheck --help'.\n", "").splitlines()
        equal(len(lines), 1, f"lines of {done.stderr!r}")
        check(done.stderr.startswith("leakcheck: "), done.stderr)
        return done.stderr, None
    with open(path, encoding="utf-8") as file:
        return done.stdout, json.load(file)


class Driven:
    """A server that is driven, and one with its profiles. Each request to /work is noted
    in `calls`, and keeps `kept` bytes."""

    def __init__(self, kept=0, reply="done"):
        self.calls = []
        self.kept = kept
        self.reply = reply
        self.front = Stand(work=self.work, more=self.work)
        self.back = Stand(pprof_heap=lambda _: heap(self.kept * len(self.calls)))

    def work(self, request):
        posted = getattr(request, "posted", None)
        self.calls.append((request.command, request.path, request.headers, posted))
        return self.reply

    def __enter__(self):
        self.front.__enter__()
        self.back.__enter__()
        self.drive = ("--drive", self.front.url + "/work")
        self.profiles = ("--profiles", self.back.url)
        return self

    def __exit__(self, *_):
        self.back.__exit__()
        self.front.__exit__()


# -- where, and how many ---------------------------------------------------------------


def test_profiles_on_another_address():
    """What is driven on one address leaks in the profiles of the other."""
    for kept in (5000, 0):
        with Driven(kept) as server:
            words = (*server.profiles, *server.drive, "--calls", "4")
            text, figures = judge(*words, expect=1 if kept else 0)
            equal(len(server.calls), 3 + 2 * 4, "calls: warm-up, and two rounds")
            check(f"path         {server.front.url}/work\n" in text, text)
            check(f"profiles     {server.back.url}\n" in text, text)
            equal(figures["url"], server.back.url)
            equal(figures["resources"]["heap"]["growth_per_call"], kept)


def test_several_urls_take_turns():
    """The calls of each round go through the URLs in turn, from the first on."""
    with Driven() as server, Stand(other=lambda request: server.work(request)) as other:
        more = (server.front.url + "/more?x=1", other.url + "/other")
        drives = (*server.drive, "--drive", more[0], "--drive", more[1])
        text, figures = judge(*server.profiles, *drives, "--calls", "5")
        paths = [path for _, path, _, _ in server.calls]
    order = ["/work", "/more?x=1", "/other"]
    once = order + order[:2]
    equal(paths, 3 * order + once + once)
    check(f"path         {more[0]} (2 of 5 calls)\n" in text, text)
    check(f"path         {more[1]} (1 of 5 calls)\n" in text, text)
    urls = [server.drive[1], *more]
    wanted = [{"url": url, "calls": n} for url, n in zip(urls, (4, 4, 2))]
    equal(figures["drives"], wanted)


def test_every_url_is_called():
    """A round that is too short for all URLs is refused, or else made longer."""
    with Driven() as server:
        many = [w for n in range(12) for w in ("--drive", server.drive[1] + f"?{n}")]
        said, _ = judge(*server.profiles, *many, "--calls", "11", expect=2)
        check("--calls 11 is too few for 12" in said, said)
        _, figures = judge(*server.profiles, *many)
    equal([one["calls"] for one in figures["drives"]], 12 * [2])


def test_one_connection_for_one_server():
    """What is driven where the profiles are uses the same connection: a server that
    takes one at a time is judged."""
    ports = set()
    calls = []

    def work(request):
        ports.add(request.client_address)
        calls.append(1)
        return "done"

    def profile(request):
        ports.add(request.client_address)
        return heap(0)

    with Stand(work=work, pprof_heap=profile) as stand:
        judge("--profiles", stand.url, "--drive", stand.url + "/work")
    equal(len(ports), 1, "connections")


@pytest.mark.slow
def test_connections_that_the_server_closes():
    """A connection of the calls is the same in all samples, also if the server closes
    it when it is idle: that is no growth of descriptors."""
    with Driven(5000) as server:
        handler = server.front.RequestHandlerClass
        # Longer than a round waits for what is late, and shorter than the baseline.
        server.front.RequestHandlerClass = type("Idle", (handler,), {"timeout": 1.0})
        open_now = set()

        def noting(request, address, client=server.front.finish_request):
            open_now.add(address)
            try:
                client(request, address)
            finally:
                open_now.discard(address)

        server.front.finish_request = noting
        server.back.routes["/status"] = lambda _: status("x", fds=10 + len(open_now))
        words = (*server.profiles, *server.drive, "--rounds", "3", "--calls", "2")
        text, figures = judge(*words, expect=1)
    check("descriptors  0 a call, limit 0\n" in text, text)
    equal({one["now"]["fds"] for one in figures["samples"]}, {10}, "descriptors")


# -- requests --------------------------------------------------------------------------


def test_request_as_it_is_said():
    """Method, headers and body arrive with each call, and with nothing else."""
    sampled = []
    with Driven() as server:

        def profile(request):
            sampled.append((request.command, request.headers.get("X-Key")))
            return heap(0)

        server.back.routes["/pprof/heap"] = profile
        headers = ("--header", "X-Key: a b", "--header", "Content-Type:text/plain")
        judge(*server.profiles, *server.drive, *headers, "--body", "käse=1&x")
        judge(*server.profiles, *server.drive, *headers, "--method", "PUT")
        got = [
            (method, sent["X-Key"], sent["Content-Type"], posted)
            for method, _, sent, posted in server.calls
        ]
    post = ("POST", "a b", "text/plain", "käse=1&x")
    equal(set(got), {post, ("PUT", "a b", "text/plain", "")})
    equal(set(sampled), {("GET", None)}, "how the profile was fetched")


def test_same_connection_after_a_call():
    """Of a server that is driven where its profiles are, samples stay plain requests."""
    with Stand(work="done", pprof_heap=lambda r: heap(0)) as stand:
        seen = []

        def profile(request):
            seen.append((request.command, request.headers.get("X-Key")))
            return heap(0)

        stand.routes["/pprof/heap"] = profile
        words = ("--header", "X-Key: 1", "--body", "x", "--expect", "200")
        text, _ = judge("--url", stand.url, "--drive", "/work", *words)
    equal(set(seen), {("GET", None)})
    check(f"path         POST {stand.url}/work\n" in text, text)


def test_expected_status():
    """--expect takes one status for a success, and says what came back instead."""
    with Driven(reply=(404, "no such page\x1b[2J")) as server:
        said, _ = judge(*server.profiles, *server.drive, expect=2)
        check("answered 404" in said, said)
        judge(*server.profiles, *server.drive, "--expect", "404")
        words = ("--expect", "200")
        said, _ = judge(*server.profiles, *server.drive, *words, expect=2)
        check("answered 404, not 200: no such page?[2J" in said, said)
        equal(len(server.calls), 1 + (3 + 2 * 10) + 1, "calls")
    with Driven(reply=(201, "made")) as server:
        judge(*server.profiles, *server.drive)
        said, _ = judge(*server.profiles, *server.drive, "--expect", "302", expect=2)
        check("answered 201, not 302: made" in said, said)
    with Driven(reply=(302, "")) as server:
        judge(*server.profiles, *server.drive, "--expect", "302")


def test_failure_after_some_calls():
    """A call that fails in the middle is no verdict."""
    with Driven() as server:
        server.front.routes["/work"] = lambda request: (
            "done" if server.work(request) and len(server.calls) < 9 else (500, "full")
        )
        said, _ = judge(*server.profiles, *server.drive, "--expect", "200", expect=2)
    check("/work: answered 500, not 200: full" in said, said)


# -- commands --------------------------------------------------------------------------


def command_judge(command, *words, kept=0, **options):
    """Judges a server whose calls are counted by lines in a file that a command writes:
    $CALLS."""
    calls = os.path.join(scratch(), "calls")

    def profile(_):
        count = 0
        if os.path.exists(calls):
            with open(calls, encoding="ascii") as file:
                count = len(file.readlines())
        return heap(kept * count)

    environment = os.environ | {"CALLS": calls}
    with Stand(pprof_heap=profile) as back:
        words = ("--profiles", back.url, "--drive-command", command, *words)
        return judge(*words, env=environment, **options)


def test_command():
    """A command is a call, with leakcheck's environment, in sh, without input."""
    command = 'cat && echo "call" >>"$CALLS"; yes | head -c 1000000'
    text, figures = command_judge(command, "--calls", "3", kept=5000, expect=1)
    check(f"command      {command}\n" in text, text)
    equal(figures["drive_command"], command)
    equal(figures["drives"], [])
    equal(figures["samples"][-1]["calls"], 6)
    equal(figures["resources"]["heap"]["growth_per_call"], 5000)


def test_command_that_fails():
    """Its exit status is said, or its signal, and its last lines."""
    said, _ = command_judge("echo one; printf 'two\\n\\033[2J' >&2; exit 3", expect=2)
    check("--drive-command failed with exit status 3" in said, said)
    check("its last lines: one | two | ?[2J" in said, said)
    said, _ = command_judge("kill -SEGV $$", expect=2)
    check("--drive-command failed with signal SIGSEGV" in said, said)
    said, _ = command_judge("/nowhere/x", expect=2)
    check("exit status 127" in said and "/nowhere/x" in said, said)
    flood = "head -c 3000000 /dev/zero; yes many | head -c 3000000; exit 1"
    said, _ = command_judge(flood, expect=2)
    check("many | many | many" in said, said)


def test_command_that_hangs():
    """The run's time ends it, whether it prints or not, and nothing of it is left."""
    left = os.path.join(scratch(), "left")
    for command in ("sleep 100", "yes", "exec >&-; exec 2>&-; sleep 100"):
        began = time.monotonic()
        with_id = f"echo $$ >{left}; {command}; true"
        said, _ = command_judge(with_id, "--timeout", "1", expect=2)
        check("time is over" in said, said)
        check(time.monotonic() - began < 20, "too late")
        with open(left, encoding="ascii") as file:
            equal(ended(file.read()), True, f"{command} has ended")


def test_command_leaves_nothing_running():
    """What a command puts into the background ends with its call, or at last with
    leakcheck, and does not hold up anything."""
    for away in ("", "setsid "):
        left = os.path.join(scratch(), "left")
        in_background = f"{away}sh -c 'echo $$ >>{left}; exec sleep 100' &"
        until = f"while ! test -s {left}; do sleep 0.01; done"
        command_judge(f"{in_background} {until}", "--calls", "1")
        with open(left, encoding="ascii") as file:
            pids = file.read().split()
        check(len(pids) >= 1, "nothing was put into the background")
        for pid in pids:
            wait_until(lambda pid=pid: ended(pid), what=f"{away}{pid} has ended")


# -- wrong usage -----------------------------------------------------------------------


def test_wrong_usage():
    """What makes no sense together is refused in one line, before any call."""
    url = "http://127.0.0.1:1"
    drive = ("--drive", url + "/x")
    other = ("--profiles", url)
    for words, *arguments in (
        (["--profiles", "place of --url"], *other, "--url", url, *drive),
        (["--run", "goes without"], "--run", "x", "--url", url, *drive),
        (["--run", "goes without"], "--run", "x", *other, *drive),
        (["--run", "goes without"], "--run", "x", "--pid", "1", *drive),
        (["--run needs --drive"], "--run", "x"),
        (["one simple command", "'&&'"], "--run", "x && y", *drive),
        (["--profiles needs --drive"], *other),
        (["--drive needs --url", "--run"], "--drive", "/x"),
        (["--drive-command needs --url"], "--drive-command", "x"),
        (["needs --url"], "--body", "x"),
        (["takes a whole URL"], *other, "--drive", "/x"),
        (["takes a whole URL"], "--run", "x", "--drive", "/x"),
        (["starts with '/'"], "--url", url, *drive),
        (["a '/' before '?'"], *other, "--drive", url + "?x=1"),
        (["%20 for a blank"], *other, "--drive", url + "/a b"),
        (["place of --drive"], *other, *drive, "--drive-command", "x"),
        (["go with --drive"], *other, "--drive-command", "x", "--expect", "200"),
        (["go with --drive"], *other, "--drive-command", "x", "--header", "A: b"),
        (["--method takes"], *other, *drive, "--method", "GET /"),
        (["--method takes"], *other, *drive, "--method", "CONNECT"),
        (["HEAD"], *other, *drive, "--method", "HEAD", "--body", "x"),
        (["--header takes"], *other, *drive, "--header", "no colon"),
        (["--header takes"], *other, *drive, "--header", "A: b\r\nC: d"),
        (["--header takes"], *other, *drive, "--header", "A:"),
        (["--expect takes", "599"], *other, *drive, "--expect", "600"),
        (["'surplus'"], *other, *drive, "surplus"),
        (["--scenario"], *other, *drive, "--scenario", "x"),
        (["--alone takes"], "--alone", url, *other),
        (["--alone takes"], "--alone", url, "--body", "x"),
        (["--list takes"], "--list", url, "--run", "x"),
    ):
        said, _ = judge(*arguments, expect=2)
        for word in words:
            check(word in said, f"{word!r} is not in {said!r} of {arguments}")
