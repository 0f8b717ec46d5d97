"""Debian's servers as programs that others wrote: how each is started on loopback with
files of its own, and what a client does with it, so that two runs can be compared."""

import os
import signal
import socket
import struct

from checks import LIMIT, check, equal, wait_until
from http_request import request
from program_loads import redis_replies
from unpacked import unpacked

# A directory with texts that every Debian has and every user may read.
TEXTS = "/usr/share/common-licenses"
# The reply's headers that tell the time or the connection.
VARYING = {"date", "expires"}
IS_ROOT = os.geteuid() == 0


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


class Kind:
    """One server: the name of its program, the packages that have it, and the functions
    that its profiles must name: how many in the heap's, and which in the threads'."""

    name = program = None
    packages = ()
    heap = (r"", 0)  # of the names in the heap profile that match, so many at least
    threads = r""  # one name at least in the threads' profile matches
    signals = (signal.SIGTERM, signal.SIGINT)

    def tree(self):
        return unpacked(self.program, *self.packages)

    def environment(self):
        return self.tree().environment

    def command(self, directory, port):
        """Writes the configuration into the directory; returns the command."""
        raise NotImplementedError

    def work(self, port):
        """What a client gets: the same from a bare server and from a probed one."""
        return [page(port, "/GPL-3"), page(port, "/missing")] + many_pages(port)


def page(port, target, headers=None):
    """A page without what is another one each time: (status, headers, body)."""
    reply = request(port, "GET", target, headers=headers)
    kept = {name: value for name, value in reply.headers.items() if name not in VARYING}
    return reply.status, kept, reply.body


def many_pages(port, count=50):
    """Several requests on several connections, which stay open at the same time."""
    text = b"GET /BSD HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    sockets = [socket.create_connection(("127.0.0.1", port), LIMIT) for _ in range(4)]
    try:
        for number in range(count):
            sockets[number % 4].sendall(text)
            read_until(sockets[number % 4], b"\r\n\r\n")
    finally:
        for each in sockets:
            each.close()
    return [count]


def read_until(connection, end):
    """Reads from a socket up to `end`, which must come, and what is there after it."""
    received = b""
    while end not in received:
        part = connection.recv(65536)
        check(part, f"the connection was closed after {received[-200:]}")
        received += part
    return received


class Nginx(Kind):
    """One process."""

    name, program, packages = "nginx", "usr/sbin/nginx", ("nginx",)
    heap = (r"^ngx_", 8)
    threads = r"^ngx_"
    processes = "master_process off;"
    location = f"root {TEXTS}; gzip on; gzip_types *;"

    def command(self, directory, port):
        temporary = "".join(
            f"{each}_temp_path {directory}/{each};\n"
            for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        text = (
            f"daemon off;\n{self.processes}\npid {directory}/pid;\nerror_log stderr;\n"
            "events {}\nhttp {\naccess_log off;\nkeepalive_requests 1000000;\n"
            f"{temporary}server {{\nlisten 127.0.0.1:{port};\n"
            f"location / {{ {self.location} }}\n}}\n}}\n"
        )
        path = write(directory, "nginx.conf", text)
        return [
            self.tree().path(self.program),
            "-e",
            "stderr",
            "-p",
            directory,
            "-c",
            path,
        ]

    def work(self, port):
        packed = page(port, "/GPL-3", {"Accept-Encoding": "gzip"})
        return [packed, page(port, "/GPL-3"), page(port, "/missing")] + many_pages(port)


class NginxFamily(Nginx):
    """A master with two workers, which leave root's rights if they have them. A worker
    answers with its process id."""

    processes = "worker_processes 2;" + (" user nobody nogroup;" if IS_ROOT else "")
    location = 'return 200 "$pid\\n";'

    def work(self, port):
        return []

    @staticmethod
    def worker(port):
        """The process id of a worker that answers."""
        return int(request(port, "GET", "/").expect(200).text)


class Redis(Kind):
    """Strings, lists, a script, and a save by a child."""

    name, program = "redis-server", "usr/bin/redis-server"
    packages = ("redis-server", "redis-tools")
    heap = (r"^(ae|create|dict|redis|sds|z|list|lua|init|main|anet|raxInsert)", 6)
    threads = r"^ae(Main|ProcessEvents)$"

    def command(self, directory, port):
        options = {"port": port, "bind": "127.0.0.1", "dir": directory, "save": ""}
        given = [
            part for name, value in options.items() for part in (f"--{name}", value)
        ]
        return [self.tree().path(self.program), *given]

    def work(self, port):
        commands = [("FLUSHALL",)]
        commands += [("SET", f"key:{n}", "x" * n) for n in range(300)]
        commands += [("GET", f"key:{n}") for n in range(300)]
        commands += [("RPUSH", "list", str(n)) for n in range(300)]
        commands += [("LRANGE", "list", "0", "-1"), ("SORT", "list", "DESC")]
        script = "local t = {} for i = 1, 100 do t[i] = i end return t"
        commands += [("EVAL", script, "0"), ("DEL", "key:7"), ("DBSIZE",), ("NOSUCH",)]
        with socket.create_connection(("127.0.0.1", port), LIMIT) as connection:
            replies = redis_replies(connection, commands)
            replies += redis_replies(connection, [("BGSAVE",)])
            wait_until(lambda: self._saved(connection), what="the child's save")
        return replies

    @staticmethod
    def _saved(connection):
        info = redis_replies(connection, [("INFO", "persistence")])[0]
        if b"rdb_bgsave_in_progress:1" in info:
            return False
        check(b"rdb_last_bgsave_status:ok" in info, info)
        return True


class Memcached(Kind):
    """Keys and counters, from several threads."""

    name, program, packages = "memcached", "usr/bin/memcached", ("memcached",)
    heap = (r"^(event|ev|start_thread|__libc_start)", 2)  # it exports nothing
    threads = r"^event_base_loop$"

    def command(self, _directory, port):
        user = ["-u", "nobody"] if IS_ROOT else []
        listen = ["-l", "127.0.0.1", "-p", str(port), "-U", "0"]
        return [self.tree().path(self.program), *listen, *user]

    def work(self, port):
        replies = []
        for client in range(6):
            with socket.create_connection(("127.0.0.1", port), LIMIT) as connection:
                for number in range(30):
                    key, value = f"k{client}-{number}", "v" * number * 20
                    text = f"set {key} 0 0 {len(value)}\r\n{value}\r\nget {key}\r\n"
                    connection.sendall(text.encode())
                    replies.append(read_until(connection, b"END\r\n"))
                text = (
                    "set n 0 0 1\r\n5\r\nincr n 37\r\ndelete n\r\nget n\r\nnosuch\r\n"
                )
                connection.sendall(text.encode())
                replies.append(read_until(connection, b"ERROR\r\n"))
        return replies


class Lighttpd(Kind):
    """Pages, compressed too, from modules that are opened by dlopen."""

    name, program, packages = "lighttpd", "usr/sbin/lighttpd", ("lighttpd",)
    heap = (
        r"^(array|buffer|config|fdevent|plugin|server|log|connection|network|stat)",
        5,
    )
    threads = r"^(fdevent|server|connection|main)"

    def command(self, directory, port):
        text = (
            f'server.document-root = "{TEXTS}"\nserver.port = {port}\n'
            'server.bind = "127.0.0.1"\nserver.modules = ("mod_dirlisting", '
            f'"mod_accesslog", "mod_auth")\naccesslog.filename = "{directory}/access"\n'
            'dir-listing.activate = "enable"\n'
        )
        path = write(directory, "lighttpd.conf", text)
        modules = self.tree().path("usr/lib/lighttpd")
        return [self.tree().path(self.program), "-D", "-f", path, "-m", modules]

    def work(self, port):
        return super().work(port) + [page(port, "/")]


class Apache(Kind):
    """The event module: a parent, and a child with threads that leaves root's rights if
    it has them."""

    name, program, packages = "apache2", "usr/sbin/apache2", ("apache2-bin",)
    heap = (r"^(ap_|apr_)", 8)
    threads = r"^(ap_|apr_)"

    def command(self, directory, port):
        modules = self.tree().path("usr/lib/apache2/modules")
        loaded = "".join(
            f"LoadModule {each}_module {modules}/mod_{each}.so\n"
            for each in ("mpm_event", "authz_core", "dir", "autoindex", "alias")
        )
        user = "User nobody\nGroup nogroup\n" if IS_ROOT else ""
        text = (
            f"{loaded}{user}ServerName localhost\nListen 127.0.0.1:{port}\n"
            f"PidFile {directory}/pid\nErrorLog /dev/stderr\nMutex posixsem\n"
            f"DefaultRuntimeDir {directory}\nServerRoot {directory}\n"
            "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\n"
            "MinSpareThreads 1\nMaxSpareThreads 8\n"
            f"DocumentRoot {TEXTS}\n<Directory {TEXTS}>\nRequire all granted\n"
            "Options Indexes FollowSymLinks\n</Directory>\n"
        )
        path = write(directory, "apache.conf", text)
        return [self.tree().path(self.program), "-D", "FOREGROUND", "-f", path]

    def work(self, port):
        return super().work(port) + [page(port, "/")]


class Mosquitto(Kind):
    """A subscriber, and a publisher whose messages it gets."""

    name, program, packages = "mosquitto", "usr/sbin/mosquitto", ("mosquitto",)
    heap = (
        r"^(mosquitto_|config__|db__|net__|context__|listeners__|sub__|packet__)",
        4,
    )
    threads = r"^(mosquitto_main_loop|mux)"

    def command(self, directory, port):
        user = "user nobody\n" if IS_ROOT else ""
        text = f"listener {port} 127.0.0.1\nallow_anonymous true\n{user}"
        path = write(directory, "mosquitto.conf", text)
        return [self.tree().path(self.program), "-c", path]

    def work(self, port):
        with self._client(port, b"reader") as reader, self._client(
            port, b"writer"
        ) as writer:
            reader.sendall(mqtt(0x82, b"\0\1" + mqtt_text(b"lab/#") + b"\0"))
            equal(receive(reader, 5), bytes.fromhex("9003000100"), "SUBACK")
            messages = [
                mqtt(0x30, mqtt_text(b"lab/%d" % number) + b"x" * number)
                for number in range(100)
            ]
            writer.sendall(b"".join(messages))
            received = receive(reader, sum(map(len, messages)))
            writer.sendall(mqtt(0xE0, b""))
        return [received]

    @staticmethod
    def _client(port, name):
        connection = socket.create_connection(("127.0.0.1", port), LIMIT)
        hello = (
            mqtt_text(b"MQTT") + b"\x04\x02" + struct.pack(">H", 60) + mqtt_text(name)
        )
        connection.sendall(mqtt(0x10, hello))
        equal(receive(connection, 4), bytes.fromhex("20020000"), "CONNACK")
        return connection


def mqtt(first, rest):
    """A packet of MQTT 3.1.1, of at most 16,383 bytes."""
    length = len(rest)
    size = [length] if length < 128 else [length % 128 | 128, length // 128]
    return bytes([first, *size]) + rest


def mqtt_text(text):
    return struct.pack(">H", len(text)) + text


def receive(connection, size):
    """So many bytes from a socket."""
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        check(part, f"the connection was closed after {received[-200:]}")
        received += part
    return received


class Python(Kind):
    """python3 -m http.server: a thread for each connection."""

    name, program = "python3", "usr/bin/python3"
    heap = (r"^_?Py", 20)
    threads = r"^_?Py"

    def environment(self):
        return {}

    def command(self, _directory, port):
        options = ["--bind", "127.0.0.1", "--directory", TEXTS]
        return ["/usr/bin/python3", "-u", "-m", "http.server", str(port), *options]

    def work(self, port):
        pages = [page(port, path) for path in ("/", "/GPL-3", "/missing")]
        return pages + [page(port, f"/BSD?{number}")[0] for number in range(30)]


ALWAYS = (Nginx(), Redis(), Python())
IN_TURN = (Memcached(), Lighttpd(), Apache(), Mosquitto())
