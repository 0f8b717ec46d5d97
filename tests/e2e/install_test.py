"""What `make install` puts in place works without the source tree, and `make uninstall`
takes all of it away."""

import os
import re
import subprocess

import pytest

from checks import check, equal
from commands import run
from http_request import request
from tree import BUILD, ROOT, scratch

FILES = {
    "bin/leakprobe",
    "bin/leakcheck",
    "lib/libleakprobe.so",
    "include/leakprobe.h",
    "lib/pkgconfig/leakprobe.pc",
    "share/man/man1/leakprobe.1",
    "share/man/man1/leakcheck.1",
}


def files_below(directory):
    """Every file below a directory, relative to it."""
    return {
        os.path.relpath(os.path.join(path, name), directory)
        for path, _, names in os.walk(directory)
        for name in names
    }


@pytest.fixture(name="installed", scope="module")
def install_once():
    """A directory with everything installed, which a path with "usr" ends."""
    destination = scratch()
    variables = (f"BUILD={BUILD}", f"DESTDIR={destination}", "PREFIX=/usr")
    run("make", "-s", "install", *variables, cwd=ROOT, limit=280)
    yield os.path.join(destination, "usr")
    run("make", "-s", "uninstall", *variables, cwd=ROOT, limit=60)
    equal(files_below(destination), set(), "files that uninstall has left")


def test_every_file_is_there(installed):
    equal(files_below(installed), FILES, "installed files")
    for name in ("bin/leakprobe", "bin/leakcheck"):
        check(os.access(os.path.join(installed, name), os.X_OK), f"{name} can be run")


def test_programs_run_where_nothing_else_is(installed):
    done = subprocess.run(
        [f"{installed}/bin/leakprobe", "--port", "0", "--", "sh", "-c", "exit 9"],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    equal((done.returncode, done.stdout), (9, ""), "status and output")
    check(
        re.fullmatch(r"leakprobe: sh, pid \d+: http://\S+/\n", done.stderr), done.stderr
    )


def linked(installed, *flags):
    """Compiles the program as a user does."""
    target = os.path.join(scratch(), "linked")
    source = os.path.join(ROOT, "tests", "programs", "linked.c")
    run("gcc", f"-I{installed}/include", source, "-o", target, *flags)
    return target


def test_program_that_is_linked_with_it(installed):
    """By the flags of pkg-config, which has the place that the files are meant for."""
    with open(f"{installed}/lib/pkgconfig/leakprobe.pc", encoding="utf-8") as file:
        text = file.read()
    check("prefix=/usr\n" in text and "@" not in text, text)
    flags = re.search(r"^Libs: (.*)$", text, re.M).group(1)
    flags = flags.replace("${libdir}", f"{installed}/lib").split()
    with subprocess.Popen(
        [linked(installed, *flags)],
        env=os.environ | {"LD_LIBRARY_PATH": f"{installed}/lib", "LEAKPROBE_PORT": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        version, url = program.stdout.readline().split()
        check(re.fullmatch(r"\d+\.\d+\.\d+", version), version)
        port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", url).group(1))
        status = request(port, "GET", "/status").expect(200)
        check(status.json()["pid"] == program.pid, status.text)
        program.stdin.close()
        equal(program.wait(60), 0, "status")


def test_program_that_runs_without_it(installed):
    """The header's functions are weak."""
    done = run(linked(installed))
    equal(done.stdout, "none\n", "output")


@pytest.mark.parametrize("name", ("leakprobe", "leakcheck"))
def test_man_page_names_every_option(installed, name):
    """It is formatted without a warning, and has the options of --help."""
    page = f"{installed}/share/man/man1/{name}.1"
    done = run("man", "--warnings", "-l", page, env=os.environ | {"MANWIDTH": "78"})
    equal(done.stderr, "", "warnings")
    shown = re.sub(r".\x08", "", done.stdout)
    options = re.findall(
        r"^  (--[a-z-]+)", run(f"{BUILD}/{name}", "--help").stdout, re.M
    )
    check(len(options) > 5, f"options of --help: {options}")
    for option in set(options) - {"--help", "--version"}:
        check(option in shown, f"{option} in {shown}")
