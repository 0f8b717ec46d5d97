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
    value = 0
    for part in parts:
        value = (31 * value + int(digest(part), 16)) % 2**32
    return f"{value:08x}"


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


# By scenario: a function of id and bytes that gives the answer of one call.
ANSWERS = {
    # -- stuck-threads, channel-backlog
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
}

# The scenarios whose leaky half gets stuck before its work is done: it answers null.
UNFINISHED = set()

# By scenario: a change of the fixed half, (old text, new text), with which a call does
# only half of its work, while nothing leaks. The answer must tell.
HALVED = {
    # -- stuck-threads, channel-backlog
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
}
