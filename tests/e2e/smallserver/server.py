#!/usr/bin/python3
"""A small server that is not the lab's, for tests of the judge: it really leaks, in
threads, descriptors, timers, mappings or children, and reports as much of it as its options
say. Prints its URL, and serves one connection at a time until it is ended.

Its heap profile is made up: the text has correct sums, but not of real memory.
"""

import argparse
import ctypes
import http.server
import json
import mmap
import os
import signal
import socket
import struct
import sys
import threading
import time

HEAP_STEP = 5000  # bytes kept by one leaking call
WORK_STEP = 1000 * 1000  # bytes that work after a reply holds
WORK_SECS = 0.6
NOISE_STEP = 32 * 1000  # bytes more in every other round of six calls
RSS_STEP = 64 * 1024
MAPS = (
    "MAPPED_LIBRARIES:\n1000-2000 r-xp 00000000 08:01 1 /srv/app/common\n"
    "2000-3000 r-xp 00000000 08:01 2 /usr/lib/libx.so\n"
)
MAPS_MOVED = MAPS.replace("2000-3000", "5000-6000")

options = None
calls = 0
answers = 0  # of the path that vanishes
kept = []
ends = []  # when the calls were answered
never = threading.Event()


def timer_leak():
    """A POSIX timer that is never deleted, and never fires."""
    event = (ctypes.c_byte * 64)()
    struct.pack_into("Qii", event, 0, 0, 0, 1)  # SIGEV_NONE
    timer = ctypes.c_void_p()
    if ctypes.CDLL(None).timer_create(1, event, ctypes.byref(timer)) != 0:
        raise OSError("timer_create")


def leak(what):
    if what == "thread":
        threading.Thread(target=never.wait, daemon=True).start()
    elif what == "fd":
        kept.append(os.open("/dev/null", os.O_RDONLY))
    elif what == "timer":
        timer_leak()
    elif what == "mapping":
        kept.append(mmap.mmap(-1, 4096))  # shared, so that no neighbours are joined
    elif what == "child":
        if os.fork() == 0:
            os._exit(0)
    elif what in ("rss", "rss-steps"):
        part = mmap.mmap(-1, RSS_STEP)
        for offset in range(0, RSS_STEP, 4096):
            part[offset] = 1
        kept.append(part)
        if what == "rss-steps" and calls % 24 == 0:
            for part in kept[-8:]:
                part.close()
            del kept[-8:]


def kept_bytes():
    """The bytes in use of the heap profile: a leak, alone or together with noise or with
    work that goes on after the reply; a leak in one call of three or of twenty; or a cache
    that fills within 12 calls."""
    if options.leak == "heap":
        return HEAP_STEP * calls
    if options.leak == "busy":
        recent = sum(time.monotonic() - ended < WORK_SECS for ended in ends)
        return HEAP_STEP * calls + WORK_STEP * recent
    if options.leak == "noisy":
        return HEAP_STEP * calls + NOISE_STEP * (calls // 6 % 2)
    if options.leak == "noise":
        return NOISE_STEP * (calls // 6 % 2)
    if options.leak == "third":
        return HEAP_STEP * (calls // 3)
    if options.leak == "twentieth":
        return HEAP_STEP * 4 * (calls // 20)
    if options.leak == "cache":
        return HEAP_STEP * min(calls, 12)
    return 0


def allocated_bytes():
    """What was ever allocated: it only rises."""
    if options.leak in ("busy", "noisy", "noise"):
        return WORK_STEP * (1 + calls)
    return kept_bytes() + 100 * calls


def names():
    return (
        "#\t0x2010\tcopy_make+0x10\t/usr/src/libx/copy.c:7\n"
        "#\t0x1010\tcache_fill+0x10\t/srv/app/common/cache.c:12\n"
        "#\t0x1110\tmain+0x10\t/srv/app/main.c:30\n"
    )


def heap_text():
    kept_now = kept_bytes()
    period = {"sampled": 64, "coarse": 524288}.get(options.heap)
    total = kept_now if period else allocated_bytes()
    kind = f"heap_v2/{period}" if period else "heapprofile"
    if options.heap == "hostile":
        kind = "heap_v2/1e15"
    if options.heap == "huge":
        kind, kept_now, total = "heap_v2/1000000000000000", 9 * 10**14, 9 * 10**14
    line = f"1: {kept_now} [2: {total}] @"
    stacks = f"{line} 0x2010 0x1010 0x1110\n"
    if options.heap == "named":
        stacks += names()
    if options.heap == "huge":
        stacks = "".join(f"{line} 0x2010 0x1010 0x{n:x}\n" for n in range(5))
    return f"heap profile: {line} {kind}\n{stacks}\n{MAPS_MOVED if options.restarted else MAPS}"


def go_text():
    kept_now = kept_bytes()
    total = allocated_bytes()
    return (
        f"heap profile: 1: {kept_now} [2: {total}] @ heap/2\n"
        f"1: {kept_now} [2: {total}] @ 0x1010 0x1110\n"
        "#\t0x100f\tmain.keep+0xf\t/srv/go/main.go:9\n\n# runtime.MemStats\n"
        f"# HeapAlloc = {kept_now}\n# TotalAlloc = {total}\n"
    )


def threads_text():
    count = len(os.listdir("/proc/self/task"))
    return (
        f"threads profile: total {count}\n{count} @ 0x1010 0x1110\n"
        "#\t0x1010\twait_forever+0x10\t/srv/app/wait.c:5\n\n--- Memory map: ---\n"
    )


def status_reply():
    if options.status == "302":
        return 302, "moved"
    if options.status == "500":
        return 500, "oops"
    if options.status == "html":
        return 200, "<!DOCTYPE html><title>Status</title>"
    if options.status == "long":
        return 200, json.dumps({"memory": {}, "pad": "x" * 2**20})
    if options.status not in ("lab", "older"):
        return 404, "no"
    with open("/proc/self/statm", encoding="ascii") as file:
        resident = int(file.read().split()[1]) * 4096
    with open("/proc/self/timers", encoding="ascii") as file:
        timers = sum(line.startswith("ID:") for line in file)
    figures = {
        "server": "small",
        "pid": os.getpid(),
        "memory": {"alloc_bytes": kept_bytes(), "rss_bytes": resident},
        "threads": len(os.listdir("/proc/self/task")),
        "fds": len(os.listdir("/proc/self/fd")) - 1,
        "timers": timers,
        "mappings": None,  # as where the kernel does not say
    }
    if options.status == "lab":
        with open("/proc/self/maps", encoding="ascii") as file:
            figures["mappings"] = sum(1 for _ in file)
        with open("/proc/thread-self/children", encoding="ascii") as file:
            figures["children"] = len(file.read().split())
    return 200, json.dumps(figures)


def answer(path):
    global calls, answers
    if path == options.vanish:
        answers += 1
        if answers > options.vanish_after:
            return 404, "no more"
    if path == "/work":
        calls += 1
        if calls == options.restart:
            options.restart = calls = 0
            options.restarted = True
        ends.append(time.monotonic())
        leak(options.leak)
        return 200, "done"
    if path == "/status":
        return status_reply()
    if path == "/pprof/heap" and options.heap != "go":
        return 200, heap_text()
    if path == "/debug/pprof/heap" and options.heap == "go":
        return 200, go_text()
    if path == "/debug/pprof/goroutine" and options.threads:
        return 200, threads_text()
    return 404, "no"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body would wait 40 ms behind its head
    timeout = 20

    def log_message(self, *_):
        """Nothing: nobody reads it."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?", 1)[0]
        status, text = answer(path)
        body = text.encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/")
        if options.close != "unframed":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if options.drip and path == options.drip:
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(0.5)
        else:
            self.wfile.write(body)
        if options.close:
            self.wfile.flush()
            if options.close == "reset":
                off = struct.pack("ii", 1, 0)
                # The reply must arrive before the reset, which would discard it.
                time.sleep(0.01)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
            self.close_connection = True


class Server(http.server.HTTPServer):
    request_queue_size = 16

    def shutdown_request(self, request):
        """Without a shutdown first, so that a reset really is a reset."""
        request.close()

    def handle_error(self, request, client_address):
        """The client went away: that is what some tests are about."""


def main():
    global options
    parser = argparse.ArgumentParser()
    parser.add_argument("--status", default="none")
    parser.add_argument("--heap", default="named")
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--close", default="")
    parser.add_argument("--drip", default="")
    parser.add_argument(
        "--vanish", default="", help="a path that is gone after a while"
    )
    parser.add_argument("--vanish-after", type=int, default=8, help="answers")
    parser.add_argument(
        "--restart", type=int, help="looks new-born after so many calls"
    )
    parser.set_defaults(restarted=False)
    parser.add_argument("--leak", default="none")
    parser.add_argument("--worker", action="store_true", help="a child serves")
    options = parser.parse_args()
    server = Server(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    if options.worker:
        if os.fork() > 0:
            os.wait()
            return
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
