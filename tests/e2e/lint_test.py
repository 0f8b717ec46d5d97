"""The sources pass every static check, and the scripts too."""

from commands import run
from tree import ROOT


def test_make_lint_pair_rule_shellcheck_clang_format_cppcheck():
    """Make lint: pair rule, shellcheck, clang-format, cppcheck, clang-tidy."""
    run("make", "-s", "lint", cwd=ROOT, limit=280)
