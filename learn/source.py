"""What a learner gets to read: one half of a pair without what gives its bug away; and
the C around it that makes it a server's scenario again."""

import re
import textwrap

from learn.place import read

DESCRIPTOR = re.compile(
    r"\nconst struct scenario \w+_scenario = \{\n(.*?)\n\};\n", re.DOTALL
)
TELLING = re.compile(r"[ \t]*/\* (?:LEAK|FIX): .*?\*/[ \t]*\n", re.DOTALL)
# What the server must know of a case, and its descriptor says; the texts stay out.
AMOUNTS = (
    *("kind", "bytes_default", "bytes_min", "bytes_max", "bytes_meaning"),
    *("leaves", "holds", "working_threads", "churn_blocks", "growth_blocks"),
    *("run", "held", "stop"),
)
WIDTH = 88


def fields(text):
    """The fields of a half's descriptor, by name, as they are written in C."""
    inside = DESCRIPTOR.search(text)[1]
    found = re.finditer(
        r"^    \.(\w+) =\s(.*?),$(?=\n    \.|\Z)", inside, re.DOTALL | re.MULTILINE
    )
    return {field[1]: field[2].strip() for field in found}


def comment(text):
    """A C comment of several lines."""
    lines = [
        line
        for paragraph in text.split("\n")
        for line in textwrap.wrap(paragraph, WIDTH - 3) or [""]
    ]
    return "/*\n" + "".join(f" * {line}".rstrip() + "\n" for line in lines) + " */\n"


def lay_out(half, heading, route, told=False, held=True):
    """The text of a half as an exercise: without its descriptor and, unless it is
    `told`, without its LEAK or FIX comment. `heading` begins it; `route` is where the
    server calls it; `held` says whether its server counts for /status what is alive."""
    text = read(half)
    given = fields(text)
    story = re.match(r"/\*\n(.*?) \*/\n", text, re.DOTALL)
    plain = re.sub(r"^ \* ?", "", story[1], flags=re.MULTILINE).strip()
    entries = f"The server calls {given['run']} at each request of {route}"
    if "stop" in given:
        entries += f", and {given['stop']} once, when it ends"
    if held and "held" in given:
        entries += f"; {given['held']} counts for /status what it holds"
    top = comment(f"{heading}\n\n{' '.join(plain.split())}\n\n{entries}.")
    code = DESCRIPTOR.sub("", text[story.end() :])
    return top + (code if told else TELLING.sub("", code))


def entries(half):
    """The functions of a half that the server calls."""
    given = fields(read(half))
    return [given[field] for field in ("run", "held", "stop") if field in given]


def prose(half, field):
    """A text of a half's descriptor, as a person reads it."""
    literals = re.findall(r'"((?:[^"\\]|\\.)*)"', fields(read(half))[field])
    return re.sub(r"\\(.)", r"\1", "".join(literals))


def without_macros(value, text):
    """A descriptor's value with the numbers of the half's own macros in it: a learner
    may rename or remove these."""
    macros = dict(re.findall(r"^#define (\w+) (.+?)(?: /\*.*)?$", text, re.MULTILINE))
    for _ in range(len(macros)):
        value = re.sub(
            r"\b[A-Z]\w+\b",
            lambda m: f"({macros[m[0]]})" if m[0] in macros else m[0],
            value,
        )
    return value


def unit(half, code, name, title, told=AMOUNTS):
    """The C of one scenario of an exercise's server: the learner's file `code`, and the
    descriptor of the pair's half under another name, with the fields `told` of it."""
    text = read(half)
    given = fields(text)
    quoted = title.replace("\\", "\\\\").replace('"', '\\"')
    rows = {"name": f'"{name}"', "family": '"exercises"', "title": f'"{quoted}"'}
    rows |= {field: '""' for field in ("story", "symptom", "cause", "fix", "find_it")}
    rows["file"] = f'"{code}"'
    for field in told:
        if field in given:
            rows[field] = without_macros(given[field], text)
    symbol = name.replace("-", "_")
    return (
        f"/* Made by ./learn.sh: {name} as a scenario of its server. */\n"
        f'#include "{code}"\n\n'
        '#include "scenario.h"\n\n'
        f"extern const struct scenario {symbol}_scenario;\n"
        f"const struct scenario {symbol}_scenario = {{\n"
        + "".join(f"    .{field} = {value},\n" for field, value in rows.items())
        + "};\n"
    )


def listing(server, names):
    """The C of a server's own list of scenarios, and of its name."""
    symbols = [name.replace("-", "_") for name in names]
    return (
        f"/* Made by ./learn.sh: the scenarios of the server `{server}`. */\n"
        '#include "scenario.h"\n#include "variant.h"\n\n'
        + "".join(
            f"extern const struct scenario {symbol}_scenario;\n" for symbol in symbols
        )
        + "const struct scenario *const scenarios[] = {\n"
        + "".join(f"    &{symbol}_scenario,\n" for symbol in symbols)
        + "};\n"
        "const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);\n\n"
        f'const struct variant variant = {{.name = "{server}", .is_exercise = true}};\n'
    )
