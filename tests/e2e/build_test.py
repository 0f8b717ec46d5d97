#!/usr/bin/python3
"""The build: clean with both compilers, with either allocator; the same common code in
both servers; leaks that no optimisation removes; and the commands around it."""

import os
import re

import lab
from lab import check, equal, test


def make(*arguments, **options):
    return lab.run("make", *arguments, cwd=lab.ROOT, limit=200, **options)


_built = {}


def built(*variables):
    """Builds everything with these variables of make; returns the directory."""
    if variables not in _built:
        directory = lab.scratch()
        done = make(
            "-s", "-j2", f"BUILD={directory}", *variables, "build", "unit-programs"
        )
        equal(done.stderr, "", f"warnings of {variables}")
        _built[variables] = directory
    return _built[variables]


@test("gcc and clang build everything without a warning")
def _():
    with open(os.path.join(lab.ROOT, "Makefile"), encoding="utf-8") as file:
        check("-Werror" in file.read(), "warnings are no errors")
    for compiler in ("gcc", "clang"):
        built(f"CC={compiler}")
        built(f"CC={compiler}", "ALLOCATOR=libc")


@test("clang's build leaks as gcc's does: each leak is there, under its name")
def _():
    environment = os.environ | {"BUILD": built("CC=clang")}
    path = os.path.join(lab.ROOT, "tests", "e2e", "leaky_test.py")
    done = lab.run(path, env=environment, check_exit=False, limit=200)
    equal(done.returncode, 0, f"leaky_test.py: {done.stdout}")


@test("the same objects of common/ are linked into both servers, and compiled once")
def _():
    commands = make("-n", "-B", f"BUILD={lab.scratch()}", "build").stdout
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


@test("both halves have the same scenarios, and variant.c says which half it is")
def _():
    for name in ("leaky", "fixed"):
        with lab.Server(name) as server:
            equal(server.status()["server"], name, "server")


@test("ALLOCATOR=libc: no gperftools; profiles answer 501 with the reason")
def _():
    directory = built("CC=gcc", "ALLOCATOR=libc")
    for name in ("leaky", "fixed"):
        libraries = lab.run("ldd", os.path.join(directory, name)).stdout
        check("tcmalloc" not in libraries, libraries)
        with lab.Server(name, build=directory) as server:
            server.leak("slice-prefix")
            equal(server.status()["profile"], "off", "profile in /status")
            for path in ("/pprof/heap", "/debug/pprof/heap", "/debug/pprof/allocs"):
                error = server.get(path).error(501)
                check("ALLOCATOR=libc" in error["message"] + error["hint"], error)
            server.post("/debug/heap/dump").error(501)
            server.get("/debug/pprof/goroutine?debug=1").expect(200)


@test("the servers are position independent and keep every function's name")
def _():
    for name in ("leaky", "fixed"):
        program = os.path.join(lab.BUILD, name)
        header = lab.run("readelf", "-h", program).stdout
        check(re.search(r"Type: +DYN", header), header)
        functions = set(lab.run("nm", program).stdout.split())
        with lab.Server(name) as server:
            for scenario in server.scenarios():
                suspect = scenario["suspect"]
                check(suspect is None or suspect in functions, f"{suspect} is gone")


@test("a change of flags or compiler builds anew, no change builds nothing")
def _():
    directory = built("CC=gcc")
    again = make(f"BUILD={directory}", "CC=gcc", "build")
    check("cc" not in again.stdout and "link" not in again.stdout, again.stdout)


@test("make alone prints help that names every command")
def _():
    plain = {name: value for name, value in os.environ.items() if name != "BUILD"}
    usage = make("-s", env=plain).stdout
    equal(usage, make("-s", "help", env=plain).stdout, "make and make help")
    for target in "build test lesson sanitize lint format bench clean unit".split():
        check(f"make {target}" in usage, f"no {target} in {usage}")
    check(max(map(len, usage.splitlines())) <= 80, "wider than 80 columns")


@test("make lesson shows the pair's diff, and says which names there are")
def _():
    for name in lab.scenario_names():
        diff = make("-s", "lesson", f"S={name}").stdout
        file = name.replace("-", "_")
        check(diff.startswith(f"--- leaky/{file}.c\n+++ fixed/{file}.c\n@@"), diff)
        check("LEAK:" in diff and "FIX:" in diff, diff)
    for arguments, word in ((["S=nothing"], "slice-prefix"), ([], "usage")):
        done = make("-s", "lesson", *arguments, check_exit=False)
        equal(done.returncode, 2, "exit")
        check(word in done.stderr, done.stderr)


@test("a wrong ALLOCATOR is refused")
def _():
    done = make("build", "ALLOCATOR=other", f"BUILD={lab.scratch()}", check_exit=False)
    equal(done.returncode, 2, "exit")
    check("ALLOCATOR" in done.stderr, done.stderr)


@test("only scripts/setup.sh installs packages")
def _():
    words = re.compile(
        r"\b(apt-get|apt|dpkg|pip3?|npm|curl\s.*\|\s*(ba)?sh)\s+(-\S+\s+)*install\b"
    )
    for directory, names, files in os.walk(lab.ROOT):
        names[:] = [n for n in names if n not in (".git", "build", "out", "profiles")]
        for name in files:
            path = os.path.join(directory, name)
            if os.path.relpath(path, lab.ROOT) in (
                "scripts/setup.sh",
                "tests/e2e/build_test.py",
            ):
                continue
            with open(path, encoding="utf-8", errors="replace") as file:
                check(not words.search(file.read()), f"{path} installs packages")


@test("setup.sh: nothing to do is quick, wrong usage exits 2, and nothing is asked for")
def _():
    script = os.path.join(lab.ROOT, "scripts", "setup.sh")
    done = lab.run(script, "--tests", limit=5)
    check("all packages are installed" in done.stdout, done.stdout)
    equal(lab.run(script, "--bad", check_exit=False).returncode, 2, "exit")


lab.main()
