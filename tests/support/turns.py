"""Tests that take turns: too many, or too long, for every run."""

import pytest


def in_turns(group, values, parts=None):
    """The values as parameters of a test, of which the seed chooses one for a run; or,
    of so many parts of about the same size, one. With --long all of them run."""
    parts = parts or len(values)
    return [
        pytest.param(value, marks=pytest.mark.one_of(group, number % parts))
        for number, value in enumerate(values)
    ]
