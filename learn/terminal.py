"""How things look: colours where a terminal shows them, and lines that fit it."""

import os
import re
import sys
import textwrap

WIDTH = 79

COLOURED = (
    sys.stdout.isatty()
    and not os.environ.get("NO_COLOR")
    and (os.environ.get("TERM", "dumb") != "dumb")
)


def _colour(code):
    return lambda text: f"\033[{code}m{text}\033[0m" if COLOURED and text else text


bold, faint = _colour(1), _colour(2)
red, green, yellow = _colour(31), _colour(32), _colour(33)


def say(text=""):
    """Prints at once, so that a person sees it while the next step runs."""
    print(text, flush=True)


def wrapped(text, indent=""):
    """Text in lines that fit. A line that is indented is left as it is."""
    parts = re.split(r"\n(?=\n| )|(?<=\n)\n", text.strip("\n"))
    lines = []
    for part in parts:
        if part.startswith((" ", "\n ")) or not part.strip():
            lines += [
                indent + line for line in part.split("\n") if line.strip() or not lines
            ]
        else:
            lines += textwrap.wrap(
                " ".join(part.split()),
                WIDTH,
                initial_indent=indent,
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
    return "\n".join(lines)


def bar(done, total, width=30):
    """A progress bar."""
    full = width * done // total if total else 0
    return (
        "[" + green("#" * full) + faint("." * (width - full)) + f"] {done} of {total}"
    )


def painted(diff):
    """The lines of a unified diff, coloured."""
    paint = {"+": green, "-": red, "@": faint}
    return "\n".join(paint.get(line[:1], str)(line) for line in diff)
