"""Checks that show both values, and waiting for a condition instead of for a time."""

import time

# A busy machine is slow: limits are there to end a test, not to measure.
LIMIT = 30.0


def check(condition, message):
    """Like assert, but not removed by -O, and with a message that must be given."""
    if not condition:
        raise AssertionError(message)


def equal(actual, expected, what="value"):
    """Checks that two values are equal and shows both when they are not."""
    check(actual == expected, f"{what}: got {actual!r}, expected {expected!r}")


def wait_until(condition, limit=LIMIT, what="condition"):
    """Waits until condition() is true and returns its value; fails after `limit`
    seconds. What is waited for goes into the message."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.01)
