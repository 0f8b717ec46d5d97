"""A stand-in for a server that leakcheck judges: a test says what it answers."""

import http.server
import json
import threading
import time
import urllib.parse

MAPS = (
    "\nMAPPED_LIBRARIES:\n1000-2000 r-xp 0 08:01 1 /bin/server\n"
    "2000-3000 r-xp 0 08:01 2 /usr/lib/libx.so\n"
)
THREADS = (
    "threads profile: total 1\n1 @ 0x1010\n#\t0x1010\tmain+0x1\tx.c:3\n"
    "\n--- Memory map: ---\n"
)


class LocalServer(http.server.ThreadingHTTPServer):
    """Serves on a free port of this machine, as a context manager."""

    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Stand(LocalServer):
    """Answers what `routes` say: a text, (status, text), or a function that makes one,
    or sends something itself and returns None."""

    def __init__(self, **routes):
        super().__init__(Handler)
        self.routes = {"/" + key.replace("_", "/"): routes[key] for key in routes}

    def handle_error(self, request, client_address):
        """The judge went away: that is what these tests are about."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body would come 40 ms after its head

    def log_message(self, *_):
        """Prints nothing, because the output belongs to the tests."""

    def do_POST(self):
        self.posted = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.do_GET()

    do_PUT = do_POST

    def do_GET(self):
        reply = self.server.routes.get(self.path.split("?", 1)[0], (404, "no"))
        if callable(reply):
            reply = reply(self)
        if reply is None:
            self.close_connection = True
            return
        status, text = reply if isinstance(reply, tuple) else (200, reply)
        body = text.encode("latin-1")
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def heap(kept, allocated=None, library=False):
    """A heap profile with so many bytes in use and ever allocated, by one function, or
    by a library that it calls."""
    total = kept + 200 if allocated is None else allocated
    row = f"1: {kept} [2: {total}] @"
    stack, names = " 0x1010\n", "#\t0x1010\tkeep+0x1\tx.c:3\n"
    if library:
        stack, names = " 0x2010" + stack, "#\t0x2010\tlibx_copy+0x1\n" + names
    return f"heap profile: {row} heapprofile\n{row}{stack}{names}{MAPS}"


def status(name, **changes):
    """A /status as a half of the lab has it."""
    memory = {"alloc_bytes": 1, "total_alloc_bytes": 1, "rss_bytes": 1}
    figures = {
        "server": name,
        "pid": 7,
        "memory": memory,
        "threads": 1,
        "fds": 1,
        "timers": 0,
        "mappings": 1,
        "children": 0,
    }
    return json.dumps(figures | changes)


def held(reply):
    """A call's reply, after the time that the call is to be held."""

    def leak(request):
        query = urllib.parse.urlsplit(request.path).query
        hold = urllib.parse.parse_qs(query).get("hold", ["0"])
        time.sleep(int(hold[0]) / 1000)
        return reply

    return leak


def half(name, leak, scenario=None, **changes):
    """One half of a lab with one scenario; `leak` answers its calls."""
    plain = {"name": "one", "kind": "permanent", "leaves": {"heap_bytes": 100}}
    scenario = plain | (scenario or {})
    routes = {
        "status": status(name),
        "scenarios": json.dumps([scenario]),
        "leak_one": leak,
        "pprof_heap": heap(100),
        "debug_pprof_heap": heap(100),
        "debug_pprof_goroutine": THREADS,
    }
    return Stand(**routes | changes)
