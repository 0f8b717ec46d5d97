"""Chromium without a window, driven by Selenium: pages as a person sees them. Both
programs are Debian's; Selenium fetches nothing. The browser reaches this machine alone,
and what it starts ends with it."""

import base64
import contextlib
import json
import os
import urllib.parse

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import processes
from checks import LIMIT, check, equal, wait_until
from pages import free_port
from servers import Server
from tree import ROOT, scratch

BROWSER = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"
SCREENSHOTS = os.path.join(ROOT, "out", "screenshots")
HEIGHT = 900  # pixels of a page's window; a screenshot is as high as the page

AWAY = "Failed to load resource: net::ERR_"  # in the console, of a server that ended

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    # No name is looked up, so nothing outside of this machine is asked for anything.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--js-flags=--expose-gc",
)

# Runs in each page before its own scripts: notes by how much the layout jumped, and when
# the first chart had something to show.
WATCH = """
window.seen = {shift: 0, shifts: [], drawn: null};
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
        if (!entry.hadRecentInput) {
            window.seen.shift += entry.value;
            window.seen.shifts.push([Math.round(entry.startTime), entry.value].concat(
                entry.sources.map((each) => each.node?.nodeType === 1 ?
                    `${each.node.tagName}#${each.node.id}.${each.node.className}` : "?")));
        }
    }
}).observe({type: "layout-shift", buffered: true});
(function look() {
    const charts = Object.values(window.leakCharts ?? {});
    const drawn = charts.some((chart) => chart.data.datasets.some((line) =>
        line.data.some((point) => (point?.y ?? point) !== null)));
    if (drawn) {
        // The frame with the chart is shown when the next one is begun.
        requestAnimationFrame(() => { window.seen.drawn = performance.now(); });
    } else {
        requestAnimationFrame(look);
    }
})();
"""


class Browser:
    """One browser, for the tests of a module; use it as a context manager."""

    def __enter__(self):
        home = scratch("leak-lab-browser-")
        options = Options()
        options.binary_location = BROWSER
        for option in (*OPTIONS, f"--user-data-dir={home}/user"):
            options.add_argument(option)
        logs = {"browser": "ALL", "performance": "ALL"}
        options.set_capability("goog:loggingPrefs", logs)
        before = processes.descendants()
        environment = os.environ | {"HOME": home, "XDG_CONFIG_HOME": home}
        environment = {k: v for k, v in environment.items() if "proxy" not in k.lower()}
        with without_proxies():
            self.driver = webdriver.Chrome(
                service=Service(executable_path=DRIVER, env=environment),
                options=options,
            )
        self._first = self.driver.current_window_handle
        self._started = processes.descendants() - before
        processes.keep_families(self._started)
        return self

    def __exit__(self, *_):
        """Ends all that it started, whether it still answers or not."""
        processes.end_families(self._started)

    @contextlib.contextmanager
    def page(self, url, others=(), expected=(), width=1400, scheme="light", first=""):
        """A page in a tab of its own, in which the script `first` runs before all others.
        At the end of a test that passed, the page must have asked only its own server and
        the `others`, and the console must have no message but such as contain one of the
        `expected` texts."""
        self.driver.switch_to.new_window("tab")
        page = Page(self.driver, {origin(each) for each in (url, *others)})
        try:
            page.size(width)
            page.scheme(scheme)
            page.first(WATCH + first)
            page.open(url)
            yield page
            page.check_console(expected)
            page.check_requests()
        finally:
            with contextlib.suppress(Exception):
                self.driver.close()
            self.driver.switch_to.window(self._first)


class Page:
    """A page in a tab of the browser."""

    def __init__(self, driver, origins):
        self.driver = driver
        self.origins = origins  # which servers it may ask
        self._console = []
        self._events = []
        driver.get_log("browser")  # of other pages
        driver.get_log("performance")

    def first(self, script):
        """This script runs in each page before the page's own ones."""
        self.command("Page.addScriptToEvaluateOnNewDocument", source=script)

    def open(self, url):
        """Loads a page, in the place of the one before."""
        self.driver.get(url)

    def metric(self, name):
        """One of Chromium's own figures of the page, such as JSHeapUsedSize, without
        what is garbage."""
        self.command("HeapProfiler.collectGarbage")
        self.command("Performance.enable")
        metrics = self.command("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in metrics if each["name"] == name)

    def command(self, method, **parameters):
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(method, parameters)

    # What the page has in it.

    def script(self, text, *arguments):
        """Runs JavaScript in the page; `return` gives its value."""
        return self.driver.execute_script(text, *arguments)

    def later(self, text, *arguments):
        """Runs the body of an async function in the page, and waits for its value."""
        self.driver.set_script_timeout(LIMIT)
        value = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            f"(async (...args) => {{ {text} }})(...[...arguments].slice(0, -1)).then("
            "(value) => done({value}), (error) => done({error: String(error)}))",
            *arguments,
        )
        check("error" not in value, f"in the page: {value.get('error')}")
        return value.get("value")

    def wait(self, expression, *arguments, limit=LIMIT, what=None):
        """Waits until an expression of JavaScript is true; returns its value."""
        return wait_until(
            lambda: self.script(f"return {expression}", *arguments),
            limit,
            what or expression,
        )

    def find(self, selector):
        """The first element that a CSS selector matches, once there is one."""
        return wait_until(
            lambda: self.driver.find_elements(By.CSS_SELECTOR, selector),
            what=f"an element {selector}",
        )[0]

    def text(self, selector="body"):
        """The text of an element, also of what is folded away."""
        self.find(selector)
        return self.script(
            "return document.querySelector(arguments[0]).textContent", selector
        )

    def shown(self):
        """The text of the page, as a person sees it."""
        return self.script("return document.body.innerText")

    def line(self, chart, server):
        """The values of a server's line in a chart; None where it was away."""
        return self.script(
            "const lines = window.leakCharts?.[arguments[0]]?.data.datasets ?? [];"
            "const line = lines.find((each) => each.label === arguments[1]);"
            "return (line?.data ?? []).map((point) => point.y);",
            chart,
            server,
        )

    def risen(self, chart, server, value, limit=LIMIT):
        """Waits until a server's line ends at a value or above; returns where it ends."""

        def end():
            last = (self.line(chart, server) or [None])[-1]
            return last is not None and last >= value and [last]

        return wait_until(end, limit, f"{chart} of {server} is {value} or more")[0]

    def polls(self, count):
        """Waits until the page has asked each server so many times more."""
        number = (
            "return performance.getEntriesByType('resource')"
            ".filter((each) => each.name.endsWith('/status')).length"
        )
        self.script("performance.setResourceTimingBufferSize(100000)")
        wanted = self.script(number) + count * len(self.origins)
        wait_until(lambda: self.script(number) >= wanted, what=f"{count} more samples")

    def rest(self, chart, server, samples=8):
        """Waits until a server's line is level for so many samples; returns its value."""

        def level():
            last = self.line(chart, server)[-samples:]
            return len(last) == samples and len(set(last)) == 1 and last

        return wait_until(level, what=f"{chart} of {server} is level")[0]

    # What a person does.

    def click(self, selector):
        """Clicks the first element that a CSS selector matches."""
        self._click(self.find(selector))

    def push(self, text):
        """Clicks the button with this text."""
        path = f"//button[normalize-space()='{text}']"
        wait_until(lambda: self.driver.find_elements(By.XPATH, path), what=path)
        self._click(self.driver.find_element(By.XPATH, path))

    def _click(self, element):
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def tab_to(self, selector, most=60):
        """Presses Tab until what a CSS selector matches has the focus."""
        on = "return document.activeElement?.matches(arguments[0])"
        for _ in range(most):
            self.press(Keys.TAB)
            if self.script(on, selector):
                return
        raise AssertionError(f"{most} times Tab, and {selector} has no focus")

    def press(self, *keys):
        """Presses keys, one after the other, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def size(self, width, height=HEIGHT):
        """The size of the page's window in CSS pixels."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def scheme(self, name, motion="no-preference"):
        """Whether a person prefers light or dark pages, and moving ones or not."""
        features = {
            "prefers-color-scheme": name,
            "prefers-reduced-motion": motion,
        }
        self.command(
            "Emulation.setEmulatedMedia",
            features=[{"name": key, "value": value} for key, value in features.items()],
        )

    def screenshot(self, name):
        """Keeps a picture of the whole page as out/screenshots/NAME.png."""
        os.makedirs(SCREENSHOTS, exist_ok=True)
        picture = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        with open(os.path.join(SCREENSHOTS, f"{name}.png"), "wb") as file:
            file.write(base64.b64decode(picture["data"]))

    # What the browser noted.

    def console(self):
        """The messages in the console so far: errors, and what the page has logged."""
        self._console += self.driver.get_log("browser")
        return [f"{each['level']}: {each['message']}" for each in self._console]

    def check_console(self, expected=()):
        """Checks that the console has no message but those that contain one of these
        texts."""
        said = self.console()
        other = [line for line in said if not any(text in line for text in expected)]
        equal(other, [], "messages in the console")

    def forget(self):
        """Forgets what was asked for and received so far."""
        self._events = []
        self.driver.get_log("performance")

    def events(self, method):
        """The parameters of all DevTools events of this kind so far."""
        self._events += [
            json.loads(each["message"])["message"]
            for each in self.driver.get_log("performance")
        ]
        return [each["params"] for each in self._events if each["method"] == method]

    def requests(self):
        """The URLs that the page has asked for so far."""
        sent = self.events("Network.requestWillBeSent")
        return [each["request"]["url"] for each in sent]

    def received(self):
        """The bytes of all replies so far, with their heads, as they came in."""
        ended = self.events("Network.loadingFinished")
        return sum(each["encodedDataLength"] for each in ended)

    def check_requests(self):
        """Checks that the page has asked its servers alone."""
        urls = self.requests()
        check(urls, "no request was noted")
        asked = {origin(url) for url in urls if not url.startswith(("data:", "blob:"))}
        equal(asked - self.origins, set(), "other servers that were asked")


@contextlib.contextmanager
def lab(*options):
    """Both servers of the lab, leaky and fixed, each the other's peer."""
    ports = free_port(), free_port()
    started = []
    with contextlib.ExitStack() as stack:
        for name, own, other in zip(("leaky", "fixed"), ports, reversed(ports)):
            peer = ("--peer", f"http://127.0.0.1:{other}")
            server = Server(name, "--port", own, *peer, *options)
            started.append(stack.enter_context(server))
        yield started


def origin(url):
    """Scheme, host and port of a URL. The two names of this machine are the same."""
    parts = urllib.parse.urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port}"


@contextlib.contextmanager
def without_proxies():
    """Selenium asks the driver on this machine, whatever proxy the environment names."""
    kept = {k: os.environ.pop(k) for k in list(os.environ) if "proxy" in k.lower()}
    try:
        yield
    finally:
        os.environ.update(kept)
