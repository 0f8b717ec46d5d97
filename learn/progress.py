"""The learner's progress, in mine/progress.json: what was started, hinted and solved,
and which server is running. Two commands at a time, as `watch` and `hint`, do not lose
each other's changes."""

import contextlib
import fcntl
import json
import os

from learn.failure import Broken
from learn.place import MINE, absolute, write

PATH = f"{MINE}/progress.json"


def load():
    """All that is known. Raises Broken if it cannot be read: it is the learner's, and
    nothing is written over it."""
    try:
        with open(absolute(PATH), encoding="utf-8") as file:
            known = json.load(file)
        if not isinstance(known, dict) or not isinstance(
            known.setdefault("cases", {}), dict
        ):
            raise ValueError("it is no progress")
        return known
    except FileNotFoundError:
        return {"cases": {}}
    except ValueError as error:
        raise Broken(
            f"{PATH} cannot be read ({error}): correct it, or remove it"
        ) from None


@contextlib.contextmanager
def change():
    """Gives all that is known, to be changed; it is written at the end of the block."""
    os.makedirs(absolute(MINE), exist_ok=True)
    with open(absolute(f"{MINE}/.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = load()
        yield known
        write(PATH, json.dumps(known, indent=2) + "\n")


def of(known, case):
    """What is known of one case: {started, hints, checks, solved, gave_up}."""
    return known["cases"].setdefault(case.name, {"hints": 0, "checks": 0})
