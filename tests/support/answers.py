"""What each scenario answers: computed here from the request alone, in other words than
the scenario's own."""


def digest(data):
    """The FNV-1a hash of some bytes, 32 bits, as the scenarios print it."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 % 2**32
    return f"{value:08x}"


def sheet(text, size):
    """A text in memory of `size` bytes: a zero byte ends it, and the rest is blank."""
    return (text.encode() + b"\0").ljust(size, b" ")


def sum_of_digests(several):
    """The digests of all these, added up."""
    total = sum(int(digest(data), 16) for data in several)
    return f"{total % 2**32:08x}"


# What stuck-threads and channel-backlog read: `size` is what one block has for text.


def history(id_, size):
    """A room's: every character of the id is a message, and the closing is a line."""
    return digest((id_.encode() + b"\n").ljust(size, b"."))


def receipts(id_, size):
    """Those of the nine entries that are posted; entry 0 is refused."""
    name = digest(id_.encode())
    return sum_of_digests(sheet(f"{i} for {name}", size) for i in range(1, 10))


def histories(id_, size):
    return sum_of_digests(sheet(f"account {i} of {id_}", size) for i in (1, 2, 3))


def export(id_, size):
    return digest((id_.encode() + b"\n" + bytes(range(10))).ljust(size, b" "))


def packet(id_, size):
    return digest((id_.encode() + b"\0").ljust(size, id_[0].encode()))


def text_of(id_, size):
    return digest(sheet(id_, size))


# By scenario: a function of id and bytes that gives the answer of one call.
ANSWERS = {
    # -- stuck-threads, channel-backlog
    "thread-loop": lambda id_, n: f"{n} bytes about {digest(id_.encode())}",
    "thread-wait": lambda id_, n: f"{n} bytes, papers {text_of(id_, n - 256)}",
    "thread-ignored-exit": lambda id_, n: f"{n} bytes, history {history(id_, n - 256)}",
    "lock-never-released": lambda id_, n: (
        f"balance 45, receipts {receipts(id_, n - 128)}"
    ),
    "lock-deadlock": lambda id_, n: (
        f"balances 101 100 99, histories {histories(id_, n - 256)}"
    ),
    "channel-no-receiver": lambda id_, n: (
        f"{n} bytes, page 1 is {text_of(id_, (n - 256) // 2)}"
    ),
    "channel-never-closed": lambda id_, n: f"{n} bytes, file {export(id_, n - 256)}",
    "channel-nil": lambda id_, n: f"packet of {n - 256} bytes, {packet(id_, n - 256)}",
    "channel-one-receiver": lambda id_, n: (
        f"first of 10 quotes is {text_of(id_, n - 64)}"
    ),
    "channel-backlog": lambda id_, n: f"record of {n} bytes, {text_of(id_, n - 64)}",
    # -- retained-slices, global-cache, global-list
    # -- the others
}

# The scenarios whose leaky half gets stuck before its work is done: it answers null.
UNFINISHED = {
    # -- stuck-threads, channel-backlog
    "lock-never-released",
    "lock-deadlock",
    "channel-nil",
    "channel-backlog",
    # -- retained-slices, global-cache, global-list
    # -- the others
}

# By scenario: a change of the fixed half, (old text, new text), with which a call does
# only half of its work, while nothing leaks. The answer must tell.
HALVED = {
    # -- stuck-threads, channel-backlog
    "thread-loop": (
        "feed->news_bytes,\n",
        "feed->news_bytes / 2,\n",
    ),
    "thread-wait": (
        "request->bytes - ORDER_HEAD_BYTES",
        "(request->bytes - ORDER_HEAD_BYTES) / 2",
    ),
    "thread-ignored-exit": (
        "message = request->id;",
        "message = request->id + (strlen(request->id) + 1) / 2;",
    ),
    "lock-never-released": ("count < LEDGER_ENTRIES", "count < LEDGER_ENTRIES / 2"),
    "lock-deadlock": ("        to->balance++;\n", ""),
    "channel-no-receiver": ("/ REPORT_PAGES;", "/ REPORT_PAGES / 2;"),
    "channel-never-closed": ("row < EXPORT_ROWS", "row < EXPORT_ROWS / 2"),
    "channel-nil": (
        "packet, relay->packet_bytes)",
        "packet, relay->packet_bytes / 2)",
    ),
    "channel-one-receiver": ("count < QUOTE_MARKETS", "count < QUOTE_MARKETS / 2"),
    "channel-backlog": (
        "request->bytes - AUDIT_HEAD_BYTES",
        "(request->bytes - AUDIT_HEAD_BYTES) / 2",
    ),
    # -- retained-slices, global-cache, global-list
    # -- the others
}
