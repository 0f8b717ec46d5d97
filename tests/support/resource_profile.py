"""The profiles of resources as a reader of their own: profile.proto, decoded byte by byte
(source: github.com/google/pprof, proto/profile.proto), and the text."""

import collections
import os
import re
import struct

from checks import check, equal

SUBJECTS = ("fds", "threadcreate", "timers", "mmaps", "children")
UNSEEN, OWN, START = "made unseen", "the probe's own", "the program's start"
NO_STACK = {UNSEEN, OWN, START}

NO_STACK = {UNSEEN, OWN, START}

Frame = collections.namedtuple("Frame", "function file line")


class Sample:
    """Things that one stack has made, of one kind. The innermost frame is the first; what
    has no stack has one frame, whose function says why."""

    def __init__(self, frames, values, kind):
        self.frames, self.values, self.kind = tuple(frames), tuple(values), kind

    def maker(self, file):
        """The innermost frame in a file of this name: the one that is to blame. Where none
        is, what stands in place of a stack, or None."""
        for frame in self.frames:
            if os.path.basename(frame.file) == file:
                return frame
        alone = self.frames[0].function if len(self.frames) == 1 else None
        return Frame(alone, "", 0) if alone in NO_STACK else None

    def __repr__(self):
        stack = " < ".join(f"{f.function}:{f.line}" for f in self.frames)
        return f"{self.values} {self.kind} {stack}"


# -- profile.proto ---------------------------------------------------------------------


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _fields(data):
    """Each field of a message: its number, and a number or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
        else:
            equal(key & 7, 2, f"kind of the field {key >> 3}")
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        yield key >> 3, value
    equal(at, len(data), "end of a message")


def _packed(data):
    numbers, at = [], 0
    while at < len(data):
        number, at = _varint(data, at)
        numbers.append(number)
    return numbers


def _signed(number):
    return struct.unpack("q", struct.pack("Q", number))[0]


class ProtoProfile:
    """What a profile.proto says."""

    def __init__(self, body):
        fields = collections.defaultdict(list)
        for number, value in _fields(body):
            fields[number].append(value)
        self._strings = [text.decode() for text in fields[6]]
        self._functions, self._places = {}, {}
        for message in fields[5]:
            function = dict(_fields(message))
            self._functions[function[1]] = function
        for message in fields[4]:
            place = collections.defaultdict(list)
            for number, value in _fields(message):
                place[number].append(value)
            self._places[place[1][0]] = [self._frame(line) for line in place[4]]
        self.types = tuple(self._text(dict(_fields(kind)), 1) for kind in fields[1])
        self.comment = " ".join(self._strings[number] for number in fields[13] if number)
        self.samples = [self._sample(message) for message in fields[2]]

    def _text(self, message, field):
        return self._strings[message.get(field, 0)]

    def _frame(self, message):
        line = dict(_fields(message))
        function = self._functions[line[1]]
        text = self._text
        return Frame(text(function, 2), text(function, 4), line.get(2, 0))

    def _sample(self, message):
        frames, values, kind = [], [], ""
        for number, value in _fields(message):
            if number == 1:
                for place in _packed(value):
                    frames += self._places[place] or [Frame("?", "", 0)]
            elif number == 2:
                values = [_signed(each) for each in _packed(value)]
            elif number == 3:
                label = dict(_fields(value))
                check(self._text(label, 1) in ("kind", "reason"), "the label's key")
                kind = self._text(label, 2)
        equal(len(values), len(self.types), "values of a sample")
        check(frames and kind, f"a sample without a stack or a kind: {values}")
        return Sample(frames, values, kind)

    def totals(self):
        return tuple(map(sum, zip(*(s.values for s in self.samples)))) or (0,) * len(
            self.types
        )

    def of(self, name):
        """The sum of the samples that have this name in place of a stack."""
        found = [s for s in self.samples if [f.function for f in s.frames] == [name]]
        return tuple(sum(s.values[i] for s in found) for i in range(len(self.types)))

    def __repr__(self):
        return "\n".join(map(repr, self.samples))


# -- text ------------------------------------------------------------------------------

HEAD = re.compile(r"(\w+) profile: total (-?\d+)$")
GROUP = re.compile(r"(-?\d+) @((?: 0x[0-9a-f]+)+)$")
VALUES = re.compile(r"#\t ?(\w+) (-?\d+), (\w+) (-?\d+)$")
FRAME = re.compile(r"#\t0x[0-9a-f]+\t(\S+)\+0x[0-9a-f]+\t(.*?)(?::(\d+))?$")


class TextProfile:
    """What the text says: the total, and (count, kind, frames, values) of each group."""

    def __init__(self, text):
        lines = text.splitlines()
        head = HEAD.match(lines[0])
        check(head, f"the first line is {lines[0]!r}")
        self.name, self.total = head[1], int(head[2])
        remarks = text.partition("\n\n")[0].splitlines()[1:]
        self.comment = " ".join(line[2:] for line in remarks)
        self.groups = []
        for block in text.partition("\n")[2].split("\n\n"):
            rows = [row for row in block.splitlines() if row]
            group = GROUP.match(rows[0]) if rows else None
            if group:
                self.groups.append((int(group[1]), rows[1:]))
        equal(self.counted(), self.total, f"sum of the groups of {self.name}")

    def counted(self):
        return sum(count for count, _ in self.groups)

    def values(self):
        """The sums of the values that stand below groups; () if none does."""
        found = [VALUES.match(row) for _, rows in self.groups for row in rows]
        pairs = [(int(row[2]), int(row[4])) for row in found if row]
        return tuple(map(sum, zip(*pairs)))
