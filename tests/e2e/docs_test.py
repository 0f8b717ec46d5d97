"""Every command in README.md and docs/ runs, in order, against both servers, and prints
what the page shows. Every path that a page names exists. See support/pages.py."""

import contextlib
import glob
import os
import platform
import re
import subprocess

import pytest

import pages
from checks import check, equal
from commands import run
from samples import first_difference
from scenarios import LOST, scenario_names
from server_programs import Nginx, Redis
from servers import Server
from tree import BUILD, ROOT, copy_with_build, scratch
from turns import in_turns

# Output that the tests do not compare, by page.
NOT_COMPARED = {}


def is_debian_12():
    release = platform.freedesktop_os_release()
    return (release.get("ID"), release.get("VERSION_ID")) == ("debian", "12")


def check_sample(name, block, printed):
    """Checks that a block of a page shows what its commands print."""
    if "not compared" in block.notes:
        return
    if "as on Debian 12" in block.notes and not is_debian_12():
        return
    line = first_difference(block.text.splitlines(), printed.splitlines())
    check(
        line is None,
        f"the page shows\n{block.text}\nbut this is printed:\n"
        f"{printed}\nand this line does not agree: {line}",
    )


def check_session(name, block, shell):
    """Runs the commands of a block that shows them with their output."""
    parts = re.split(r"^\$ ?(.*)\n?", block.text, flags=re.MULTILINE)
    equal(parts[0], "", f"{name}:{block.line}: output before the first command")
    for command, sample in zip(parts[1::2], parts[2::2]):
        shown = pages.Block(block.line, "text", sample, block.notes)
        check_sample(name, shown, shell.run(command))


def run_block(name, block, shell, printed):
    """Runs or compares one block; `printed` is the output of the commands before it.
    Returns the output of this block's, None if they do not run here."""
    if not block.is_commands:
        check(printed is not None, f"{name}:{block.line}: no commands print this")
        check_sample(name, block, printed)
        return printed
    if "not run by the tests here" in block.notes:
        return None
    return shell.run(block.text, int(block.notes.get("exits", 0)))


def run_page(name, shell):
    """All blocks of a page. It goes on after a block that fails, so that a page is
    brought up to date in one go."""
    blocks = pages.page_blocks(name)
    printed = None
    failed = []
    for block in blocks:
        try:
            if not block.is_session:
                printed = run_block(name, block, shell, printed)
        except AssertionError as error:
            failed.append(f"{name}:{block.line}: {error}")
    for block in blocks:
        try:
            if block.is_session:
                check_session(name, block, shell)
        except AssertionError as error:
            failed.append(f"{name}:{block.line}: {error}")
    check(not failed, "\n\n".join(failed))


README = pytest.param("README.md", marks=pytest.mark.one_of("README", "sessions"))
PAGES = [
    README,
    *(
        pytest.param(page.values[0], marks=[*page.marks, pytest.mark.one_of("README", "page")])
        for page in in_turns("pages", pages.page_names()[1:])
    ),
]


@pytest.mark.slow
@pytest.mark.timeout(600)  # so that blocks that take too long are named
@pytest.mark.parametrize("name", PAGES)
def test_commands_print_what_the_page_shows(name):
    """Every command of a page runs and prints what the page shows."""
    copy = copy_with_build()
    build = os.path.join(copy, "build")
    with contextlib.ExitStack() as stack:

        def start(server, *options):
            return stack.enter_context(Server(server, *options, build=build, cwd=copy))

        # As ./demo.sh --keep leaves them, with which the lesson begins.
        options = ("--profile", "recorder") if name == "docs/teaching.md" else ()
        servers = {
            "leaky": start("leaky", *options),
            "fixed": start("fixed", *options),
        }
        if name == "docs/profiles.md":
            servers["recorded"] = start("leaky", "--profile", "recorder")
        shell = pages.Shell(copy, scratch(), servers)
        if name == "docs/take-it-home.md":
            for kind in (Nginx(), Redis()):
                shell.add_programs(kind)
        run_page(name, shell)


def table_commands():
    """The commands in README's table of what to type. The demo's test has the one that
    judges every pair."""
    rows = re.findall(r"^\| `([^`]+)` \| ", pages.page_text("README.md"), re.M)
    typed = [row for row in rows if " " in row]
    others = [row for row in typed if not row.startswith("build/leakcheck http")]
    check(len(others) >= 8 and len(others) == len(typed) - 1, typed)
    return others


@pytest.mark.slow
@pytest.mark.one_of("README", "table")
def test_commands_of_the_table_run():
    """Every command in README's table of what to type runs, and prints something,
    unless its output is a file."""
    copy = copy_with_build()
    build = os.path.join(copy, "build")
    with Server("leaky", build=build, cwd=copy) as leaky:
        with Server("fixed", build=build, cwd=copy) as fixed:
            shell = pages.Shell(copy, scratch(), {"leaky": leaky, "fixed": fixed})
            for command in table_commands():
                printed = shell.run(command).strip()
                check(printed or " -o " in command, f"{command}: prints nothing")


def test_samples_that_are_not_compared_are_counted():
    """No page shows output that is not compared, but for those that are known."""
    found = {}
    for name in pages.page_names():
        for block in pages.page_blocks(name):
            if "not compared" in block.notes:
                found[name] = found.get(name, 0) + 1
    equal(found, NOT_COMPARED, "samples that are not compared")


PRINTED = """\
heap profile:    100: 87976774 [  2334: 221296296] @ heapprofile
     8: 83886208 [     8: 83886208] @ 0x55baac1b3406 0x55baac1b3516 0x55baac1ab8d9
#	0x55baac1b3406	payload_read+0x26	leaky/slice_prefix.c:30
#	0x55baac1b3516	payload_receive+0x18	leaky/slice_prefix.c:62
heap         64.0 KiB a call, limit 1.0 KiB: OVER
     2.0   2.4%  97.6%      2.0   2.4% order_read
measured in  5 rounds of 10 calls, 4.1 s
leaky: memory @3.000s: 1.08->51.10 MiB in use, 50.03 MiB/s allocated, 7 descriptors
   2.1 s  end 1: pid 8249 killed by SIGKILL at 97.0 MiB after 2.1 s
lost: 647: 2782242 [36: 2057248] directly
# in use 3180 blocks, 65588940 bytes; lost 647 blocks, 2782242 bytes; 69 threads stopped for 5.0 ms
==4711== 655,360 bytes in 10 blocks are definitely lost in loss record 5 of 9
"""


@pytest.mark.parametrize(
    "old, new",
    [
        ("100: 8", "105: 8"),  # the first line of a profile: 10 %
        ("0x55baac1b3406", "0x7f0000000001"),  # all of them
        ("64.0 KiB", "65.0 KiB"),
        ("97.6%", "97.0%"),
        ("4.1 s", "212.8 s"),
        ("SIGKILL at 97.0 MiB", "SIGKILL at 204.6 MiB"),
        ("==4711==", "==1=="),
        ("lost: 647: 2782242", "lost: 938: 2814642"),
        ("lost 647 blocks", "lost 938 blocks"),
        (
            "@3.000s: 1.08->51.10 MiB in use, 50.03",
            "@4.100s: 9.00->7.00 MiB in use, 1.0",
        ),
        ("0x55baac1b3516 0x55baac1ab8d9", "0x55baac1b3516 ..."),
        ("leaky/slice_prefix.c:62\nheap   ", "leaky/slice_prefix.c:62\nheap"),
        ("heap         64.0 KiB a call, limit 1.0 KiB: OVER\n", "...\n"),
    ],
)
def test_what_may_differ_is_no_difference(old, new):
    """A sample agrees with output that differs in what varies."""
    check(old in PRINTED, old)
    sample = PRINTED.replace(old, new)
    equal(first_difference(sample.splitlines(), PRINTED.splitlines()), None)


@pytest.mark.parametrize(
    "old, new",
    [
        ("100: 8", "120: 8"),
        ("0x55baac1b3516 ", "0x55baac1b3406 "),  # two ids that are one in the sample
        ("#	0x55baac1b3406", "#	0x55baac1b3407"),  # one id that is two
        ("64.0 KiB", "74.0 KiB"),
        ("64.0 KiB", "64.0 MiB"),
        ("97.6%", "95.6%"),
        ("2.0   2.4%", "2.1   2.4%"),
        ("10 calls", "11 calls"),
        ("slice_prefix.c:30", "slice_prefix.c:31"),
        ("payload_read+", "payload_write+"),
        ("] directly", "] indirectly"),
        ("# in use", "# retained"),
        ("MiB/s allocated", "MiB/s freed"),
        ("definitely lost", "possibly lost"),
        ("8: 83886208 [", "9: 83886208 ["),
        ("OVER\n", "\n"),
        ("measured", "...\nmeasured"),  # a cut where nothing is left out
        ("measured in  5 rounds of 10 calls, 4.1 s\n", ""),  # a cut that is not marked
        ("9\n", "9\nand more\n"),
    ],
)
def test_altered_sample_is_a_difference(old, new):
    """A sample that shows what is not printed does not agree."""
    check(old in PRINTED, old)
    sample = PRINTED.replace(old, new)
    check(first_difference(sample.splitlines(), PRINTED.splitlines()), "it agrees")


# A path in the text of a page: `common/scenario.h`, `leakcheck/`, `demo.sh`.
PATH = re.compile(r"`\.?/?([\w.-]+/[\w./-]*|[\w-]+\.(?:sh|md|c|h|py))`")
ELSEWHERE = ("build/", "out/", "mine/", "profiles/", "pprof/", "debug/", "proc/")
ELSEWHERE += ("gperftools/", "etc/", "class/")


def named_paths(name):
    """The paths of this tree that the text of a page names, with its links."""
    text = pages.BLOCK.sub("", pages.page_text(name))
    for path in PATH.findall(text):
        if not path.startswith(ELSEWHERE):
            yield os.path.join(ROOT, path)
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        yield os.path.join(ROOT, os.path.dirname(name), target)


@pytest.mark.parametrize("name", pages.page_names())
def test_paths_exist(name):
    """Every path that a page names exists."""
    found = set(named_paths(name))
    missing = {path for path in found if not os.path.exists(path)}
    equal(missing, set(), "paths that are not there")
    check(name != "README.md" or len(found) > 15, f"few paths: {found}")


def test_readme_names_every_directory_of_the_source():
    """README's table of the source has every directory in it."""
    named = {os.path.relpath(path, ROOT) for path in named_paths("README.md")}
    parents = {os.path.dirname(path) for path in named}
    for top in ("base", "common", "probe", "leakcheck", "leaky", "fixed", "docs"):
        for directory, _, files in os.walk(os.path.join(ROOT, top)):
            path = os.path.relpath(directory, ROOT)
            has_source = any(file.endswith((".c", ".h", ".md")) for file in files)
            check(not has_source or path in named | parents, f"README lacks {path}/")


def test_readme_lists_every_scenario():
    """README lists every scenario of the list, and none that is not there; and it
    counts them right."""
    text = pages.page_text("README.md")
    rows = re.findall(r"^\| \[`([a-z-]+)`\]\(leaky/\w+\.c\) \|", text, re.M)
    equal(rows, scenario_names(), "scenarios in the table")
    counts = re.findall(r"\b(\d+) (?:real leaks|pairs)\b", text)
    equal(
        counts, [str(len(rows))] * 2, "how many leaks and pairs README says there are"
    )


def test_make_targets_exist():
    """make's help and the pages name no target that is not there."""
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as file:
        targets = set(re.findall(r"^([a-z-]+):", file.read(), re.MULTILINE))
    texts = [run("make", "-s", cwd=ROOT).stdout]
    for name in pages.page_names():
        texts += [each.text for each in pages.page_blocks(name) if each.is_commands]
    named = {name for text in texts for name in re.findall(r"\bmake ([a-z]+)\b", text)}
    check(len(named) > 8, f"few targets: {named}")
    equal(named - targets, set(), "targets that are not there")


def recipe(server):
    """The commands of docs/ci.md that start a server, with another one."""
    blocks = pages.page_blocks("docs/ci.md")
    block = next(each for each in blocks if "server=$!" in each.text)
    commands, count = re.subn(r"^build/leaky .*?(?= >)", server, block.text, flags=re.M)
    equal(count, 1, "lines that start the server")
    commands = commands.replace("make build >build.log\n", "")
    commands = commands.replace("build/", f"{BUILD}/")
    return commands.replace("i < 100", "i < 10")  # A second is enough here.


@pytest.mark.parametrize("shell", [["bash", "-c"], ["bash", "-euo", "pipefail", "-c"]])
@pytest.mark.parametrize(
    "server, said",
    [
        ("false", ""),  # it cannot start
        ("sleep 100", ""),  # it never says where it listens
        ("sh -c 'echo http://127.0.0.1:{port}; exec sleep 100'", "{port}"),  # another's
    ],
)
def test_recipe_for_ci_gives_no_verdict(shell, server, said):
    """The recipe of docs/ci.md ends with 2, soon, if its own server does not answer."""
    with Server("fixed") as other:
        commands = recipe(server.format(port=other.port))
        done = subprocess.run(
            [*shell, commands],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=scratch(),
            check=False,
        )
        output = done.stdout + done.stderr
        equal(done.returncode, 2, f"exit: {output}")
        check(said.format(port=other.port) in output, output)


def test_page_names_the_scenarios_that_lose_memory():
    """docs/other-tools.md names the scenarios that LeakSanitizer finds."""
    text = pages.page_text("docs/other-tools.md")
    found = re.search(r"scenarios it finds five: (.*?)\.", text, re.S)
    equal(set(re.findall(r"`([\w-]+)`", found[1])), LOST, "scenarios that lose memory")


# Words of "find it" that are no functions of the program.
NOT_OURS = {"pthread_mutex_lock", "rss_bytes", "total_alloc_bytes", "alloc_space"}


def text_of(*patterns):
    """The text of all files of the tree that match."""
    text = ""
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
            with open(path, encoding="utf-8") as file:
                text += file.read()
    return text


@pytest.mark.parametrize("scenario", scenario_names())
def test_find_it_holds_on_every_release(scenario):
    """What a scenario says of finding it names both pprofs, and functions it has."""
    source = text_of(f"leaky/{scenario.replace('-', '_')}.c")
    program, _, descriptor = source.partition("const struct scenario ")
    pieces = re.search(r'\.find_it =\s*((?:"[^"]*"\s*)+),', descriptor)
    said = "".join(re.findall(r'"([^"]*)"', pieces[1]))
    both = "google-pprof or go tool pprof"
    check("pprof " not in said.replace(both, ""), f"one release's command: {said}")
    names = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", said)) - NOT_OURS
    defined = program + text_of("common/runtime/*.h")
    missing = {name for name in names if f"{name}(" not in defined}
    equal(missing, set(), f"functions that are not there: {said}")
