"""The decoys of ./learn.sh mystery: each looks like a leak at first, is flat later,
gives right answers, and is clean under the sanitizers and Valgrind."""

import concurrent.futures
import glob
import json
import os
import re
import urllib.error
import urllib.request

import pytest

from answers import digest
from builds import ADDRESS, THREAD, built
from checks import check, equal
from commands import run
from heap_profile import HeapProfile
from program_functions import Functions
from tree import BUILD, ROOT, scratch
from turns import in_turns
from learn import source
from learn.server import Server, fetch

SANITIZERS = {
    "address": (ADDRESS, {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99"}),
    "thread": (THREAD, {"TSAN_OPTIONS": "exitcode=99"}),
}

DECOYS = sorted(
    os.path.basename(path)[: -len(".c")].replace("_", "-")
    for path in glob.glob(f"{ROOT}/exercises/decoys/*.c")
)
MIB = 1024 * 1024


def half(name):
    """A decoy's file."""
    return f"exercises/decoys/{name.replace('-', '_')}.c"


def link(directory, *variables):
    """Builds a server of all decoys; returns its path."""
    work = scratch()
    for name in DECOYS:
        with open(f"{work}/{name}.c", "w", encoding="utf-8") as file:
            file.write(source.unit(half(name), half(name), f"a-{name}", name))
    with open(f"{work}/list.c", "w", encoding="utf-8") as file:
        file.write(source.listing("decoys", [f"a-{name}" for name in DECOYS]))
    command = ("make", "-s", "-j2", f"BUILD={directory}", *variables, "server")
    run(*command, f"UNITS={work}", f"SERVER={work}/decoys", cwd=ROOT, limit=280)
    return f"{work}/decoys"


@pytest.fixture(name="program", scope="module")
def linked():
    """The server of all decoys, with gperftools."""
    return link(BUILD)


def call(server, name, **parameters):
    """A call that may be slow under an instrument."""
    return server.call(f"a-{name}", seconds=120, **parameters)


# -- answers ---------------------------------------------------------------------------


def repeated(text, length):
    """The first bytes of a text that is repeated without end."""
    return (text * (length // len(text) + 1))[:length].encode()


def portrait(name, size):
    """cache-bounded: a struct of 144 bytes comes before the pixels."""
    return f"portrait {digest(repeated(name, size - 144))}, {size} bytes"


def parcel(name, size):
    """table-lazy: a size comes before the prices."""
    name = digest(name.encode())
    zone = int(name, 16) % 32
    prices = bytes((zone * 7 + weight // 16) % 256 for weight in range(size - 8))
    return f"zone {zone}, {len(prices)} prices {digest(prices)}, parcel {name}"


ANSWERS = {
    "cache-bounded": portrait,
    "pool-peak": lambda name, size: (
        f"sign {digest(name.encode())}, {len(name) * size} bytes"
    ),
    "table-lazy": parcel,
    "allocator-keeps": lambda name, size: (
        f"atlas {digest(bytes(c for c in name.encode() for _ in range(8)))}, "
        f"maps of {size} bytes"
    ),
    "burst-ends": lambda name, size: (
        f"tray {digest(repeated(name, size - 16))}, {size - 16} characters"
    ),
}


def test_answers_depend_on_the_request_alone(program):
    """Each decoy's answer is what its work comes to, before and after it is full, for
    several clients at once."""
    equal(sorted(ANSWERS), DECOYS, "decoys with an answer")
    texts = ("x", "Ada", "%s'\"", "y" * 128)
    questions = [(text, size) for text in texts for size in (1024, 4099)]
    with Server(program) as server, concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(2):
            for name in DECOYS:
                asked = [
                    (pool.submit(call, server, name, id=text, bytes=size), text, size)
                    for text, size in questions * 3
                ]
                for reply, text, size in asked:
                    equal(
                        reply.result()["answer"],
                        ANSWERS[name](text, size),
                        f"{name} {text}",
                    )
                call(server, name, id="more", bytes=1024, count=300)


def test_refusal_does_not_tell(program):
    """What a guard rail refuses in an exercise, whatever rail it is, is told without what
    a call may need: that is what it may leave behind."""
    with Server(program) as server:
        for name in DECOYS:
            if name == "allocator-keeps":
                continue  # it declares nothing
            url = f"{server.url}/leak/a-{name}?bytes=1M&count=10000"
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(url, timeout=60)
            said = refused.value.read().decode()
            equal(refused.value.code, 503, said)
            check("may pass a limit of the server" in said, said)
            check(not re.search(r"\d|heap|thread|fd|descriptor|timer", said), said)


def test_page_of_an_exercise_keeps_the_answers(program):
    """The lab's page of an exercise says that it is one, and has no lesson."""
    with Server(program) as server:
        check("<title>Leak lab</title>" in fetch(f"{server.url}/"), "no page")
        setup = json.loads(fetch(f"{server.url}/page/lab/setup"))
        expected = {"server": "decoys", "peer": None, "exercise": True}
        equal(setup, expected, "what the page is told")
        for name in ("slice-prefix", f"a-{DECOYS[0]}"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{server.url}/page/lab/lesson/{name}")
            error = json.loads(refused.value.read())["error"]
            equal((refused.value.code, error["code"]), (404, "unknown_lesson"), name)


# -- curves ----------------------------------------------------------------------------


def in_use(server, name, program):
    """Bytes that a decoy's functions have in use."""
    functions = Functions(program, server.pid)
    with open(f"{ROOT}/{half(name)}", encoding="utf-8") as file:
        own = set(re.findall(r"^static [\w *]*?\b(\w+)\(", file.read(), re.MULTILINE))
    stacks = HeapProfile(fetch(server.debug + "/pprof/heap")).stacks
    return sum(
        size
        for stack, (_, size) in stacks.items()
        if own.intersection(filter(None, functions.stack(stack)))
    )


def resident(server):
    """The resident set, by /proc."""
    with open(f"/proc/{server.pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("name", DECOYS)
def test_it_climbs_first_and_then_is_flat(program, name):
    """Forty callers with names of all lengths: a climb of half a megabyte or more, in
    use or of the resident set. After some hundred there is none any more."""
    with Server(program) as server:

        def calls(first, last):
            for i in range(first, last):
                text = f"{i}-" + "n" * (i % 40)
                call(server, name, id=text, bytes=32 * 1024)

        def amount():
            if name == "allocator-keeps":
                return resident(server)
            return in_use(server, name, program)

        begin = amount()
        calls(0, 41)
        climbed = amount() - begin
        check(climbed > MIB / 2, f"{climbed} bytes in forty calls")
        calls(41, 400)
        full = amount()
        calls(400, 600)
        more = amount() - full
        check(more < climbed / 8, f"{climbed} bytes at first, {more} more at the end")
        if name == "allocator-keeps":
            equal(in_use(server, name, program), 0, "bytes in use")


# -- clean -----------------------------------------------------------------------------


def drive(server):
    """Every decoy beyond its bound, from several clients, with sizes that change."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        replies = [
            pool.submit(
                call, server, name, id=f"{i}" + "z" * (i % 20), bytes=size, count=2
            )
            for i in range(150)
            for name in DECOYS
            for size in (1024 + i % 3 * 512,)
        ]
        for reply in replies:
            reply.result()


def ended(server):
    """What the server said, after it has ended as it should."""
    check(server.end(60), "it does not end")
    said = server.said()
    equal(server.process.returncode, 0, f"exit: {said[-3000:]}")
    return said


@pytest.mark.slow
@pytest.mark.one_of("practice", "decoys")
@pytest.mark.parametrize("sanitizer", in_turns("decoys, sanitizer", SANITIZERS))
def test_decoys_are_clean_under_the_sanitizers(sanitizer):
    """ASan, LeakSanitizer and UBSan, and ThreadSanitizer: no report."""
    variables, environment = SANITIZERS[sanitizer]
    program = link(built(*variables, targets=("shared",)), *variables)
    with Server(program, environment=environment) as server:
        drive(server)
        said = ended(server)
    for word in ("Sanitizer", "runtime error", "WARNING:", "ERROR:"):
        check(word not in said, said[:6000])


@pytest.mark.slow
@pytest.mark.one_of("practice", "decoys")
def test_decoys_leave_nothing_at_the_end():
    """Valgrind: no error, and no block of theirs is left, not even a reachable one."""
    plain = ("CC=gcc", "ALLOCATOR=libc")
    program = link(built(*plain, targets=("shared",)), *plain)
    wrapper = (
        "valgrind",
        "--leak-check=full",
        "--show-leak-kinds=all",
        "--num-callers=40",
    )
    with Server(program, wrapper=wrapper) as server:
        for name in DECOYS:
            for text in ("a", "name", "n" * 30):
                call(server, name, id=text, bytes=2048, count=40)
        report = ended(server)
    check("HEAP SUMMARY" in report, report[-3000:])
    own = [line for line in report.splitlines() if line.startswith(f"=={server.pid}==")]
    check(any("ERROR SUMMARY: 0 errors" in line for line in own), report[-3000:])
    files = "|".join(os.path.basename(half(name)) for name in DECOYS)
    left = [line for line in own if re.search(rf"\b({files}):", line)]
    equal(left, [], "blocks that are left")


# -- form ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DECOYS)
def test_a_decoy_has_the_form_of_a_pair(name):
    """It includes no more than a pair may, exports its descriptor alone, says nothing
    before it that gives it away, and its descriptor has every text."""
    with open(f"{ROOT}/{half(name)}", encoding="utf-8") as file:
        text = file.read()
    for header in re.findall(r'^#include "(.*)"', text, re.MULTILINE):
        check(re.fullmatch(r"scenario\.h|runtime/\w+\.h", header), header)
    given = source.fields(text)
    for field in (
        "title",
        "story",
        "symptom",
        "cause",
        "fix",
        "find_it",
        "bytes_meaning",
    ):
        check(given.get(field), f"no {field}")
    equal(given["name"], f'"{name}"', "name")
    equal(given["kind"], "SCENARIO_PERMANENT", "kind, as all routes of a mystery have")
    check(len(text.splitlines()) <= 220, "more than 220 lines")
    code = text[: text.index("\nconst struct scenario ")].lower()
    for word in ("leak", "decoy", "bounded", "harmless", "burst"):
        check(word not in code, f"its code says '{word}'")
    exported = re.findall(r"^(?!static|struct \w+ \{)[a-z].*[;{]$", text, re.MULTILINE)
    equal(
        exported,
        [f"const struct scenario {name.replace('-', '_')}_scenario = {{"],
        "exported",
    )
