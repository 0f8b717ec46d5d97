#!/usr/bin/python3
# alone
"""scripts/fuzz.sh runs every fuzzer, here for a few seconds."""

import os

import lab
from lab import check, equal, test


@test("the fuzzers run and find nothing in 5 s each")
def fuzzers_find_nothing():
    script = os.path.join(lab.ROOT, "scripts", "fuzz.sh")
    done = lab.run(script, "5", limit=240)
    for name in ("heap", "judge", "replies", "threads"):
        check(f"{name}: 5 s" in done.stdout, done.stdout)


@test("wrong usage is refused")
def usage():
    script = os.path.join(lab.ROOT, "scripts", "fuzz.sh")
    equal(lab.run(script, "long", check_exit=False).returncode, 2)


lab.main()
