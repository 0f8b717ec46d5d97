"""The command line of ./learn.sh."""

import signal
import sys

from learn import practise
from learn.homework import verify
from learn.mysteries import investigate
from learn.failure import Broken, UsageError

USAGE = """\
usage: ./learn.sh [COMMAND]

  (none)                 the cases, and how far you are
  start [CASE]           begin a case: its source is laid into mine/, its server runs
  hint                   one hint more, of four
  check                  build what you wrote, and grade it
  watch                  check at each save, until it is solved
  solution [--give-up]   how the lab solves it
  reset CASE             lay a case out anew; what you wrote is kept beside it
  stop                   end the server
  mystery [--seed N] [--leaks K]   a server that leaks in 1 to 3 of its routes, with
                                   traffic; a seed is the same mystery everywhere
  accuse FUNCTION|FILE:LINE        say where it leaks
  verify DIR [--json]              a teacher's check of the cases in a learner's mine/

CASE is case-01 and so on, or its number. Exit status of check, accuse and verify: 0 if
all is solved or right, 1 if not, 2 for wrong usage.
"""

# Each command: the function, the least and the most arguments, and its options.
COMMANDS = {
    "start": (practise.start, 0, 1, ()),
    "hint": (practise.hint, 0, 0, ()),
    "check": (practise.check, 0, 0, ()),
    "watch": (practise.watch, 0, 0, ()),
    "solution": (practise.show_answer, 0, 0, ("--give-up",)),
    "reset": (practise.reset, 1, 1, ()),
    "stop": (practise.stop, 0, 0, ()),
    "mystery": (investigate.start, 0, 2, ("--seed", "--leaks")),
    "accuse": (investigate.accuse, 1, 1, ()),
    "verify": (verify.command, 1, 1, ("--json",)),
}


def run(arguments):
    """Runs a command; returns the exit status."""
    if not arguments:
        return practise.show_list()
    if "--help" in arguments or "-h" in arguments:
        print(USAGE, end="")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise UsageError(f"no command '{name}'")
    function, least, most, options = COMMANDS[name]
    unknown = [word for word in rest if word.startswith("-") and word not in options]
    if unknown:
        raise UsageError(f"{name} has no option {unknown[0]}")
    plain = [word for word in rest if not word.startswith("-")]
    if not least <= len(plain) <= most:
        wants = f"at most {most}" if least < most else most or "no"
        raise UsageError(f"{name} wants {wants} argument{'s' * (most != 1)}")
    return function(*rest)


def main():
    """Runs the command; failures become one line and a status."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return run(sys.argv[1:])
    except UsageError as error:
        print(f"learn.sh: {error}\nTry ./learn.sh --help", file=sys.stderr)
        return 2
    except Broken as error:
        print(f"learn.sh: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
