"""Load for Debian's servers over plain sockets: a bounded number of requests."""

import itertools
import socket
import time

from checks import LIMIT, check


def encoded(command):
    """A command as redis reads it."""
    parts = [
        part if isinstance(part, bytes) else str(part).encode() for part in command
    ]
    head = b"*%d\r\n" % len(parts)
    return head + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def redis_replies(connection, commands):
    """Sends commands in one piece; returns redis' replies, as the bytes that it sent."""
    connection.sendall(b"".join(map(encoded, commands)))
    with connection.makefile("rb", buffering=65536) as file:
        return [_reply(file) for _ in commands]


def _reply(file):
    line = file.readline()
    check(line.endswith(b"\r\n"), f"the connection was closed after {line}")
    kind, rest = line[:1], line[1:]
    if kind == b"$" and int(rest) >= 0:
        return line + file.read(int(rest) + 2)
    if kind == b"*" and int(rest) > 0:
        return line + b"".join(_reply(file) for _ in range(int(rest)))
    return line


class RedisLoad:
    """Writes, reads and deletes at random keys, as several clients that send some
    commands at a time. Each turn is a fixed piece of work, the same on every server."""

    def __init__(self, port, clients=4, keys=5000, size=200):
        self.sockets = [
            socket.create_connection(("127.0.0.1", port), LIMIT) for _ in range(clients)
        ]
        self._keys, self._value = keys, "x" * size
        self._number = itertools.count()

    def turn(self, commands=200):
        """So many commands by each client; returns how many replies there were."""
        for each in self.sockets:
            replies = redis_replies(each, [self._command() for _ in range(commands)])
            wrong = [reply for reply in replies if reply.startswith(b"-")]
            check(not wrong, f"redis' errors: {wrong[:3]}")
        return commands * len(self.sockets)

    def _command(self):
        number = next(self._number)
        key = f"key:{number * 7919 % self._keys}"
        kinds = (
            ("SET", key, self._value[: number % len(self._value)]),
            ("GET", key),
            ("LPUSH", f"list:{number % 50}", number),
            ("LTRIM", f"list:{number % 50}", 0, 99),
            ("DEL", f"key:{number * 104729 % self._keys}"),
            ("HSET", f"hash:{number % 100}", number % 64, self._value[:40]),
        )
        return kinds[number % len(kinds)]

    def run(self, seconds):
        """Turns for so many seconds; returns how many replies there were."""
        end = time.monotonic() + seconds
        total = 0
        while time.monotonic() < end:
            total += self.turn()
        return total

    def close(self):
        for each in self.sockets:
            each.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
