"""leakcheck names the functions of a server that gives addresses only: from the file
that --binary names, if the server runs it, and never from a path that the server names.
The server is a stand-in; its addresses are those of a program that this test builds."""

import os

import pytest

from checks import check, equal
from commands import run
from stand_in import Stand
from tree import BUILD, scratch

pytestmark = [pytest.mark.slow, pytest.mark.one_of("judge of other servers", "names")]

JUDGE = os.path.join(BUILD, "leakcheck")
SOURCE = """
#include <stdint.h>
#include <stdio.h>

static void *__attribute__((noinline)) here(void)
{
    return __builtin_return_address(0);
}

static void *__attribute__((noinline)) payload_keep(void)
{
    void *address = here();
    __asm__ volatile("");
    return address;
}

int main(void)
{
    char line[4096];
    printf("%#jx\\n", (uintmax_t)(uintptr_t)payload_keep());
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps) != NULL) {
        fputs(line, stdout);
    }
    return 0;
}
"""
CALL_LINE = SOURCE.split("\n").index("    void *address = here();") + 1


class Program:
    """A program built with `flags`, and what it says of where it was in memory."""

    def __init__(self, *flags, compiler="gcc"):
        self.path = os.path.join(scratch(), "program")
        source = self.path + ".c"
        with open(source, "w", encoding="ascii") as file:
            file.write(SOURCE)
        run(compiler, "-g", "-O1", *flags, "-o", self.path, source)
        self.address, self.maps = run(self.path).stdout.split("\n", 1)


def judge(program, *options, symbol=(404, "no")):
    """Judges a server that runs the program and leaks in payload_keep."""
    calls = []

    def work(_):
        calls.append(1)
        return "done"

    def heap(_):
        amounts = f"1: {100 + 10000 * len(calls)} [1: {100 + 10000 * len(calls)}]"
        return (
            f"heap profile: {amounts} @ heapprofile\n{amounts} @ {program.address}\n"
            f"\nMAPPED_LIBRARIES:\n{program.maps}"
        )

    with Stand(pprof_heap=heap, pprof_symbol=symbol, work=work) as stand:
        command = (JUDGE, "--url", stand.url, "--drive", "/work", "--rounds", "2")
        done = run(*command, *options, check_exit=False)
    equal(done.returncode, 1, done.stdout + done.stderr)
    return done.stdout


def test_binary_names():
    """--binary names function, file and line, of a program at any place or a fixed
    one."""
    for compiler in ("gcc", "clang"):
        for flags in (("-fPIE", "-pie"), ("-fno-pie", "-no-pie")):
            program = Program(*flags, compiler=compiler)
            told = judge(program, "--binary", program.path)
            check("payload_keep" in told, f"{compiler} {flags}: {told}")
            check(f"program.c:{CALL_LINE}" in told, f"{compiler} {flags}: {told}")


def test_both_name():
    """--binary adds file and line to what /pprof/symbol names."""
    program = Program()
    asked = int(program.address, 16) - 1
    names = f"{asked:#x}\tname_of_the_server\n"
    told = judge(program, "--binary", program.path, symbol=names)
    check("name_of_the_server" in told and f"program.c:{CALL_LINE}" in told, told)


def test_no_binary():
    """A file that the profile names is not opened, and the report says what is
    missing."""
    told = judge(Program())
    check("payload_keep" not in told, told)
    for words in (
        "addresses only",
        "/pprof/symbol answers 404",
        "no --binary was given",
    ):
        check(words in told, f"{words!r} is not in {told}")


def test_other_binaries():
    """A binary that does not fit, is none, or has no names: the report says so."""
    program = Program()
    empty = Program("-s")
    for judged, path, words in (
        (program, "/bin/sh", "does not fit"),
        (program, "/etc/passwd", "is no program"),
        (empty, empty.path, "names none of them"),
    ):
        told = judge(judged, "--binary", path)
        check(words in told and "payload_keep" not in told, f"{path}: {told}")
