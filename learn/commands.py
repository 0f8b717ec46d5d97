"""The command line of ./learn.sh."""

import os
import signal
import sys

from learn import practise
from learn.failure import Broken, UsageError
from learn.homework import verify
from learn.mysteries import investigate

USAGE = """\
usage: ./learn.sh [COMMAND]

  (none)                 the cases, and how far you are
  start [CASE]           begin a case: its source is in mine/, its server runs
  hint                   one hint more, of four
  check                  build what you wrote, and grade it
  watch                  check at each save, until it is solved
  solution [--give-up]   how the lab solves it
  reset CASE             begin a case again; what you wrote is kept beside it
  mystery [--seed N] [--leaks K]
                         a server with traffic that leaks in 1 to 3 of its routes; the
                         same seed is the same mystery everywhere
  accuse FUNCTION|FILE:LINE
                         say where the mystery leaks
  stop                   end the server of a case or a mystery
  verify DIR [--json]    a teacher's check of the cases in a learner's mine/

CASE is case-01 and so on, or its number; without it, start takes the next one that is
not solved. Exit status of check, accuse and verify: 0 if all is solved or right, 1 if
not, 2 for wrong usage and for what cannot be judged.
"""

# Each command: the function, the least and the most arguments, and its options.
COMMANDS = {
    "start": (practise.start, 0, 1, ()),
    "hint": (practise.hint, 0, 0, ()),
    "check": (practise.check, 0, 0, ()),
    "watch": (practise.watch, 0, 0, ()),
    "solution": (practise.show_answer, 0, 0, ("--give-up",)),
    "reset": (practise.reset, 1, 1, ()),
    "mystery": (investigate.start, 0, 2, ("--seed", "--leaks")),
    "accuse": (investigate.accuse, 1, 1, ()),
    "stop": (practise.stop, 0, 0, ()),
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
    except BrokenPipeError:
        # Nobody reads on, as with `| head`; nor would they at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # no room on the disk, a clone that cannot be written
        print(f"learn.sh: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
