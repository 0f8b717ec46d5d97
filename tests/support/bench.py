"""What measures something by itself, and is no test: how it ends."""

import sys

import processes
from tree import remove_scratch


def run(main):
    """Runs `main`, which returns whether all was as wanted, and exits with 0 or 1. Whatever
    it has started ends with it, also after Ctrl-C, and its scratch directories go."""
    processes.take_in_orphans()
    try:
        held = main()
    finally:
        processes.end_all_but(set())
        remove_scratch(0)
    sys.exit(0 if held else 1)
