#!/usr/bin/python3
"""leakcheck judges a server of another make, a Go program with net/http/pprof: a kept
slice and a stuck goroutine are found and named, clean work passes."""

import atexit
import os
import re
import subprocess

import lab
from lab import check, equal, test

JUDGE = os.path.join(lab.BUILD, "leakcheck")
SOURCE = os.path.join(lab.ROOT, "tests", "e2e", "goserver", "main.go")


def start():
    """Builds the program and starts it; returns its URL."""
    directory = lab.scratch()
    program = os.path.join(directory, "goserver")
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOCACHE": os.environ.get("GOCACHE", os.path.join(directory, "cache")),
        "GOTOOLCHAIN": "local",
        "HOME": directory,
    }
    lab.run("go", "build", "-o", program, SOURCE, env=environment, limit=300)
    process = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
    atexit.register(process.wait)
    atexit.register(process.kill)
    return process.stdout.readline().split()[-1]


url = start()


def judge(path, expect, *options):
    done = lab.run(JUDGE, "--url", url, "--drive", path, *options, check_exit=False)
    equal(done.returncode, expect, f"exit: {done.stdout}{done.stderr}")
    return done.stdout


def line_of(text):
    with open(SOURCE, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if text in line:
                return number
    raise AssertionError(f"no line with {text}")


@test("a kept slice: heap climbs, main.payloadRead is blamed, exit 1")
def kept_slice():
    out = judge("/slice", 1)
    check("in-use climbs" in out and "LEAKS" in out, out)
    check(f"main.payloadRead {SOURCE}:{line_of('make([]byte')}" in out, out)


@test("a stuck goroutine: goroutines climb, main.waitForever is named, exit 1")
def stuck_goroutine():
    out = judge("/goroutine", 1)
    check("threads climb" in out and re.search("goroutines +1 a call", out), out)
    check(f"main.waitForever {SOURCE}:{line_of('<-never')}" in out, out)


@test("clean work passes, exit 0, three times")
def clean_work():
    for _ in range(3):
        out = judge("/clean", 0)
        check("holds" in out and "nothing measured climbs" in out, out)


@test("the limits decide: what is allowed is no failure")
def limits():
    judge("/slice", 0, "--max-growth", "1M", "--rounds", "3")
    judge("/goroutine", 0, "--max-threads", "2", "--rounds", "3")


lab.main()
