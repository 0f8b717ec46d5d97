"""Writes a small profile.proto, for stand-ins of servers that say who made things."""


def varint(number):
    number &= 2**64 - 1
    text = b""
    while True:
        more = number > 0x7F
        text += bytes([number & 0x7F | (0x80 if more else 0)])
        number >>= 7
        if not more:
            return text


def number(field, value):
    return varint(field << 3) + varint(value)


def part(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


class Texts:
    """The table of texts."""

    def __init__(self):
        self.all = [b""]

    def of(self, text):
        self.all.append(text.encode("latin-1"))
        return len(self.all) - 1


def made_profile(value, *rows):
    """A profile of things that are counted under that name; a row is (count, function,
    file, line), and maybe a reason. Without a file, the function is a word in place of a
    stack. Returned as the text that a stand-in sends."""
    texts = Texts()
    body = part(1, number(1, texts.of(value)) + number(2, texts.of("count")))
    for index, (count, function, file, line, *reason) in enumerate(rows, 1):
        named = number(1, index) + number(2, texts.of(function))
        named += number(4, texts.of(file)) if file else b""
        body += part(5, named)
        place = number(1, index) + number(3, 0x1000 + 16 * index if file else 0)
        body += part(4, place + part(4, number(1, index) + number(2, line)))
        sample = number(1, index) + number(2, count)
        for text in reason:
            label = number(1, texts.of("reason")) + number(2, texts.of(text))
            sample += part(3, label)
        body += part(2, sample)
    body += b"".join(part(6, text) for text in texts.all)
    return body.decode("latin-1")
