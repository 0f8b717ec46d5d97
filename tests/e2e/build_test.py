"""The build: clean with both compilers, with either allocator; the same common code in
both servers; leaks that no optimisation removes; and the commands around it."""

import os
import re

import pytest

from builds import built
from checks import check, equal
from commands import run, run_tests
from scenarios import scenario_names
from servers import Server
from tree import BUILD, ROOT, scratch
from turns import in_turns


def make(*arguments, **options):
    return run("make", *arguments, cwd=ROOT, limit=200, **options)


EVERYTHING = ("build", "unit-programs")


@pytest.mark.slow
@pytest.mark.one_of("thorough", "warnings")
@pytest.mark.parametrize(
    "variables",
    in_turns(
        "build",
        (
            ("CC=gcc",),
            ("CC=gcc", "ALLOCATOR=libc"),
            ("CC=clang",),
            ("CC=clang", "ALLOCATOR=libc"),
        ),
    ),
    ids=" ".join,
)
def test_everything_is_built_without_warning(variables):
    """With either compiler and either allocator."""
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as file:
        check("-Werror" in file.read(), "warnings are no errors")
    # leakprobe and its library do not depend on the allocator of the servers.
    targets = ("lab",) if "ALLOCATOR=libc" in variables else EVERYTHING
    built(*variables, targets=targets)


@pytest.mark.slow
@pytest.mark.one_of("thorough", "clang")
def test_clang_build_leaks_as_gcc_does_each_leak_is_there():
    """Clang's build leaks as gcc's does: each leak is there, under its name."""
    path = os.path.join(ROOT, "tests", "e2e", "leaky_test.py")
    done = run_tests(path, build=built("CC=clang"))
    equal(done.returncode, 0, f"leaky_test.py: {done.stdout}")


def test_same_objects_of_common_are_linked_into_both_servers():
    """The same objects of common/ are linked into both servers, and compiled once."""
    commands = make("-n", "-B", f"BUILD={scratch()}", "build").stdout
    links = {}
    for line in commands.splitlines():
        found = re.search(r"-o \S*/(leaky|fixed) (.*)", line)
        if found:
            objects = [word for word in found[2].split() if word.endswith(".o")]
            links[found[1]] = sorted(name for name in objects if "/common/" in name)
    equal(links["leaky"], links["fixed"], "objects of common/")
    check(len(links["leaky"]) > 20, links["leaky"])
    compiled = re.findall(r"-o (\S+/common/\S+\.o) ", commands)
    equal(len(compiled), len(set(compiled)), "each is compiled once")


def test_both_halves_have_same_scenarios():
    """Both halves have the same scenarios, and variant.c says which half it is."""
    for name in ("leaky", "fixed"):
        with Server(name) as server:
            equal(server.status()["server"], name, "server")


@pytest.mark.slow
@pytest.mark.one_of("thorough", "libc")
def test_allocator_libc_no_gperftools():
    """ALLOCATOR=libc: no gperftools; profiles answer 501 with the reason."""
    directory = built("CC=gcc", "ALLOCATOR=libc")
    for name in ("leaky", "fixed"):
        libraries = run("ldd", os.path.join(directory, name)).stdout
        check("tcmalloc" not in libraries, libraries)
        with Server(name, build=directory) as server:
            server.leak("slice-prefix")
            equal(server.status()["profile"], "off", "profile in /status")
            for path in ("/pprof/heap", "/debug/pprof/heap", "/debug/pprof/allocs"):
                error = server.get(path).error(501)
                check("ALLOCATOR=libc" in error["message"] + error["hint"], error)
            server.post("/debug/heap/dump").error(501)
            server.get("/debug/pprof/goroutine?debug=1").expect(200)


def test_servers_are_position_independent_and_keep_every_function():
    """The servers are position independent and keep every function's name."""
    for name in ("leaky", "fixed"):
        program = os.path.join(BUILD, name)
        header = run("readelf", "-h", program).stdout
        check(re.search(r"Type: +DYN", header), header)
        functions = set(run("nm", program).stdout.split())
        with Server(name) as server:
            for scenario in server.scenarios():
                suspect = scenario["suspect"]
                check(suspect is None or suspect in functions, f"{suspect} is gone")


@pytest.mark.slow
@pytest.mark.one_of("thorough", "flags")
def test_change_of_flags_or_compiler_builds_anew():
    """A change of flags or compiler rebuilds all files; no change rebuilds none."""
    program = f"{scratch()}/tests/unit/origin_test"  # two files, so that it is quick
    again = (f"BUILD={program.split('/tests/')[0]}", program)
    for arguments, builds in (
        (["CC=gcc"], True),
        (["CC=gcc"], False),
        (["CC=clang"], True),
        (["CC=clang", "ALLOCATOR=libc"], True),
    ):
        told = make(*again, *arguments).stdout
        equal("  cc  " in told and "  link  " in told, builds, f"{arguments}: {told}")


def test_make_alone_prints_help_that_names_every_command():
    """Make alone prints help that names every command."""
    plain = {name: value for name, value in os.environ.items() if name != "BUILD"}
    usage = make("-s", env=plain).stdout
    equal(usage, make("-s", "help", env=plain).stdout, "make and make help")
    for target in "build test lesson sanitize lint format bench clean unit".split():
        check(f"make {target}" in usage, f"no {target} in {usage}")
    check(max(map(len, usage.splitlines())) <= 80, "wider than 80 columns")


def test_make_lesson_shows_pair_diff():
    """Make lesson shows the pair's diff, and says which names there are."""
    for name in scenario_names():
        diff = make("-s", "lesson", f"S={name}").stdout
        file = name.replace("-", "_")
        check(diff.startswith(f"--- leaky/{file}.c\n+++ fixed/{file}.c\n@@"), diff)
        check("LEAK:" in diff and "FIX:" in diff, diff)
    for arguments, word in ((["S=nothing"], "slice-prefix"), ([], "usage")):
        done = make("-s", "lesson", *arguments, check_exit=False)
        equal(done.returncode, 2, "exit")
        check(word in done.stderr, done.stderr)


def test_wrong_allocator_is_refused():
    """A wrong ALLOCATOR is refused."""
    done = make("build", "ALLOCATOR=other", f"BUILD={scratch()}", check_exit=False)
    equal(done.returncode, 2, "exit")
    check("ALLOCATOR" in done.stderr, done.stderr)


def test_only_scripts_setup_sh_installs_packages():
    """Only scripts/setup.sh installs packages."""
    words = re.compile(
        r"\b(apt-get|apt|dpkg|pip3?|npm|curl\s.*\|\s*(ba)?sh)\s+(-\S+\s+)*install\b"
    )
    for directory, names, files in os.walk(ROOT):
        names[:] = [n for n in names if n not in (".git", "build", "out", "profiles")]
        for name in files:
            path = os.path.join(directory, name)
            if os.path.relpath(path, ROOT) in (
                "scripts/setup.sh",
                "tests/e2e/build_test.py",
            ):
                continue
            with open(path, encoding="utf-8", errors="replace") as file:
                check(not words.search(file.read()), f"{path} installs packages")


def test_setup_sh_nothing_to_do_is_quick_wrong_usage_exits_2():
    """Setup.sh: nothing to do is quick, wrong usage exits 2, and nothing is asked
    for."""
    script = os.path.join(ROOT, "scripts", "setup.sh")
    done = run(script, "--tests", limit=5)
    check("all packages are installed" in done.stdout, done.stdout)
    equal(run(script, "--bad", check_exit=False).returncode, 2, "exit")
