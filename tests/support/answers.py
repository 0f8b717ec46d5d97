"""What each scenario answers: computed here from the request alone, in other words than
the scenario's own."""


def digest(data):
    """The FNV-1a hash of some bytes, 32 bits, as the scenarios print it."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 % 2**32
    return f"{value:08x}"


# By scenario: a function of id and bytes that gives the answer of one call.
ANSWERS = {
    # -- stuck-threads, channel-backlog
    # -- retained-slices, global-cache, global-list
    # -- the others
}

# The scenarios whose leaky half gets stuck before its work is done: it answers null.
UNFINISHED = set()

# By scenario: a change of the fixed half, (old text, new text), with which a call does
# only half of its work, while nothing leaks. The answer must tell.
HALVED = {
    # -- stuck-threads, channel-backlog
    # -- retained-slices, global-cache, global-list
    # -- the others
}
