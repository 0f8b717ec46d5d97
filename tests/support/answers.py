"""What each scenario answers: computed here from the request alone, in other words than
the scenario's own."""


def digest(data):
    """The FNV-1a hash of some bytes, 32 bits, as the scenarios print it."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 % 2**32
    return f"{value:08x}"


# -- retained-slices, global-cache, global-list, interfaces


def number(id, more=0):
    """The four bytes of the number that stands for an id, or of one after it."""
    value = int(digest(id.encode()), 16) + more
    return (value % 2**32).to_bytes(4, "little")


def filled(head, id, length):
    """The first bytes of what a call reads: its head, then the id's first byte."""
    return (head + id[:1].encode() * length)[:length]


def one_number(parts):
    """Digests of several parts, added up so that their order matters."""
    return f"{_mix(0, map(_number, parts)):08x}"


def slice_tail(id, bytes):
    """Messages of 64 bytes, each with its number in front. All but one are read."""
    read = (bytes - 1) // 64
    left = filled(number(id, read), id, bytes - 64 * read)
    if len(left) < 4:  # no room for the number
        left = filled(b"", id, len(left))
    up_to = int.from_bytes(number(id, read - 1), "little")
    return f"read up to {up_to:08x}, left {digest(left)} ({len(left)} bytes)"


def string_prefix(id, bytes):
    """A title, cut off after fifty characters of the article."""
    title = f"Article {digest(id.encode())} ".encode()
    headline = digest(filled(title, id, 50))
    return f"headline {headline} of {bytes - 1} characters"


def interface_struct(id, bytes):
    """The name is a string in a place of 32 bytes."""
    name = f"Visitor {digest(id.encode())}\0".encode()
    return f"number {bytes}, name {digest(filled(name, id, 32))}"


def interface_list(id, bytes):
    """Each label is a number and a string in a place of 20 bytes."""
    name = filled(f"{digest(id.encode())} {bytes}\0".encode(), id, 20)
    labels = one_number(i.to_bytes(4, "little") + name for i in range(100))
    return f"100 products, labels {labels}"


# -- the others: the answers that take more than one line


def _number(data):
    """The digest of some bytes, as a number."""
    return int(digest(data), 16)


def _mix(start, numbers):
    """One number made of many, in their order."""
    for number in numbers:
        start = (start * 31 + number) % 2**32
    return start


def _lines(text, length):
    """A text again and again, a line each time, cut to a length."""
    line = text.encode() + b"\n"
    return (line * (length // len(line) + 1))[:length]


def _fetched_document(id, size):
    document = b"b" * size
    return f"document {digest(document)}, {size} bytes, for {digest(id.encode())}"


def _price(id, size):
    order = _number(id.encode())
    item = order % 1000
    return f"order {order:08x}: item-{item} at {100 + item}, {size} bytes"


def _order_total(id, size):
    orders = [(250, 1999), (4200, 775), (120, 3100), (640, 90)]
    client = _number(id.encode())
    prices = orders[client % 4]
    return f"client {client:08x}: {len(prices)} items, {sum(prices)}, {size} bytes"


def _imported_rows(id, size):
    table = _mix(_number(id.encode()), range(1000))
    return f"1000 rows {table:08x}, noted each 1000 ms, {size} bytes"


def _picture_of_gauges(id, size):
    first = _number(id.encode())
    levels = _mix(0, [(first + i) % 2**32 for i in range(100)])
    return f"100 gauges show {levels:08x}, {size} bytes each"


def _window_with_button(id, size):
    window, button = (
        (text + b"\0").rjust(256, b"\0") for text in (id.encode(), b"close")
    )
    return f"window {digest(window)}, button {digest(button)}, {2 * size} bytes"


def _exported_notes(id, size):
    text = _lines(id, 1024)
    parts = [_number(text)] * (size // 1024)
    if size % 1024 > 0:
        parts.append(_number(text[: size % 1024]))
    digests = _mix(_number(id.encode()), parts * 200)
    return f"200 notes, {200 * size} bytes, {digests:08x}"


def _searched_boards(id, size):
    levels = size // 2**20
    moves = (id.encode() * levels)[:levels]
    boards = [moves[:made].ljust(levels, b"\0") for made in range(levels, 0, -1)]
    digests = _mix(_number(id.encode()), map(_number, boards))
    return f"{levels} levels, score {sum(moves)}, {digests:08x}, {size} bytes"


def _found_setting(id, size):
    file, key = _lines("settings/", size - 1), _lines(id, size - 1)
    value = _mix(_number(file), [_number(key)])
    return f"setting {value:08x}, {2 * (size - 1)} characters"


def _printed_page(id, size):
    label = id.encode()
    edges = (bytes([strip]) * (256 - len(label)) + label for strip in range(100))
    return f"{100 * size} bytes printed, {_mix(0, map(_number, edges)):08x}"


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
    "global-cache": lambda id, bytes: f"{digest(id.encode())} in {bytes} bytes",
    "global-list": lambda id, bytes: (
        f"order of {bytes} bytes, total {digest(id.encode())}"
    ),
    "slice-prefix": lambda id, bytes: (
        f"signature {digest(filled(number(id), id, 10))} of {bytes} bytes"
    ),
    "slice-return": lambda id, bytes: (
        f"preview {digest(filled(number(id), id, 64))} of {bytes} bytes"
    ),
    "slice-tail": slice_tail,
    "string-prefix": string_prefix,
    "slice-lost-pointers": lambda id, bytes: (
        "2 frames, " + one_number(filled(number(id, i), id, bytes) for i in (1, 2))
    ),
    "interface-struct": interface_struct,
    "interface-list": interface_list,
    # -- the others
    "http-body": _fetched_document,
    "file-unclosed": _price,
    "database-statement": _order_total,
    "ticker-unstopped": _imported_rows,
    "ticker-many": _picture_of_gauges,
    "finalizer-cycle": _window_with_button,
    "loop-defer": _exported_notes,
    "array-by-value": _searched_boards,
    "cstring-argument": _found_setting,
    "buffer-churn": _printed_page,
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
    "global-cache": (
        "answer_compute(request->id, key, request->bytes)",
        "answer_compute(request->id, key, request->bytes / 2)",
    ),
    "global-list": (
        "size_t bytes = request->bytes;",
        "size_t bytes = request->bytes / 2;",
    ),
    "slice-prefix": (
        "slice_borrow(signature->bytes, SIGNATURE_BYTES)",
        "slice_borrow(signature->bytes, SIGNATURE_BYTES / 2)",
    ),
    "slice-return": (
        "slice_borrow(room, PREVIEW_BYTES)",
        "slice_borrow(room, PREVIEW_BYTES / 2)",
    ),
    "slice-tail": (
        "messages_read(request->id, request->bytes)",
        "messages_read(request->id, request->bytes / 2)",
    ),
    "string-prefix": (
        "headline->room[HEADLINE_BYTES] =",
        "headline->room[HEADLINE_BYTES / 2] =",
    ),
    "slice-lost-pointers": (
        "i < clip.length / POINTER_BYTES;",
        "i < clip.length / POINTER_BYTES / 2;",
    ),
    "interface-struct": (
        "guest->badge = visitor->badge;",
        "guest->badge.number = visitor->badge.number;",
    ),
    "interface-list": (
        "        catalogue_add(catalogue, i, products[i]);\n",
        "        if (i % 2 == 0) {\n"
        "            catalogue_add(catalogue, i, products[i]);\n"
        "        } else {\n"
        "            free(products[i]);\n"
        "        }\n",
    ),
    # -- the others
    "http-body": (
        "scenario_digest(body.text, body.length)",
        "scenario_digest(body.text, body.length / 2)",
    ),
    # It reads only the beginning of each line: every price loses digits.
    "file-unclosed": ("fgets(line, sizeof(line), file)", "fgets(line, 10, file)"),
    "database-statement": ("FROM items WHERE", "FROM items WHERE id % 2 = 0 AND"),
    "ticker-unstopped": ("i < ROWS_TOTAL", "i < ROWS_TOTAL / 2"),
    "ticker-many": ("i < GAUGES", "i < GAUGES / 2"),
    "finalizer-cycle": (
        'widget_draw("close", request->bytes)',
        'widget_draw("close", request->bytes / 2)',
    ),
    "loop-defer": (
        "note_write(file, request->id, request->bytes)",
        "note_write(file, request->id, request->bytes / 2)",
    ),
    "array-by-value": (
        "request->bytes / BOARD_BYTES",
        "request->bytes / BOARD_BYTES / 2",
    ),
    "cstring-argument": (
        "cstring_duplicate(request->id, request->bytes)",
        "cstring_duplicate(request->id, request->bytes / 2)",
    ),
    "buffer-churn": ("i < STRIPS", "i < STRIPS / 2"),
}
