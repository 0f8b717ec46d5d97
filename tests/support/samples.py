"""Compares output that a page shows with what is printed now. Everything must be equal,
line by line, except for:

- a line "..." stands for one or more lines that the page leaves out, and " ..." at the
  end of a line for the rest of that line
- runs of blanks are one blank
- addresses, process and thread ids, ports of five digits, and names of temporary
  directories may have any value, but what is equal in the sample is equal in the
  output, and the other way round
- a number of seconds or milliseconds, and of a descriptor, may have any value; so may
  the share of the largest stack when descriptors run out, which depends on how soon the
  agent looks, and leakcheck's "resident set" and "allocated", and its "mappings" if they
  are not over their limit, which move by themselves
- a size in kB, KiB, MB and so on, or alloc_bytes, may be 5 % off; a share in % by one
  and a half points
- in the first line of a heap profile every number may be 10 % off
- in a line of --trace-memory every number may have any value, and so may the size at
  which scripts/sawtooth.sh kills, and the sums of what is lost and held, also
  Valgrind's: a word that was left on a stack may hold some of it"""

import re

VARIES = re.compile(
    r"""
    (?P<id> 0x[0-9A-Fa-f]{5,}       # an address
        | (?<= ==) \d+ (?= ==)      # Valgrind's process id
        | (?<= \bpid\ ) \d+
        | (?<= \bLWP\ ) \d+
        | (?<= \bthread\ ) \d+
        | (?<= 127\.0\.0\.1:) \d{5} \b  # a free port
        | (?<= /leaky-) \w{6} \b )  # a server's temporary directory
    | (?P<any> (?<= ^Thread\ ) \d+ (?= \ \()
        | (?<= \bdescriptor\ ) \d+
        | (?<= ^descriptors\ are\ open;\ most\ \() \d+
        | (?<= ^resident\ set\ ) [\d.]+ | (?<= ^allocated\ ) [\d.]+
        | (?<= ^mappings\ ) [^:]+ $
        | (?<= ^\#\ ) \d+ (?= \ (tcp\ |/))  # a descriptor
        | (?<= /leaky\. ) \d{10} (?= \.)  # google-pprof's time stamp
        | \b \d+ (\.\d+)? (?= \ m?s\b)
        | \b [\d,]+ (?= \ bytes\ in\ [\d,]+\ blocks\ are\ definitely)
        | \b [\d,]+ (?= \ blocks\ are\ definitely)
        | (?<= "elapsed_ms":\ ) [\d.]+
        | (?<= \bSIGKILL\ at\ ) [\d.]+ )
    | (?P<size> \b \d+ (\.\d+)? (?= \ ?[kKMG]i?B\b) | (?<= "alloc_bytes":\ ) \d+)
    | (?P<share> \b \d+ (\.\d+)? (?= \ ?%))
    """,
    re.VERBOSE,
)
HEAP_HEADER = "heap profile:"
MEMORY_LINE = re.compile(
    r": memory @|^lost: .* directly$|^# in use \d.* threads stopped for "
    r"|^\d+ threads stopped"
)
CUT = "..."


def fields(line):
    """The line with "?" for what may differ, and what stands there: (kind, text)."""
    line = " ".join(line.split())
    found = []

    def note(kind, text):
        found.append((kind, text))
        return "?"

    if line.startswith(HEAP_HEADER):
        return re.sub(r"\d+", lambda it: note("count", it[0]), line), found
    if MEMORY_LINE.search(line):
        return re.sub(r"[\d.]+", lambda it: note("any", it[0]), line), found
    return VARIES.sub(lambda it: note(it.lastgroup, it[0]), line), found


def near(kind, sample, printed):
    """Whether two values of one kind are equal, or close enough."""
    if kind in ("id", "any"):
        return True  # Names keeps the ids apart.
    a, b = float(sample), float(printed)
    limit = {"size": 0.05 * a, "share": 1.5, "count": 0.1 * a}[kind]
    return abs(a - b) <= limit


def same_line(sample, printed, names):
    """Whether one line is as the page shows it. `names` gives each id of the page the
    id that was printed for it; it returns as it was if the lines differ."""
    sample, wanted = fields(sample)
    printed, found = fields(printed)
    if sample.endswith(" " + CUT):
        sample = sample[: -len(CUT)]
        printed, found = printed[: len(sample)], found[: len(wanted)]
    if sample != printed or [kind for kind, _ in wanted] != [kind for kind, _ in found]:
        return False
    known = dict(names)
    for (kind, a), (_, b) in zip(wanted, found):
        if not near(kind, a, b):
            return False
        if kind == "id" and known.setdefault(a, b) != b:
            return False
    if len(set(known.values())) != len(known):
        return False
    names.update(known)
    return True


def first_difference(sample, printed):
    """None if the page shows what was printed; otherwise the first line of the sample
    that was not printed there, or "(more lines)" if the page does not say that there
    are more. Both are lists of lines. What "..." stands for ends at the first line that
    is like the next one of the sample and like those after it."""
    furthest = 0

    def match(i, j, names):
        nonlocal furthest
        furthest = max(furthest, i)
        while i < len(sample) and sample[i].strip() != CUT:
            if j == len(printed) or not same_line(sample[i], printed[j], names):
                return False
            i, j = i + 1, j + 1
            furthest = max(furthest, i)
        if i == len(sample):
            return j == len(printed)
        if i + 1 == len(sample):
            furthest = i + 1 if j < len(printed) else i
            return j < len(printed)
        return any(
            match(i + 1, start, dict(names)) for start in range(j + 1, len(printed) + 1)
        )

    if match(0, 0, {}):
        return None
    return sample[furthest] if furthest < len(sample) else "(more lines)"
