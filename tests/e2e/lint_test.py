#!/usr/bin/python3
"""The sources pass every static check, and the scripts too."""

import lab
from lab import test


@test("make lint: pair rule, shellcheck, clang-format, cppcheck, clang-tidy")
def _():
    lab.run("make", "-s", "lint", cwd=lab.ROOT, limit=280)


lab.main()
