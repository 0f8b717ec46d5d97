"""What each scenario answers: computed here from the request alone, in other words than
the scenario's own."""


def digest(data):
    """The FNV-1a hash of some bytes, 32 bits, as the scenarios print it."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 % 2**32
    return f"{value:08x}"


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
    window, button = (text.rjust(256, b"\0") for text in (id.encode(), b"close"))
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


# By scenario: a function of id and bytes that gives the answer of one call.
ANSWERS = {
    # -- stuck-threads, channel-backlog
    # -- retained-slices, global-cache, global-list
    # -- the others
    "http_body": _fetched_document,
    "file_unclosed": _price,
    "database_statement": _order_total,
    "ticker_unstopped": _imported_rows,
    "ticker_many": _picture_of_gauges,
    "finalizer_cycle": _window_with_button,
    "loop_defer": _exported_notes,
    "array_by_value": _searched_boards,
    "cstring_argument": _found_setting,
    "buffer_churn": _printed_page,
}

# The scenarios whose leaky half gets stuck before its work is done: it answers null.
UNFINISHED = set()

# By scenario: a change of the fixed half, (old text, new text), with which a call does
# only half of its work, while nothing leaks. The answer must tell.
HALVED = {
    # -- stuck-threads, channel-backlog
    # -- retained-slices, global-cache, global-list
    # -- the others
    "http_body": (
        "scenario_digest(body.text, body.length)",
        "scenario_digest(body.text, body.length / 2)",
    ),
    # It reads only the beginning of each line: every price loses digits.
    "file_unclosed": ("fgets(line, sizeof(line), file)", "fgets(line, 10, file)"),
    "database_statement": ("FROM items WHERE", "FROM items WHERE id % 2 = 0 AND"),
    "ticker_unstopped": ("i < ROWS_TOTAL", "i < ROWS_TOTAL / 2"),
    "ticker_many": ("i < GAUGES", "i < GAUGES / 2"),
    "finalizer_cycle": (
        'widget_draw("close", request->bytes)',
        'widget_draw("close", request->bytes / 2)',
    ),
    "loop_defer": (
        "note_write(file, request->id, request->bytes)",
        "note_write(file, request->id, request->bytes / 2)",
    ),
    "array_by_value": (
        "request->bytes / BOARD_BYTES",
        "request->bytes / BOARD_BYTES / 2",
    ),
    "cstring_argument": (
        "cstring_duplicate(request->id, request->bytes)",
        "cstring_duplicate(request->id, request->bytes / 2)",
    ),
    "buffer_churn": ("i < STRIPS", "i < STRIPS / 2"),
}
