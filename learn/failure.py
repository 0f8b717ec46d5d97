"""What can go wrong in ways that a person is told about."""


class UsageError(Exception):
    """The command was typed wrongly, or does not fit now: exit status 2."""


class Broken(Exception):
    """The lab itself cannot go on, and says why: exit status 2."""
