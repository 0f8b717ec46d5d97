"""Profiles by URL: every command that reads one names the right function, and
file and line where it prints them, from the URL alone; the totals are the profiler's
own; and nothing that a client asks, asks for twice, or leaves unread does any harm."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from builds import built
from checks import check, equal, wait_until
from commands import run
from heap_profile import MIB, HeapProfile
from http_request import request
from servers import Server
from tree import BUILD, ROOT, scratch

HEAPS = ("/debug/pprof/heap", "/debug/pprof/allocs")
THREADS = ("/debug/pprof/goroutine", "/debug/pprof/threads")
PROFILES = HEAPS + THREADS
GIVEN = 5  # calls of each of the two scenarios whose functions the tools must name


@pytest.fixture(scope="module", autouse=True)
def started():
    """The server of the tests here: it runs from a copy of its program, which is then
    moved, so that no tool can find it. The tools run in a folder with nothing in it,
    and leave their files there too."""
    global folder, tools, server
    folder, programs = scratch(), scratch()
    tools = os.environ | {"HOME": folder, "PPROF_TMPDIR": folder, "BROWSER": "true"}
    tools |= {"PPROF_BINARY_PATH": folder}
    shutil.copy(os.path.join(BUILD, "leaky"), programs)
    with Server("leaky", "--max-heap", "1G", build=programs) as server:
        os.rename(server.program, server.program + ".away")
        server.leak("slice-prefix", count=GIVEN)
        server.leak("thread-wait", count=GIVEN)
        server.settle()
        yield


def line_of(path, words):
    """The number of the line of a source file that contains `words`."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as source:
        return next(n for n, line in enumerate(source, 1) if words in line)


HEAP_LINE = (
    f"leaky/slice_prefix.c:{line_of('leaky/slice_prefix.c', 'malloc(slice_array')}"
)
LIST = "order_read"  # what global-list allocates with
THREAD_LINE = (
    f"leaky/thread_wait.c:{line_of('leaky/thread_wait.c', 'channel_receive(')}"
)


def tool(*command, text=None, **options):
    """Runs a tool in the empty folder; `text` is typed into it."""
    done = subprocess.run(
        [str(part) for part in command],
        input=text or "",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        cwd=folder,
        env=tools,
        **options,
    )
    check(
        done.returncode == 0,
        f"{command}: {done.returncode} {done.stdout} {done.stderr}",
    )
    return done


def go(*arguments, text=None):
    return tool("go", "tool", "pprof", *arguments, text=text)


def row(report, function):
    """The figures in a line of a report of either pprof that ends with `function`."""
    for line in report.splitlines():
        if line.split() and line.split()[-1] == function:
            return line.split()
    raise AssertionError(f"no line for {function} in:\n{report}")


def megabytes(amount):
    """What Go's pprof writes as an amount; it chooses the unit by all that it shows."""
    number, unit = re.fullmatch(r"([\d.]+)([kMG]?)B", amount).groups()
    return round(float(number) / {"": MIB, "k": 1024, "M": 1, "G": 1 / 1024}[unit], 1)


def urls(path):
    return (server.url + path, server.debug_url + path)


def parse(body):
    """Lets go tool pprof read a profile: the types of its values, the samples as
    (stack, values), and the places as {number: (address, "function file:line")}."""
    path = os.path.join(folder, "parsed")
    with open(path, "wb") as file:
        file.write(body)
    text = go("-raw", path).stdout
    head, rest = text.split("\nSamples:\n")
    listed, rest = rest.split("\nLocations\n")
    types, *lines = listed.splitlines()
    samples = []
    for line in lines:
        values, found, stack = line.partition(": ")
        if found and re.fullmatch(r"[\s\d-]+", values):
            numbers = tuple(int(number) for number in stack.split())
            samples.append((numbers, tuple(int(value) for value in values.split())))
    places = {}
    for line in rest.split("\nMappings")[0].splitlines():
        # A place in the kernel's vdso has no name, and may have no mapping.
        found = re.match(r"\s*(\d+): 0x([0-9a-f]+)(?: M=\d+)? ?(.*)", line)
        if found:
            places[int(found[1])] = (int(found[2], 16), found[3])
    check(samples, f"no samples:\n{text[:500]}")
    return types.replace("[dflt]", "").split(), samples, places


HEAP_TYPES = ["alloc_objects/count", "alloc_space/bytes"]
HEAP_TYPES += ["inuse_objects/count", "inuse_space/bytes"]


# -- the commands, word for word -------------------------------------------------------


def test_go_tool_pprof_top_url_of_heap_function_and_size():
    """Go tool pprof -top URL of the heap: function and size, on both ports."""
    for url in urls("/debug/pprof/heap"):
        report = go("-top", url).stdout
        figures = row(report, "payload_read")
        equal(megabytes(figures[0]), 50, f"flat size in\n{report}")
    figures = row(go("-top", "-lines", url).stdout, HEAP_LINE)
    size = megabytes(figures[0])
    equal((size, figures[-2]), (50, "payload_read"), "size and function")


def test_go_tool_pprof_alloc_space_cum_svg_url_heap_svg():
    """Go tool pprof -alloc_space -cum -svg URL > heap.svg: a drawing."""
    url = server.url + "/debug/pprof/heap"
    drawn = go("-alloc_space", "-cum", "-svg", url).stdout
    check("</svg>" in drawn and "payload_read" in drawn, drawn[:500])


def test_go_tool_pprof_http_port_url_browser_pages():
    """Go tool pprof -http=:PORT URL: the browser's pages."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            "go",
            "tool",
            "pprof",
            f"-http=:{port}",
            server.debug_url + "/debug/pprof/heap",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=tools,
        start_new_session=True,  # `go` starts pprof: both are ended by their group
    )

    def page(path):
        try:
            return request(port, "GET", path).expect(200).text
        except ConnectionError:
            return None

    try:
        top = wait_until(lambda: page("/ui/top"), what="pprof's page")
        check("payload_read" in top, "payload_read is not on the page /ui/top")
        check(
            "payload_read" in page("/ui/flamegraph"),
            "no payload_read in the flame graph",
        )
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
@pytest.mark.alone
def test_go_tool_pprof_seconds_5_url():
    """Go tool pprof -seconds 5 URL: only what changed meanwhile."""
    timer = threading.Timer(2, lambda: server.leak("global-list", bytes=4 * MIB))
    timer.start()
    report = go("-seconds", "5", server.url + "/debug/pprof/heap", text="top\n").stdout
    timer.join()
    equal(megabytes(row(report, LIST)[0]), 4, report)
    check("GetHeapProfile" not in report, f"the profiler's own memory:\n{report}")
    check("payload_read" not in report, f"what is older is in it:\n{report}")


def test_go_tool_pprof_diff_base_base_url():
    """Go tool pprof -diff_base BASE URL: what changed since the base."""
    url = server.url + "/debug/pprof/heap"
    base = os.path.join(folder, "base.pb.gz")
    with open(base, "wb") as file:
        file.write(server.get("/debug/pprof/heap").expect(200).body)
    server.leak("global-list", bytes=4 * MIB)
    report = go("-diff_base", "base.pb.gz", url, text="top\n").stdout
    equal(megabytes(row(report, LIST)[0]), 4, report)
    check("payload_read" not in report, f"what is older is in it:\n{report}")


def test_go_tool_pprof_top_url_of_threads_where_they_are_stuck():
    """Go tool pprof -top URL of the threads: where they are stuck."""
    for path in THREADS:
        report = go("-top", server.url + path).stdout
        equal(row(report, "order_await_payment")[3], str(GIVEN), report)
    report = go("-top", "-lines", server.url + path).stdout
    figures = row(report, THREAD_LINE)
    equal((figures[3], figures[-2]), (str(GIVEN), "order_await_payment"), report)


def test_curl_of_heap_debug_1_function():
    """Curl of heap?debug=1: function, file and line of every frame."""
    for url in urls("/debug/pprof/heap?debug=1"):
        text = tool("curl", "-s", url).stdout
        HeapProfile(text)
        pattern = rf"^#\t0x[0-9a-f]+\tpayload_read\+0x[0-9a-f]+\t{HEAP_LINE}$"
        check(
            re.search(pattern, text, re.MULTILINE), f"no {HEAP_LINE} in:\n{text[:2000]}"
        )


def test_curl_of_goroutine_debug_1_grouped_most_numerous_first():
    """Curl of goroutine?debug=1: grouped, most numerous first, symbolised."""
    for url in urls("/debug/pprof/goroutine?debug=1"):
        text = tool("curl", "-s", url).stdout
        head, *groups = text.split("\n\n")
        first, *stack = head.splitlines()
        total = int(re.fullmatch(r"threads profile: total (\d+)", first)[1])
        blocks = ["\n".join(stack)] + [block for block in groups if " @ 0x" in block]
        counts = [int(block.split(" @")[0]) for block in blocks]
        equal(counts, sorted(counts, reverse=True), "the counts")
        equal(sum(counts), total, "the sum of the counts")
        block = next(block for block in blocks if "order_await_payment" in block)
        check(block.startswith(f"{GIVEN} @"), block)
        check(f"\t{THREAD_LINE}\n" in block, f"no {THREAD_LINE} in\n{block}")


def test_goroutine_debug_2_each_thread_with_name():
    """Goroutine?debug=2: each thread with name, state and time."""
    for path in THREADS:
        text = server.get(path + "?debug=2", debug=True).expect(200).text
        blocks = [
            block for block in text.split("\n\n") if "order_await_payment" in block
        ]
        equal(len(blocks), GIVEN, "threads that wait for a payment")
        for block in blocks:
            head = r'thread \d+ "order" \[sleeping, at least [\d.]+ s\]:\n'
            check(re.match(head, block), block)
            check(THREAD_LINE in block, block)


def google_pprof(*arguments, **options):
    if not shutil.which("google-pprof"):
        pytest.skip("this Debian has no google-pprof")
    return run("google-pprof", *arguments, env=tools, **options).stdout


def test_google_pprof_text_program_dump_and_with_base():
    """Google-pprof --text PROGRAM DUMP, and with --base."""
    with Server("leaky") as other:
        other.leak("slice-prefix")
        os.symlink(BUILD, os.path.join(other.directory, "build"))
        other.dump()
        other.leak("slice-prefix", count=3)
        other.dump()

        def report(*options):
            command = ("--text", *options, "build/leaky", "profiles/leaky.0002.heap")
            return google_pprof(*command, cwd=other.directory)

        equal(row(report(), "payload_read")[0], "40.0", "MB in use")
        base = "--base=profiles/leaky.0001.heap"
        equal(row(report(base), "payload_read")[0], "30.0", "MB more than in the base")


def test_google_pprof_text_url_gperftools_own_protocol():
    """Google-pprof --text URL: gperftools' own protocol."""
    for url in urls("/pprof/heap"):
        report = google_pprof("--text", url, cwd=folder)
        equal(row(report, "payload_read")[0], "50.0", "MB")


# -- the forms -------------------------------------------------------------------------


# A request itself allocates, so two profiles are never quite of one moment, and what is
# in use may be less in the later one. What was ever allocated only rises, and so does
# what was ever freed: of each stack, both lie between the profiles before and after.
def test_profile_proto_has_figures_of_gperftools_text_to_byte():
    """Profile.proto has the figures of gperftools' text, to the byte."""
    for path in HEAPS:
        before = counts_of(server.get("/pprof/heap").expect(200).text)
        body = server.get(path).expect(200).body
        after = counts_of(server.get("/pprof/heap").expect(200).text)
        types, samples, places = parse(body)
        equal(types, HEAP_TYPES, "types of the values")
        found = {}
        for stack, values in samples:
            key = tuple(places[number][0] + 1 for number in stack)
            equal(key in found, False, f"the stack {key} is there twice")
            found[key] = values
        same = {stack for stack in before if after.get(stack) == before[stack]}
        check(len(same) > 20 and len(same) > len(before) // 2, f"only {len(same)} rest")
        equal(outside(before, found), {}, f"{path} has less than was there before")
        equal(outside(found, after), {}, f"{path} has more than was there after")


def outside(earlier, later):
    """The stacks of which the later profile says that less was allocated, or less was
    freed, than the earlier one; with the counts of both."""

    def risen(values):
        objects, size, objects_used, size_used = values
        return (objects, size, objects - objects_used, size - size_used)

    wrong = {}
    for stack in earlier:
        pair = [each.get(stack, (0, 0, 0, 0)) for each in (earlier, later)]
        if any(a > b for a, b in zip(*map(risen, pair))):
            wrong[stack] = pair
    return wrong


def counts_of(text):
    """gperftools' text as {stack: (alloc objects, alloc bytes, in-use objects,
    bytes)}."""
    counts = {}
    for line in text.splitlines()[1:]:
        found = HeapProfile.ROW.match(line)
        if found is None:
            break
        stack = tuple(int(address, 16) for address in found[5].split())
        values = (int(found[3]), int(found[4]), int(found[1]), int(found[2]))
        old = counts.get(stack, (0, 0, 0, 0))
        counts[stack] = tuple(map(sum, zip(old, values)))
    return counts


def test_four_values():
    """The four values, mappings and a build id are in profile.proto; allocs shows
    alloc_space."""
    for path in HEAPS:
        reply = server.get(path).expect(200)
        equal(reply.headers["content-type"], "application/octet-stream", "type")
        raw = go("-raw", saved(reply.body)).stdout
        check(
            re.search(r"^1: 0x[0-9a-f]+/0x[0-9a-f]+/0x[0-9a-f]+ ", raw, re.M),
            raw[-500:],
        )
        shown = "alloc_space" if path.endswith("allocs") else "inuse_space"
        check(
            f"Type: {shown}" in go("-top", saved(reply.body)).stdout, f"{path}: {shown}"
        )


def saved(body):
    path = os.path.join(folder, "saved")
    with open(path, "wb") as file:
        file.write(body)
    return path


def test_heap_gc_1_gives_free_memory_back_first():
    """Heap?gc=1 gives free memory back first."""
    server.leak("buffer-churn", bytes=16 * MIB)
    free = server.status()["memory"]["heap_free_bytes"]
    check(free >= 16 * MIB, f"only {free} bytes were free before")
    server.get("/debug/pprof/heap?gc=1").expect(200)
    time.sleep(0.02)  # figures are reused for 10 ms
    left = server.status()["memory"]["heap_free_bytes"]
    check(left < free / 4, f"{free} bytes were free, and then still {left}")


@pytest.mark.slow
@pytest.mark.alone
def test_difference_over_seconds_shows_what_changed():
    """A difference over seconds shows what changed, on both ports."""

    def leak():
        time.sleep(0.3)
        server.leak("global-list", bytes=3 * MIB)

    for path in HEAPS:
        thread = threading.Thread(target=leak)
        thread.start()
        reply = server.get(path + "?seconds=1", debug=True).expect(200)
        thread.join()
        _, samples, places = parse(reply.body)
        grown = [v for s, v in samples if LIST in places[s[0]][1]]
        equal(grown, [(1, 3 * MIB, 1, 3 * MIB)], "what global-list allocated")
        held = [v[3] for s, v in samples if "GetHeapProfile" in places[s[0]][1]]
        check(not any(held), f"the profiler's own memory counts as growth: {held}")
        check(
            not any("payload_read" in places[s[0]][1] for s, v in samples if any(v)),
            "old",
        )


def test_symbol_get_head_and_post():
    """Symbol: GET, HEAD and POST; names of many addresses at once."""
    text = server.get("/debug/pprof/heap?debug=1").text
    address = int(re.search(r"#\t0x([0-9a-f]+)\tpayload_read\+", text)[1], 16) - 1
    for path in ("/debug/pprof/symbol", "/pprof/symbol"):
        for debug in (False, True):
            equal(server.get(path, debug).expect(200).text, "num_symbols: 1\n", "GET")
            port = server.debug_port if debug else server.port
            equal(request(port, "HEAD", path).expect(200).body, b"", "HEAD")
            reply = server.post(path, f"{address:#x}+0x1".encode(), debug).expect(200)
            equal(reply.text, f"num_symbols: 1\n{address:#x}\tpayload_read\n", "POST")
        got = server.get(f"{path}?{address:#x}").expect(200).text
        check(f"{address:#x}\tpayload_read\n" in got, got)
        many = "+".join([f"{address:#x}"] * 4000).encode()
        equal(
            server.post(path, many).expect(200).text.count("payload_read"),
            4000,
            "names",
        )


def test_symbol_no_address_10_000_garbage_and_more_than_cap():
    """Symbol: no address, 10,000, garbage, and more than the cap."""
    path = "/debug/pprof/symbol"
    equal(server.post(path, b"").expect(200).text, "num_symbols: 1\n", "none")
    short = b"+".join(b"%x" % number for number in range(10000))
    equal(
        server.post(path, short).expect(200).text, "num_symbols: 1\n", "10,000 unknown"
    )
    for garbage in (b"+++", b"0x", b"zz+-1+0x" + b"f" * 60, b"\0\xff%41&=", b"0x1 0x2"):
        equal(
            server.post(path, garbage).expect(200).text,
            "num_symbols: 1\n",
            repr(garbage),
        )
    server.post(path, b"+".join([b"0x7f0123456789"] * 10000)).error(413)
    equal(server.get("/healthz").expect(200).text.strip(), "ok", "healthz after it")


def test_cmdline_arguments_on_both_paths_and_ports():
    """Cmdline: the arguments, on both paths and ports."""
    with open(f"/proc/{server.pid}/cmdline", "rb") as file:
        expected = file.read().rstrip(b"\0")
    for path in ("/debug/pprof/cmdline", "/pprof/cmdline"):
        for debug in (False, True):
            equal(server.get(path, debug).expect(200).body, expected, path)


def test_index_page_names_every_profile_and_links_only_to_what():
    """The index page names every profile, and links to what is there, or says why not."""
    for debug in (False, True):
        reply = server.get("/debug/pprof/", debug).expect(200)
        check(reply.headers["content-type"].startswith("text/html"), str(reply.headers))
        links = re.findall(r'href="([^"]+)"', reply.text)
        for name in ("heap", "allocs", "goroutine", "threads", "cmdline", "symbol"):
            check(any(f"/debug/pprof/{name}" in link for link in links), f"no {name}")
        for link in links:
            if re.search("/(lost|retained)[?]", link):
                check("its page says why" in reply.text, link)
                server.get(link, debug).error(501)
            else:
                server.get(link, debug).expect(200)


# -- bad input, and bad moments --------------------------------------------------------


def test_wrong_parameters_are_refused_seconds_debug_gc():
    """Wrong parameters are refused: seconds, debug, gc, and unknown ones."""
    for path in HEAPS:
        for query in ("seconds=0", "seconds=61", "seconds=x", "seconds=", "seconds=-1"):
            server.get(f"{path}?{query}").error(400)
        for query in ("debug=2", "debug=x", "gc=2", "x=1", "seconds=1&seconds=1"):
            server.get(f"{path}?{query}").error(400)
        server.get(f"{path}?seconds=1&debug=1").error(400)
    for path in THREADS:
        for query in ("debug=3", "debug=x", "seconds=1", "gc=1"):
            server.get(f"{path}?{query}").error(400)
    for path in PROFILES:
        equal(server.post(path).error(405) and True, True, "POST is refused")


def busy():
    """Whether a difference is being taken: asks for one second, 200 or 409."""
    reply = server.get("/debug/pprof/heap?seconds=1", debug=True)
    if reply.status == 200:
        return False
    reply.error(409, "profile_busy")
    return True


@pytest.mark.slow
@pytest.mark.alone
def test_second_difference_meanwhile_is_409():
    """A second difference meanwhile is 409; other profiles are not held up."""
    replies = []
    slow = threading.Thread(
        target=lambda: replies.append(server.get("/debug/pprof/heap?seconds=4"))
    )
    slow.start()
    time.sleep(0.3)
    check(busy(), "a second difference is being taken")
    started = time.monotonic()
    for path in PROFILES:
        server.get(path).expect(200)
    took = time.monotonic() - started
    check(took < 3 and slow.is_alive(), f"other profiles took {took:.1f} s meanwhile")
    slow.join()
    parse(replies[0].expect(200).body)
    check(not busy(), "the slot is not free after the difference")


@pytest.mark.slow
@pytest.mark.alone
def test_client_that_goes_away_server_is_well():
    """A client that goes away: the server is well, and the slot is free again."""
    before = server.settle()
    started = time.monotonic()
    for path in (
        "/debug/pprof/heap?seconds=3",
        *PROFILES,
        "/debug/pprof/threads?debug=2",
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as gone:
            gone.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            # Closed with a reset, and unread.
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            time.sleep(0.1)
    equal(server.get("/healthz").expect(200).text.strip(), "ok", "healthz")
    wait_until(lambda: not busy(), 10, "a free slot")
    took = time.monotonic() - started
    check(took < 3 + 1 + 2, f"the slot was free after {took:.1f} s")
    server.settle(wanted=lambda sample: sample["fds"] <= before["fds"])


@pytest.mark.slow
def test_at_heap_ceiling_every_profile_answers():
    """At the heap ceiling every profile answers."""
    with Server("leaky", "--max-heap", "64M") as full:
        wait_until(lambda: refused(full, "global-list", "heap_limit", bytes="1M"))
        wait_until(lambda: refused(full, "global-list", "heap_limit", bytes="4K"))
        bodies = profiles_answer(full)
        size = full.heap().bytes
        check(size > 56 * MIB, f"the heap is not full: {size}")
    for body in bodies:
        parse(body)


def test_with_all_descriptors_used_up_every_profile_answers():
    """With all descriptors used up every profile answers."""
    with Server("leaky", "--max-fds", "100") as full:
        wait_until(lambda: refused(full, "file-unclosed", "fd_limit", bytes="8K"))
        # Clients that only hold connections take descriptors beyond the rail.
        silent = [socket.create_connection(("127.0.0.1", full.port)) for _ in range(16)]
        wait_until(lambda: full.sample()["fds"] > 100, what="descriptors in use")
        bodies = profiles_answer(full)
        check(full.sample()["fds"] > 100, "descriptors were given back meanwhile")
        for connection in silent:
            connection.close()
    for body in bodies:
        parse(body)


def refused(full, scenario, code, **parameters):
    """Runs a scenario; whether a guard rail refused it."""
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    reply = full.get(f"/leak/{scenario}?id=t&{query}")
    if reply.status == 200:
        return False
    reply.error(503, code)
    return True


def profiles_answer(full):
    """Takes every profile on both ports; returns those in profile.proto."""
    bodies = []
    for debug in (False, True):
        for path in PROFILES:
            bodies.append(full.get(path, debug).expect(200).body)
            full.get(path + "?debug=1", debug).expect(200)
        full.get("/debug/pprof/threads?debug=2", debug).expect(200)
        bodies.append(full.get("/debug/pprof/heap?seconds=1", debug).expect(200).body)
        HeapProfile(full.get("/pprof/heap", debug).expect(200).text)
        full.post("/debug/heap/dump?reason=full", debug=debug).expect(200)
    return bodies


@pytest.mark.slow
def test_build_without_gperftools_no_heap_profile_501():
    """A build without gperftools: no heap profile (501), but threads."""
    build = built("CC=gcc", "ALLOCATOR=libc")
    with Server("leaky", build=build) as plain:
        plain.leak("thread-wait")
        waits = "/debug/pprof/threads?debug=1"
        wait_until(lambda: THREAD_LINE in plain.get(waits).text, what="a thread waits")
        for path in (*HEAPS, "/pprof/heap"):
            plain.get(path).error(501, "profile_off")
        plain.post("/debug/heap/dump?reason=x").error(501, "profile_off")
        for path in THREADS:
            types, samples, places = parse(plain.get(path).expect(200).body)
            waiting = [
                v for s, v in samples if any(THREAD_LINE in places[n][1] for n in s)
            ]
            equal(waiting, [(1,)], "threads that wait")
            plain.get(path + "?debug=2").expect(200)


def test_profile_off_no_heap_profile_501_but_threads():
    """--profile off: no heap profile (501), but threads."""
    with Server("leaky", "--profile", "off") as plain:
        for path in (*HEAPS, "/pprof/heap"):
            plain.get(path).error(501, "profile_off")
        for path in THREADS:
            parse(plain.get(path).expect(200).body)


# -- all at once -----------------------------------------------------------------------


class Stress:
    """Clients that allocate and clients that take profiles, at the same time."""

    def __init__(self, target, seconds):
        self.target = target
        self.end = time.monotonic() + seconds
        self.directory = scratch()
        self.failures = []
        self.calls = 0
        self.profiles = [0] * 50  # of each client
        self.lock = threading.Lock()

    def repeat(self, step):
        def loop(number):
            turn = 0
            while time.monotonic() < self.end and not self.failures:
                try:
                    step(number, turn)
                except Exception as error:
                    self.failures.append(f"{step.__name__} {number}: {error!r}")
                turn += 1

        return loop

    def allocate(self, _number, _turn):
        self.target.leak("buffer-churn", count=20, bytes="4K")
        with self.lock:
            self.calls += 1

    def profile(self, number, turn):
        path = PROFILES[(number + turn) % len(PROFILES)]
        reply = self.target.get(path, debug=number % 2 == 1).expect(200)
        kind = "heap" if path in HEAPS else path.rsplit("/", 1)[1]
        name = os.path.join(self.directory, f"{kind}.{number}.{turn}")
        with open(name, "wb") as file:
            file.write(reply.body)
        self.profiles[number] += 1

    def run(self):
        works = [(self.repeat(self.allocate), i) for i in range(4)]
        works += [(self.repeat(self.profile), i) for i in range(50)]
        threads = [threading.Thread(target=w, args=(i,), daemon=True) for w, i in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.1, self.end + 30 - time.monotonic()))
            check(not thread.is_alive(), "a client still waits 30 s after the end")
        equal(self.failures, [], "failures")

    def parse_all(self):
        """Has go tool pprof read every reply, a hundred at a time."""
        names = sorted(os.listdir(self.directory))
        for kind in ("heap", "goroutine", "threads"):
            files = [name for name in names if name.startswith(kind + ".")]
            check(files, f"no profile of {kind}")
            for i in range(0, len(files), 100):
                part = [
                    os.path.join(self.directory, name) for name in files[i : i + 100]
                ]
                done = go("-top", "-nodecount=1", *part)
                wrong = [
                    s for s in done.stderr.splitlines() if "Saved profile" not in s
                ]
                equal(wrong, [], "what go tool pprof complains of")


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(600)
def test_50_parallel_profiles_while_4_clients_allocate(request):
    """50 parallel profiles while 4 clients allocate: no deadlock, and every reply
    parses."""
    with Server("leaky") as busy_server:
        seconds = 120 if request.config.option.long else 5
        stress = Stress(busy_server, seconds)
        stress.run()
        profiles = sum(stress.profiles)
        took = f"{profiles} profiles, {stress.calls} calls in {seconds} s"
        print(f"# {took}", flush=True)
        check(profiles >= 50 and stress.calls >= 4, took)
        # On each port they wait for the same things, so none may be left behind.
        for port in (stress.profiles[::2], stress.profiles[1::2]):
            check(min(port) + 2 >= max(port) / 3, f"profiles of each client: {port}")
        equal(busy_server.get("/healthz").expect(200).text.strip(), "ok", "healthz")
        stress.parse_all()
