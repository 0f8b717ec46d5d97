"""/metrics: every metric with help and type, as the docs list them; the same figures as
/status and /proc; what it costs."""

import http.client
import json
import os
import re
import subprocess
import time

import pytest

from builds import built
from checks import check, equal, wait_until
from commands import run
from metrics import parse_metrics
from pages import page_text
from scenarios import scenario_names
from servers import Server
from tree import BUILD, ROOT

# Dashboards and alert rules ask for them by these names.
NAMES = """
process_cpu_seconds_total process_start_time_seconds process_open_fds process_max_fds
process_virtual_memory_bytes process_virtual_memory_max_bytes
process_resident_memory_bytes process_threads leakprobe_info leakprobe_heap_in_use_bytes
leakprobe_heap_allocated_bytes_total leakprobe_heap_allocations_total
leakprobe_heap_frees_total leakprobe_heap_live_objects leakprobe_heap_system_bytes
leakprobe_heap_free_bytes leakprobe_resident_memory_peak_bytes leakprobe_sockets
leakprobe_timers leakprobe_mappings leakprobe_children leaklab_requests_total leaklab_scenario_calls_total
leaklab_scenario_held leaklab_heap_limit_bytes leaklab_threads_limit
leaklab_descriptors_limit leaklab_timers_limit
""".split()

# The metrics that /status has too.
SAME_AS_STATUS = {
    "leakprobe_heap_in_use_bytes": ("memory", "alloc_bytes"),
    "leakprobe_heap_allocated_bytes_total": ("memory", "total_alloc_bytes"),
    "leakprobe_heap_allocations_total": ("memory", "mallocs"),
    "leakprobe_heap_frees_total": ("memory", "frees"),
    "leakprobe_heap_live_objects": ("memory", "live_objects"),
    "leakprobe_heap_system_bytes": ("memory", "heap_sys_bytes"),
    "leakprobe_heap_free_bytes": ("memory", "heap_free_bytes"),
    "process_resident_memory_bytes": ("memory", "rss_bytes"),
    "leakprobe_resident_memory_peak_bytes": ("memory", "peak_rss_bytes"),
    "process_threads": ("threads",),
    "process_open_fds": ("fds",),
    "leakprobe_sockets": ("sockets",),
    "leakprobe_timers": ("timers",),
    "leakprobe_mappings": ("mappings",),
    "leakprobe_children": ("children",),
    "leaklab_heap_limit_bytes": ("limits", "heap_bytes"),
    "leaklab_threads_limit": ("limits", "threads"),
    "leaklab_descriptors_limit": ("limits", "fds"),
    "leaklab_timers_limit": ("limits", "timers"),
}

REUSED_S = 0.011  # figures are reused for 10 ms


@pytest.fixture(scope="module", autouse=True)
def started():
    """Both servers, for all tests here."""
    global leaky, fixed
    with Server("leaky") as leaky, Server("fixed", "--profile", "off") as fixed:
        yield


class Connection:
    """One connection to a server's debug port, for all its requests."""

    def __init__(self, server):
        self.client = http.client.HTTPConnection("127.0.0.1", server.debug_port)

    def get(self, path):
        self.client.request("GET", path)
        reply = self.client.getresponse()
        body = reply.read().decode("ascii")
        equal(reply.status, 200, path)
        return body

    def status(self):
        return json.loads(self.get("/status"))

    def metrics(self):
        return parse_metrics(self.get("/metrics"))


def scrape(server, debug=True):
    return parse_metrics(server.get("/metrics", debug=debug).expect(200).text)


def test_every_metric_has_its_help_and_type():
    """On both servers and both ports: all names, and what Prometheus expects of each
    of them."""
    for server, profile in ((leaky, "exact"), (fixed, "off")):
        for debug in (False, True):
            reply = server.get("/metrics", debug=debug).expect(200)
            kind = "text/plain; version=0.0.4; charset=utf-8"
            equal(reply.headers["content-type"], kind, "type")
            metrics = parse_metrics(reply.text)
            equal(sorted(metrics), sorted(NAMES), "names")
            info = metrics["leakprobe_info"]
            equal(info.labels, ("name", "version", "profile"), "labels")
            version = server.status()["version"]
            equal(info.values, {(server.name, version, profile): 1.0}, "leakprobe_info")
            for name, metric in metrics.items():
                counts = metric.type == "counter"
                equal(counts, name.endswith("_total"), f"{name} is a {metric.type}")
                for unit in ("bytes", "seconds"):
                    named = f"_{unit}" in name
                    equal(f"in {unit}" in metric.help, named, f"{unit} of {name}")


def test_docs_list_the_metrics():
    """docs/monitoring.md has a row for each metric, with its type and unit."""
    rows = re.findall(
        r"^\| `([a-z_]+)` \| (\w+) \| (\w+) \| \S.* \|$",
        page_text("docs/monitoring.md"),
        re.MULTILINE,
    )
    with Server("leaky", "--profile", "recorder") as recorder:  # it has all of them
        metrics = scrape(recorder)
    equal([name for name, _, _ in rows], sorted_as(rows, metrics), "names in the docs")
    for name, kind, unit in rows:
        equal(kind, metrics[name].type, f"type of {name}")
        named = next((u for u in ("bytes", "seconds") if f"_{u}" in name), None)
        check(named in (None, unit), f"unit of {name}: {unit}")


def sorted_as(rows, metrics):
    """The names of the metrics, in the order of the rows as far as they are there."""
    order = [name for name, _, _ in rows]
    return sorted(metrics, key=lambda name: order.index(name) if name in order else -1)


def test_promtool_finds_no_fault():
    """promtool check metrics prints nothing."""
    directory = os.path.join(BUILD, "prometheus")
    run(os.path.join(ROOT, "scripts", "prometheus-unpack.sh"), directory, limit=280)
    for server in (leaky, fixed):
        done = subprocess.run(
            (os.path.join(directory, "promtool"), "check", "metrics"),
            input=server.get("/metrics").expect(200).body,
            capture_output=True,
            timeout=60,
            check=False,
        )
        equal((done.returncode, done.stdout, done.stderr), (0, b"", b""), "promtool")


def test_metrics_agree_with_status():
    """In one quiet moment they have the same figures as /status."""
    with Server("leaky") as server:
        server.leak("lock-deadlock")
        server.leak("ticker-many", count=2)
        server.leak("file-unclosed", count=5)
        server.settle()
        connection = Connection(server)

        def same_moment():
            before, metrics, after = (
                connection.status(),
                connection.metrics(),
                connection.status(),
            )
            same = before["memory"] == after["memory"] and after["age_ms"] < 10
            return same and (metrics, after)

        metrics, status = wait_until(same_moment, what="three replies within 10 ms")
        for name, path in SAME_AS_STATUS.items():
            expected = status
            for member in path:
                expected = expected[member]
            equal(metrics[name].value, expected, name)
        total = metrics["leaklab_requests_total"].value
        equal(total, status["requests_total"] - 1, "requests")
        names = [(name,) for name in scenario_names()]
        for name, member in (
            ("leaklab_scenario_calls_total", "calls"),
            ("leaklab_scenario_held", "held"),
        ):
            equal(metrics[name].labels, ("scenario",), name)
            equal(list(metrics[name].values), names, name)
            for (scenario,), value in metrics[name].values.items():
                equal(value, status["scenarios"][scenario][member], scenario)
        equal(metrics["leaklab_scenario_calls_total"].values["ticker-many",], 2.0)
        check(metrics["leaklab_scenario_held"].values["ticker-many",] > 0, "held")


def proc(pid, file):
    with open(f"/proc/{pid}/{file}", encoding="ascii") as opened:
        return opened.read()


def cpu_seconds(pid):
    fields = proc(pid, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_metrics_agree_with_proc():
    """The process's metrics are what the kernel says."""
    with Server("leaky") as server:
        server.leak("thread-wait", count=3)
        server.leak("file-unclosed", count=7)
        sample = server.settle()
        before = cpu_seconds(server.pid)
        metrics = {name: m.value for name, m in scrape(server).items() if not m.labels}
        after = cpu_seconds(server.pid)
        cpu = metrics["process_cpu_seconds_total"]
        # The kernel counts in ticks, on each of the two sides.
        check(before - 0.05 <= cpu <= after + 0.05, (before, cpu, after))
        equal(metrics["process_threads"], sample["threads"], "threads")
        equal(metrics["leakprobe_timers"], sample["timers"], "timers")
        # The connection that asks is a descriptor more.
        equal(metrics["process_open_fds"], sample["fds"] + 1, "descriptors")
        files = re.search(r"Max open files +(\d+)", proc(server.pid, "limits"))
        equal(metrics["process_max_fds"], int(files[1]), "most descriptors")
        space = re.search(r"Max address space +(\d+)", proc(server.pid, "limits"))
        equal(metrics["process_virtual_memory_max_bytes"], int(space[1]), "limit")
        size = int(proc(server.pid, "statm").split()[0]) * os.sysconf("SC_PAGE_SIZE")
        near = metrics["process_virtual_memory_bytes"] - size
        check(abs(near) < 2**20, f"address space: {near} bytes off")
        rss = metrics["process_resident_memory_bytes"] - server.rss()
        check(abs(rss) < 4 * 2**20, f"resident: {rss} bytes off")


def test_start_time_is_right_and_never_changes():
    """process_start_time_seconds is the kernel's, the same in every reading, and later
    for a server that is started later."""
    started = scrape(leaky)["process_start_time_seconds"].value
    fields = proc(leaky.pid, "stat").rpartition(")")[2].split()
    booted = int(re.search(r"^btime (\d+)", proc("", "stat"), re.MULTILINE)[1])
    expected = booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    check(abs(started - expected) < 2, f"{started} instead of {expected}")
    check(started < time.time() < started + 3600, started)
    connection = Connection(leaky)
    for _ in range(5):
        time.sleep(REUSED_S)
        equal(connection.metrics()["process_start_time_seconds"].value, started)
    with Server("leaky") as server:
        later = scrape(server)["process_start_time_seconds"].value
        check(later > started, f"{later} after {started}")


def test_neither_metrics_nor_status_allocates():
    """A thousand readings allocate as little as a thousand of /healthz, which replies
    with a constant; the rest is civetweb's, and is freed."""
    connection = Connection(leaky)
    connection.get("/scenarios")
    counted = {}
    for path in ("/healthz", "/healthz", "/metrics", "/status"):
        before = fresh_memory(connection)
        for _ in range(1000):
            connection.get(path)
        after = fresh_memory(connection)
        equal(after["live_objects"], before["live_objects"], f"live after {path}")
        equal(after["alloc_bytes"], before["alloc_bytes"], f"in use after {path}")
        counted[path] = after["mallocs"] - before["mallocs"]
    equal(counted["/metrics"], counted["/healthz"], "mallocs of /metrics")
    equal(counted["/status"], counted["/healthz"], "mallocs of /status")
    profile = leaky.get("/debug/pprof/heap?debug=1").expect(200).text
    check("catalogue_page" in profile, "the profile shows no page at all")
    for function in ("metrics_page", "status_page", "probe_figures_read"):
        check(function not in profile, f"the profile shows {function}")


def fresh_memory(connection):
    """The memory that /status shows, read anew."""
    time.sleep(REUSED_S)
    return connection.status()["memory"]


def test_scrape_is_fast():
    """With 600 descriptors and 200 timers, a scrape whose figures are read anew takes 2
    ms at most. On a busy machine it may be slower: the best of 20 is within 10 ms."""
    with Server("leaky") as server:
        server.leak("file-unclosed", count=600, bytes=8192)
        server.leak("ticker-many", count=2)
        connection = Connection(server)
        times = []
        for _ in range(20):
            time.sleep(REUSED_S)
            begin = time.monotonic()
            connection.get("/metrics")
            times.append(time.monotonic() - begin)
        print(f"# {min(times) * 1e6:.0f} us a scrape, at best")
        check(min(times) < 0.01, f"seconds a scrape: {sorted(times)}")


def test_request_is_plain():
    """Another method and any parameter are refused, on both ports."""
    for debug in (False, True):
        refused = leaky.post("/metrics", debug=debug)
        refused.error(405, "method_not_allowed")
        equal(refused.headers["allow"], "GET, HEAD", "Allow")
        for query in ("?x=1", "?name[]=process_threads"):
            leaky.get(f"/metrics{query}", debug=debug).error(400, "unknown_parameter")


@pytest.mark.slow
def test_what_is_not_counted_is_absent():
    """The build with the C library's allocator leaves out what it does not count, as
    the docs say, and shows no 0 instead."""
    starred = re.findall(
        r"^\| `([a-z_]+)` \|.* \* \|$", page_text("docs/monitoring.md"), re.MULTILINE
    )
    check(starred, "the docs mark nothing")
    directory = built("CC=gcc", "ALLOCATOR=libc")
    with Server("leaky", build=directory) as server:
        metrics = scrape(server)
        equal(sorted(metrics), sorted(set(NAMES) - set(starred)), "names")
        memory = server.status()["memory"]
        for name, path in SAME_AS_STATUS.items():
            if path[0] == "memory":
                equal(memory[path[1]] is None, name in starred, f"{name} is counted")
        check(metrics["leakprobe_heap_in_use_bytes"].value > 0, "in use")
