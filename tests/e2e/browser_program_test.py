"""The live page of a program that others wrote, under leakprobe: redis at work."""

import threading

import pytest

from browser import Browser
from checks import check, equal, wait_until
from program_loads import RedisLoad
from programs import Program, free_port, listens
from server_programs import Redis
from tree import scratch

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


class Busy(threading.Thread):
    """Clients of a redis, until `end` is set: not more than 20,000 turns."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self._port = port
        self.end = threading.Event()
        self.failed = None

    def run(self):
        try:
            with RedisLoad(self._port) as load:
                for _ in range(20000):
                    if self.end.wait(0.01):
                        return
                    load.turn(50)
        except Exception as error:  # shown by the test  # noqa: BLE001
            self.failed = error


@pytest.fixture(name="redis")
def busy_redis():
    """A redis under leakprobe, with clients."""
    kind, port = Redis(), free_port()
    command = kind.command(scratch(), port)
    with Program(command, probe=(), env=kind.environment()) as program:
        program.await_(lambda: listens(port), "first connection")
        busy = Busy(port)
        busy.start()
        try:
            yield program
        finally:
            busy.end.set()
            busy.join()
        check(busy.failed is None, busy.failed)
        equal(program.end(), 0, "status")


@pytest.mark.parametrize("width, scheme", [(1400, "light"), (360, "dark")])
def test_page_of_redis_at_work(redis, width, scheme):
    """The page has the program's name and lines, a flame graph in which redis' own
    functions have a colour and those of libraries none, and nothing of the lab."""
    url = f"http://127.0.0.1:{redis.debug_port()}/#interval=100"
    with Browser() as browser, browser.page(url, width=width, scheme=scheme) as page:
        page.risen("in_use", "redis-server", 1)
        page.risen("threads", "redis-server", 2)
        wait_until(lambda: "zmalloc" in page.text(), what="functions")
        tones = page.script(
            "return Object.fromEntries([...document.querySelectorAll('[class*=tone-]')]"
            ".filter((each) => each.textContent)"
            ".map((each) => [each.textContent, each.className]))"
        )
        check("tone-none" not in tones["aeMain"], tones["aeMain"])
        check("tone-none" in tones["__libc_start_main"], tones["__libc_start_main"])
        shown = page.shown()
        for word in ("redis-server", "probe 1.", "exact", f"pid {redis.pid}"):
            check(word in shown, f"{word}: {shown[:500]}")
        for word in ("leaky", "scenario", "--profile"):
            check(word not in shown, word)
        wide = page.script("return document.documentElement.scrollWidth")
        check(wide <= width, f"{wide} pixels in {width}")
        page.screenshot(f"redis-live-{width}-{scheme}")
