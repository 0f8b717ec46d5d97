"""How things look: colours where a terminal shows them, and lines that fit it."""

import itertools
import os
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
    """Text in lines that fit. A line that is indented is left as it is; blank lines are
    left out."""
    wrap = textwrap.TextWrapper(
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines = []
    for is_prose, group in itertools.groupby(text.splitlines(), _is_prose):
        if is_prose:
            lines += wrap.wrap(" ".join(group))
        else:
            lines += [indent + line for line in group if line.strip()]
    return "\n".join(lines)


def _is_prose(line):
    """Whether a line may be joined with those around it."""
    return line.strip() != "" and not line.startswith(" ")


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
