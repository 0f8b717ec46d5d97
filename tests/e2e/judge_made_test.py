"""Who made what grew: leakcheck names the line that opened a descriptor, started a thread
or made a timer, each by its own profile, and says of stuck threads why they never go on,
where the server proves that. Where it has no such pages nothing is said, and the verdict
is the same."""

import concurrent.futures
import json
import os
import re
import tempfile

import pytest

from checks import check, equal
from commands import run
from judged import MADE, judged, line_of, verdict_check
from made_profile import made_profile
from servers import Server
from small_server import Small
from stand_in import Stand, half, heap, status
from terminals import Terminal
from tree import BUILD, ROOT, scratch
from turns import in_turns

pytestmark = pytest.mark.slow

JUDGE = os.path.join(BUILD, "leakcheck")
# By scenario: what its threads, descriptors or timers are made with.
CALLS = {
    "thread-loop": ("threads", "pthread_create("),
    "thread-wait": ("threads", "pthread_create("),
    "thread-ignored-exit": ("threads", "pthread_create("),
    "lock-never-released": ("threads", "pthread_create("),
    "lock-deadlock": ("threads", "pthread_create("),
    "channel-no-receiver": ("threads", "pthread_create("),
    "channel-never-closed": ("threads", "pthread_create("),
    "channel-nil": ("threads", "pthread_create("),
    "channel-one-receiver": ("threads", "pthread_create("),
    "http-body": ("fds", "curl_multi_perform("),
    "file-unclosed": ("fds", "fopen("),
    "database-statement": ("fds", "sqlite3_open_v2("),
    "ticker-unstopped": ("timers", "ticker_start("),
    "ticker-many": ("timers", "ticker_start("),
    "loop-defer": ("fds", "fopen("),
}
VERBS = {"threads": "started in", "fds": "opened in", "timers": "made in"}
PROVED = {
    "lock-deadlock": ("deadlock", 2, "deadlock of 2 threads"),
    "lock-never-released": ("never_released", 9, "never released"),
}


def judge(leaky, fixed, names, *options, expect=0):
    """Judges these scenarios; returns the output and the JSON by scenario."""
    path = os.path.join(scratch(), "made.json")
    chosen = [part for name in names for part in ("--scenario", name)]
    urls = (leaky.url, fixed.url)
    done = run(
        *(JUDGE, *chosen, "--json", path, *options, *urls), check_exit=False, limit=120
    )
    equal(done.returncode, expect, done.stdout + done.stderr)
    with open(path, encoding="utf-8") as file:
        return done.stdout, {one["name"]: one for one in json.load(file)["scenarios"]}


def row_of(text, name):
    return next(line for line in text.splitlines() if line.startswith(name + " "))


def source_line(file, line):
    with open(os.path.join(ROOT, file), encoding="utf-8") as source:
        return source.read().splitlines()[line - 1]


def making_check(name, figures, text):
    """The line that makes all of what the scenario leaves, or holds at its peak."""
    resource, call = CALLS[name]
    leaky, fixed = figures["leaky"], figures["fixed"]
    made = leaky["made"][resource]
    file = f"leaky/{name.replace('-', '_')}.c"
    equal((made["file"], made["share"]), (file, 1), f"{name}: {made}")
    check(call in source_line(file, made["line"]), f"{name}: {made}")
    check("unseen_share" not in made, made)
    if resource == "threads":
        equal(leaky["blamed"]["threads"], leaky["waits"], name)
    else:
        equal(leaky["blamed"][resource], made, name)
    if name == "loop-defer":
        equal(made["growth"], 200, "descriptors at the peak")
    said = f"; {VERBS[resource]} {made['function']} {file}:{made['line']} (100 %); "
    row = row_of(text, name).replace("leak: opened", "leak; opened")
    check(said in row, f"{said!r} is not in {row}")
    check("not seen by a profile" not in row, row)
    equal(set(fixed["made"].values()), {None}, f"{name}: the fixed half")


def test_making_line_of_each_scenario():
    """Of each scenario that leaves threads, descriptors or timers, or holds them for a
    while: in the table, in JSON and in the report."""
    report = os.path.join(scratch(), "made.html")
    with Server("leaky") as leaky, Server("fixed") as fixed:
        options = ("--report", report, "--source", ROOT)
        text, figures = judge(leaky, fixed, CALLS, *options)
    for name in CALLS:
        making_check(name, figures[name], text)
    with open(report, encoding="utf-8") as file:
        page = file.read()
    for name, (resource, _) in CALLS.items():
        article = page.split(f'<article id="{name}">')[1].split("</article>")[0]
        heading = {"threads": "Threads started in", "timers": "Timers made in"}
        made = figures[name]["leaky"]["made"][resource]
        said = f"<h4>{heading.get(resource, 'Opened in')} <code>{made['function']}<"
        check(said in article, f"the report of {name} does not say {said}")
        check(f", line {made['line']}: 100 %" in article, name)
    for name, (kind, together, words) in PROVED.items():
        proof_check(figures[name], kind, together, words, row_of(text, name))
        check(f"<p>{words}, leaky/{name.replace('-', '_')}.c:" in page, name)
    for name in set(CALLS) - set(PROVED):
        equal(figures[name]["leaky"]["proved"], None, name)
        check("proved: " not in row_of(text, name), text)


def proof_check(figures, kind, together, words, row):
    """What is proved of all threads that stay, and where they wait."""
    proved, waits = figures["leaky"]["proved"], figures["leaky"]["waits"]
    grew = figures["leaky"]["samples"][-1]["now"]["threads"]
    grew -= figures["leaky"]["samples"][0]["now"]["threads"]
    place = f"{waits['file']}:{waits['line']}"
    equal((proved["kind"], proved["threads"], proved["places"]), (kind, together, [place]))
    equal((proved["explains"], proved["grew"]), (grew, grew))
    check(f"; proved: {words}, {place}; " in row, row)
    equal(figures["fixed"]["proved"], None)


def test_terminal_of_80_columns():
    """On a terminal each place has a line of its own."""
    with Server("leaky") as leaky, Server("fixed") as fixed:
        names = ("--scenario", "lock-deadlock", "--scenario", "loop-defer")
        terminal = Terminal("/", JUDGE, *names, leaky.url, fixed.url, NO_COLOR="1")
        equal(terminal.end(60), 0, terminal.output)
    shown = terminal.output.decode()
    table = shown[shown.index("SCENARIO") :].splitlines()
    for line in table:
        check(len(line) <= 80, f"{len(line)} columns: {line}")
    for start in ("    temporary leak: opened in note_open leaky/loop_defer.c:",):
        check(any(line.startswith(start) for line in table), shown)
    for start in ("started in account_settle ", "proved: deadlock of 2 threads, leaky/"):
        check(any(line.startswith("    " + start) for line in table), shown)


def test_one_half_alone():
    """Judged alone, what leaks is named on lines of its own."""
    path = os.path.join(scratch(), "alone.json")
    names = ("file-unclosed", "ticker-many", "lock-deadlock", "loop-defer")
    chosen = [part for name in names for part in ("--scenario", name)]
    with Server("leaky") as leaky:
        done = run(
            *(JUDGE, "--alone", *chosen, "--json", path, leaky.url), check_exit=False
        )
    equal(done.returncode, 1, done.stdout + done.stderr)
    with open(path, encoding="utf-8") as file:
        listed = {one["scenario"]: one for one in json.load(file)["scenarios"]}
    for name in names:
        resource, call = CALLS[name]
        made = listed[name]["made"][resource]
        check(call in source_line(made["file"], made["line"]), f"{name}: {made}")
        equal(made["share"], 1, f"{name}: {made}")
        said = f"\n    {VERBS[resource]} {made['function']} {made['file']}:"
        check(said in done.stdout, done.stdout)
    check("\n    proved: deadlock of 2 threads, leaky/" in done.stdout, done.stdout)
    equal(listed["lock-deadlock"]["proved"]["kind"], "deadlock")
    equal(listed["file-unclosed"]["proved"], None)


@pytest.mark.parametrize("server", in_turns("judged: made", MADE, 3), ids=str)
def test_program_under_leakprobe(server):
    """leakcheck --run: each resource that leaks is blamed by its own profile."""
    done = judged(server)
    verdict_check(server, *done[:3])
    _, text, figures, _ = done
    resource = figures["resources"][server.leaks]
    made = resource["made"] if server.leaks == "threads" else resource["blamed"]
    wanted = (server.makes, line_of("judged.c", server.making), 1)
    equal((made["function"], made["line"], made["share"]), wanted, text)
    said = f" {made['function']} tests/programs/judged.c:{made['line']} (100 %)\n"
    check(re.search(r"^(opened|started|made|mapped|spawned) in +" + re.escape(said[1:]),
                    text, re.MULTILINE), text)
    proved = figures["resources"]["threads"]["proved"]
    if str(server) == "locked":
        lines = [line_of("judged.c", f"LEAK {one}") for one in ("first", "second")]
        places = [f"tests/programs/judged.c:{line}" for line in lines]
        equal((proved["kind"], proved["threads"]), ("deadlock", 2), text)
        equal(proved["places"], places, text)
        words = f"proved: deadlock of 2 threads, {places[0]} and :{lines[1]}\n"
        check(f"\nstuck        {words}" in text, text)
    else:
        equal(proved, None, text)
        check("proved" not in text, text)


# -- servers without such pages, or with others ----------------------------------------


def test_without_the_pages_nothing_is_said():
    """Other servers have no such pages: nobody is blamed, and no line is lost on that."""
    path = os.path.join(scratch(), "gate.json")
    with Small("--leak", "fd") as server:
        target = ("--url", server.url, "--drive", "/work", "--pid", server.pid)
        options = ("--rounds", "3", "--calls", "4", "--json", path)
        done = run(JUDGE, *target, *options, check_exit=False)
    equal(done.returncode, 1, done.stdout + done.stderr)
    check("LEAKS: descriptors" in done.stdout, done.stdout)
    check("opened in" not in done.stdout, done.stdout)
    with open(path, encoding="utf-8") as file:
        fds = json.load(file)["resources"]["fds"]
    equal(fds["blamed"], None)
    check("/debug/pprof/fds" in fds["blamed_reason"], fds)
    check("404" in fds["blamed_reason"], fds)


def judge_stand(fds, **pages):
    """Judges a stand-in that leaks a descriptor and a thread a call, and whose profile of
    descriptors is the result of `fds(calls)`; returns the output and the resources."""
    calls = []

    def work(_):
        calls.append(1)
        return "ok"

    def said(_):
        return status("other", fds=7 + len(calls), threads=3 + len(calls))

    routes = {"pprof_heap": lambda _: heap(100), "status": said, "work": work}
    routes["debug_pprof_fds"] = lambda _: fds(len(calls))
    for name, page in pages.items():
        routes[name] = lambda _, page=page: page(len(calls))
    path = os.path.join(tempfile.mkdtemp(dir=scratch()), "stand.json")
    with Stand(**routes) as stand:
        drive = ("--url", stand.url, "--drive", "/work", "--json", path)
        options = ("--rounds", "2", "--calls", "2")
        done = run(JUDGE, *drive, *options, check_exit=False, limit=60)
    equal(done.returncode, 1, done.stdout + done.stderr)
    check("LEAKS: threads, descriptors" in done.stdout, done.stdout + done.stderr)
    with open(path, encoding="utf-8") as file:
        return done.stdout, json.load(file)["resources"]


def test_share_that_is_not_all():
    """The share is that of the line; what was made unseen has its own, and no line."""

    def fds(calls):
        rows = [(calls, "order_open", "shop/order.c", 7), (9, "main", "shop/main.c", 3)]
        return made_profile("fds", *rows, (3 * calls, "made unseen", None, 0))

    text, resources = judge_stand(fds)
    check(
        "\nopened in    order_open shop/order.c:7 (25 %, 75 % made unseen)\n" in text,
        text,
    )
    blamed = resources["fds"]["blamed"]
    equal((blamed["share"], blamed["unseen_share"]), (0.25, 0.75), text)
    # Of another resource nothing is there.
    equal(resources["threads"]["made"], None)
    check("404" in resources["threads"]["made_reason"], resources["threads"])
    check("started in" not in text, text)


def test_all_made_unseen():
    """Nobody is blamed for what was made unseen."""
    text, resources = judge_stand(
        lambda calls: made_profile("fds", (3 * calls, "made unseen", None, 0))
    )
    check("\nopened in    made unseen (100 %)\n" in text, text)
    equal(resources["fds"]["blamed"], None)
    equal(resources["fds"]["blamed_reason"], "nobody saw them being made")


def together(function, cases):
    """Calls the function for each case, several at a time: most of it is waiting."""
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(function, *case) for case in cases]:
            done.result()


def test_wrong_page_blames_nobody():
    """The verdict does not depend on the page, and the reason is kept."""

    def try_one(said, page):
        text, resources = judge_stand(page)
        equal(resources["fds"]["blamed"], None, text)
        check(said in resources["fds"]["blamed_reason"], resources["fds"])
        check("\nopened in    not measured: " in text, text)

    cases = [
        ("answered 409", lambda calls: (409, "busy")),
        ("a hint", lambda calls: (501, '{"error":{"hint":"a hint"}}')),
        ("no profile.proto", lambda calls: "<html>welcome</html>"),
        ("no profile.proto", lambda calls: ""),
        ("none of its values", lambda calls: made_profile("files", (1, "f", "f.c", 1))),
        ("cannot be true", lambda calls: made_profile("fds", (-5, "f", "f.c", 1))),
        ("damaged", lambda calls: made_profile("fds", (5, "f", "f.c", 1))[:-9]),
        ("cannot be unpacked", lambda calls: "\x1f\x8b\x08\x00junk"),
        ("no growth", lambda calls: made_profile("fds", (5, "f", "f.c", 1))),
    ]
    together(try_one, cases)


def stuck(*rows):
    return made_profile("goroutineleak", *rows)


def locks(**changes):
    figures = {"measured": True, "waits": [], "deadlocks": [], "never_released": []}
    return json.dumps(figures | changes)


def proof_of(stuck_page, locks_page):
    """What is said of the threads of a stand-in with these pages."""
    text, resources = judge_stand(
        lambda calls: (404, "no"),
        debug_pprof_goroutineleak=stuck_page,
        debug_locks=locks_page,
    )
    return text, resources["threads"]


def test_proof_of_part_of_the_threads():
    """Only what the server proves of the calls, and of how many threads."""

    def page(calls):
        # Two threads were stuck before; every second call adds one to each line.
        each = calls // 2
        return stuck(
            (2 + each, "second", "shop/b.c", 81, "deadlock"),
            (2, "first", "shop/b.c", 74, "deadlock"),
            (each, "third", "shop/c.c", 9, "stuck"),
        )

    def listed(calls):
        cycles = [{"threads": [10, 11, 12]}]
        cycles += [{"threads": [20 + i, 120 + i]} for i in range(calls // 2)]
        tids = [tid for cycle in cycles for tid in cycle["threads"]]
        waits = [{"tid": tid, "verdict": "deadlock"} for tid in tids]
        return locks(deadlocks=cycles, waits=waits, threads=[1, *tids])

    text, threads = proof_of(page, listed)
    proved = threads["proved"]
    equal((proved["kind"], proved["threads"]), ("deadlock", 2), text)
    equal(proved["places"], ["shop/b.c:81"], text)
    equal((proved["explains"], proved["grew"]), (4, 4), text)
    check("\nstuck        proved: deadlock of 2 threads, shop/b.c:81\n" in text, text)


def test_proof_without_a_list():
    """Where the list of locks is no list, neither the size of a cycle is said, nor how
    many of the threads that grew are stuck; where the profile has no reason, nothing is
    proved."""

    def page(calls):
        return stuck((calls // 2, "second", "shop/b.c", 81, "deadlock"))

    def try_one(listed):
        text, threads = proof_of(page, lambda _: listed)
        words = "proved: deadlock, shop/b.c:81 (whether these are the threads that grew "
        check(f"\nalso stuck   {words}is not known)\n" in text, text)
        proved = threads["proved"]
        equal((proved["threads"], proved["explains"]), (None, None), text)

    lists = ((404, "no"), "[" * 2000, locks(deadlocks=[{"threads": ["a"]}]))
    lists += (locks(measured=False, reason="no room"), " " * 5 * 2**20)
    together(try_one, [(listed,) for listed in lists])
    text, threads = proof_of(
        lambda calls: stuck((calls, "second", "shop/b.c", 81)),
        lambda calls: locks(deadlocks=[{"threads": [20, 21 + calls]}]),
    )
    equal(threads["proved"], None, text)
    check("proved" not in text, text)
    text, threads = proof_of(lambda _: (501, "{}"), lambda _: locks())
    equal(threads["proved"], None, text)
    check("501" in threads["proved_reason"], threads)


def test_texts_of_a_server_are_cleaned():
    """What a terminal or a page would obey is not printed."""
    name, file = "open\x1b[2J<b>", "x\r\n\x9b.c"
    text, resources = judge_stand(
        lambda calls: made_profile("fds", (calls, name, file, 3)),
        debug_pprof_goroutineleak=lambda calls: stuck((calls, name, file, 3, "deadlock")),
        debug_locks=lambda calls: locks(measured=False, reason="\x1b[2J"),
    )
    check(not re.search(r"[^\n -~]", text), text)
    equal(resources["fds"]["blamed"]["function"], "open?[2J<b>", text)
    equal(resources["threads"]["proved"]["places"], ["x???.c:3"], text)


def test_pair_without_the_pages():
    """A pair of servers without them is judged as before."""
    calls = {"leaky": [], "fixed": []}

    def side(name):
        def leak(_):
            calls[name].append(1)
            return json.dumps({"declared": {"fds": 1}})

        def said(_):
            if name == "fixed":
                return status(name, fds=7)
            return status(name, fds=7 + len(calls[name]), mappings=None)

        return half(name, leak, {"leaves": {"fds": 1}}, status=said)

    with side("leaky") as leaky, side("fixed") as fixed:
        text, figures = judge(leaky, fixed, ["one"])
    check("leak of descriptors: not seen by a profile; " in row_of(text, "one"), text)
    equal(figures["one"]["leaky"]["made"]["fds"], None)
    equal(figures["one"]["leaky"]["growth_per_call"]["mappings"], None)


def test_fixed_half_that_keeps_mappings_or_children():
    """A fix that leaves mappings or children does not hold."""
    for resource, word in (("mappings", "mappings"), ("children", "children")):
        calls = []

        def leak(_, calls=calls):
            calls.append(1)
            return json.dumps({"declared": {"fds": 1}})

        def said(_, calls=calls, resource=resource):
            return status("fixed", **{resource: 5 + len(calls)})

        def leaks(_, calls=calls):
            return status("leaky", fds=7 + len(calls))

        leaves = {"leaves": {"fds": 1}}
        fixed = half("fixed", leak, leaves, status=said)
        with half("leaky", leak, leaves, status=leaks) as leaky, fixed:
            text, _ = judge(leaky, fixed, ["one"], expect=1)
        check(f"THE FIX LEAKS: {word} grew by " in text, text)
