"""Who holds a block: small programs with known holders under leakprobe, and what
/debug/pprof/retained says of them. The programs' sources say what is expected."""

import os
import re
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from checks import check, equal, wait_until
from commands import run
from http_request import request
from programs import Program
from reach_sums import reach_sums
from retained import (
    FOLDER,
    PLACED,
    VARIANT,
    built,
    declared_at,
    expected_paths,
    paths_read,
    source_text,
)
from tree import scratch
from turns import in_turns

BUILDS = [("gcc", "-O0"), ("clang", "-O2"), ("gcc", "-O2"), ("clang", "-O0")]
ALLOCATES = re.compile(
    r"malloc|calloc|realloc|strdup|new |fopen|fputs|setenv|tsearch|hcreate|emplace_back"
    r"|push_back|prices\["
)
# Freed memory and that of malloc is filled, so that no old pointer is left in it.
ENVIRONMENT = {"MALLOC_PERTURB_": "165"}


class Cases:
    """A program that runs some cases and then waits."""

    def __init__(self, command, cases, env=None):
        reader, writer = os.pipe()
        try:
            self.program = Program(
                [*command, *cases],
                probe=(),
                stdin=reader,
                env=ENVIRONMENT | (env or {}),
            )
        finally:
            os.close(reader)
        self.input = os.fdopen(writer, "wb", buffering=0)
        self.done = len(cases)
        self.await_done()

    def await_done(self):
        said = self.program.output
        self.program.await_(
            lambda: said().count(b"\ndone ") + said().startswith(b"done ") == self.done,
            f"{self.done} cases",
        )

    def more(self, *cases):
        """Runs more cases."""
        self.input.write("".join(f"{case}\n" for case in cases).encode())
        self.done += len(cases)
        self.await_done()

    def told(self):
        """The addresses of blocks, by function."""
        blocks = {}
        for line in self.program.output().decode().splitlines():
            word, function, *rest = line.split()
            if word == "block":
                blocks.setdefault(function, set()).add(int(rest[0], 16))
        return blocks

    def memory(self, address, count):
        with open(f"/proc/{self.program.pid}/mem", "rb", buffering=0) as file:
            file.seek(address)
            return file.read(count)

    def get(self, target):
        """What the page answers. On a very busy machine it may want to be asked again."""
        port = self.program.debug_port()
        replies = []

        def answered():
            replies.append(request(port, "GET", target, limit=60))
            return replies[-1].status not in (409, 503)

        wait_until(answered, what=f"answer to {target}")
        return replies[-1].expect(200)

    def text(self):
        return self.get("/debug/pprof/retained?debug=1").text

    def __enter__(self):
        self.program.__enter__()
        return self

    def __exit__(self, *error):
        self.input.close()
        if error[0] is None:
            equal(self.program.end(sign=None), 0, "exit status")
        self.program.__exit__(*error)


def holder_checked(holder, wanted, sources):
    """The holder as the sources name it; its file and line must be right."""
    placed = PLACED.match(holder)
    if placed:
        name = placed[1].split(" ", 1)[1]
        source = os.path.basename(placed[2])
        check(source in sources, f"{holder} is in none of {sources}")
        equal(placed[2], f"{FOLDER}/{source}", f"file of {name}")
        # A member of a class is declared in the class, or where it is defined.
        word = rf"\b{re.escape(name.split('::')[-1])}\b"
        line = source_text(source).splitlines()[int(placed[3]) - 1]
        check(re.search(word, line), f"line of {holder}: {line}")
        if "::" not in name:
            equal(int(placed[3]), declared_at(source, name), f"line of {name}")
        return placed[1]
    check(not wanted.startswith(("global", "thread-local")), f"{holder} has no line")
    return re.sub(r"/tmp/retained-\w+ \(deleted\)", "FILE", holder)


def sums_of(paths, wanted, sources):
    """The sums of paths whose blocks the wanted functions have allocated, in the form of
    what is expected; `shared` only where that is expected."""
    leaves = {functions[0] for functions, _, _ in wanted}
    sums = {}
    for path in paths:
        names = tuple(name for name, _, _ in path.functions)
        if names[0] not in leaves:
            continue
        root = next((key[1] for key in wanted if key[0] == names), "")
        holder = holder_checked(path.holder, root, sources)
        shared = path.shared and (names, holder, True) in wanted
        objects, size = sums.get((names, holder, shared), (0, 0))
        sums[names, holder, shared] = (objects + path.objects, size + path.bytes)
    return sums


def check_paths(paths, expected, sources):
    """All paths from the functions of the cases are as expected."""
    for case, wanted in expected.items():
        got = sums_of(paths, wanted, sources)
        equal(set(got), set(wanted), f"paths of {case}")
        for key, amounts in wanted.items():
            for what, one, other in zip(("blocks", "bytes"), got[key], amounts):
                check(other in (None, one), f"{case}: {what} of {key}: {one}")
    makers = {name for wanted in expected.values() for key in wanted for name in key[0]}
    for path in paths:
        for name, file, line in path.functions:
            if name in makers and file.startswith(FOLDER):
                text = source_text(os.path.basename(file)).splitlines()[line - 1]
                check(
                    ALLOCATES.search(text), f"{name} allocates at {file}:{line}: {text}"
                )


def check_examples(running, paths):
    """Each path shows one of its blocks, as it is in the program's memory."""
    told = running.told()
    seen = 0
    for path in paths:
        where = told.get(path.functions[0][0].split("::")[-1])
        if where:
            seen += 1
            check(path.address in where, f"{path} is none of {where}")
            count = min(16, path.size)
            equal(path.first, running.memory(path.address, count), f"bytes of {path}")
    check(seen > 0, f"no block of {sorted(told)} is shown")


def check_sums(text, paths):
    """The line of sums has the sum of the paths, and they are in order."""
    own = sum(path.objects for path in paths), sum(path.bytes for path in paths)
    equal(own, reach_sums(text).retained, "the paths' sum")
    sizes = {}
    for path in paths:
        sizes[path.holder] = sizes.get(path.holder, 0) + path.bytes
    order = list(dict.fromkeys(path.holder for path in paths))
    equal([sizes[holder] for holder in order], sorted(sizes.values())[::-1], "order")


def raw_text(profile):
    """All of a profile.proto as text."""
    path = os.path.join(scratch(), "profile")
    with open(path, "wb") as file:
        file.write(profile)
    return run("go", "tool", "pprof", "-raw", path).stdout


def raw_samples(profile):
    """The samples of a profile.proto: {(functions and holder, shared): [objects, bytes]}."""
    text = raw_text(profile)
    rows, _, locations = text.partition("\nSamples:\n")[2].partition("\nLocations\n")
    names = {}
    for line in locations.partition("\nMappings\n")[0].splitlines():
        found = re.match(r" *(\d+): 0x[0-9a-f]+ (?:M=\d+ )?(.+) \S*:\d+ s=", line)
        if found:
            names[found[1]] = VARIANT.sub("", found[2])
    samples = {}
    lines = rows.splitlines()[1:] + [""]
    for line, after in zip(lines, lines[1:]):
        row = re.match(r" *(-?\d+) +(-?\d+): ([\d ]+)$", line)
        if row:
            stack = tuple(names.get(number) for number in row[3].split())
            key = (stack, "shared:[yes]" in after)
            sums = samples.setdefault(key, [0, 0])
            sums[0] += int(row[1])
            sums[1] += int(row[2])
    return samples


def check_proto(running, paths):
    """The profile.proto has the same samples as the text."""
    samples = {}
    for path in paths:
        names = tuple(name for name, _, _ in path.functions)
        sums = samples.setdefault(((*names, path.holder), path.shared), [0, 0])
        sums[0] += path.objects
        sums[1] += path.bytes
    reply = running.get("/debug/pprof/retained")
    got = raw_samples(reply.body)
    equal(set(got), set(samples), "stacks of the two forms")
    for key, sums in samples.items():
        equal(got[key], sums, f"blocks and bytes of {key}")


def check_program(command, source, sources=(), env=None, left_out=()):
    """Runs all cases of a program and compares what is said of them."""
    expected = expected_paths(source)
    for case in left_out:
        del expected[case]
    with Cases(command, expected, env) as running:
        text = running.text()
        paths = paths_read(text)
        check_sums(text, paths)
        check_paths(paths, expected, {source, *sources})
        check_examples(running, paths)
        check_proto(running, paths)
    return len(expected)


def check_libraries(compiler, level):
    """A library that is linked, and one that is opened later."""
    library = built(
        compiler, level, "store.c", "-shared", "-fPIC", target="libstore.so"
    )
    opened = built(compiler, level, "store.c", "-shared", "-fPIC", target="opened.so")
    program = built(
        compiler,
        level,
        "libraries.c",
        library,
        f"-Wl,-rpath,{os.path.dirname(library)}",
    )
    return check_program([program], "libraries.c", ["store.c"], env={"LIBRARY": opened})


def check_archive(compiler, level):
    """The library in the program itself."""
    store = built(compiler, level, "store.c", "-c", target="store.o")
    archive = os.path.join(scratch(), "libstore.a")
    run("ar", "rcs", archive, store)
    program = built(compiler, level, "libraries.c", archive, target="archive")
    left_out = ("opened", "opened_local")
    return check_program([program], "libraries.c", ["store.c"], left_out=left_out)


@pytest.mark.parametrize("build", in_turns("retained programs", BUILDS))
def test_paths_of_programs(build):
    """Each block of a program has the path that its source says."""
    compiler, level = build

    def plain(source):
        program = built(
            "clang++" if source.endswith(".cc") else compiler, level, source
        )
        return check_program([program], source)

    with ThreadPoolExecutor() as pool:
        jobs = [
            pool.submit(plain, source)
            for source in ("variables.c", "structures.c", "places.c", "objects.cc")
        ]
        jobs.append(pool.submit(check_libraries, compiler, level))
        jobs.append(pool.submit(check_archive, compiler, level))
        cases = sum(job.result() for job in jobs)
    check(cases >= 30, f"{cases} cases")


def test_what_holders_gained_meanwhile():
    """?seconds=N: what came, and what went, by holder."""
    program = built("gcc", "-O1", "variables.c")
    with Cases([program], ["global", "grows", "goes"]) as running:
        port = running.program.debug_port()
        with socket.create_connection(("127.0.0.1", port)) as asking:
            asking.settimeout(60)
            asking.sendall(
                b"GET /debug/pprof/retained?seconds=3 HTTP/1.1\r\n"
                b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n"
            )
            # The first of two questions has been asked when a later one is answered.
            running.text()
            running.more("grows", "goes")
            with asking.makefile("rb") as file:
                head, _, body = file.read().partition(b"\r\n\r\n")
        check(head.startswith(b"HTTP/1.1 200 "), f"{head}")
    reach_sums(raw_text(body))
    samples = {}
    for (stack, _), sums in raw_samples(body).items():
        if stack[-1].startswith("global"):
            before = samples.get(stack, (0, 0))
            samples[stack] = (before[0] + sums[0], before[1] + sums[1])
    samples = {stack: sums for stack, sums in samples.items() if any(sums)}
    line = {name: declared_at("variables.c", name) for name in ("growing", "gone")}
    place = f"({FOLDER}/variables.c:%d)"
    growing = f"global growing {place % line['growing']}"
    expected = {
        ("growing_fill", "growing_grow", growing): (3, 3000),
        ("growing_grow", growing): (0, 24),
        ("gone_fill", f"global gone {place % line['gone']}"): (-1, -777),
    }
    equal(samples, expected, "what came and went")


def test_go_tool_pprof_ranks_holders():
    """-top -cum has the holders by what they hold; -peek says who holds what a function
    has made."""
    program = built("gcc", "-O1", "structures.c")
    cases = expected_paths("structures.c")
    with Cases([program], cases) as running:
        paths = paths_read(running.text())
        profile = os.path.join(scratch(), "retained")
        with open(profile, "wb") as file:
            file.write(running.get("/debug/pprof/retained").body)
    pprof = ("go", "tool", "pprof", "-unit=b", "-nodefraction=0", "-edgefraction=0")
    top = run(*pprof, "-top", "-cum", profile).stdout
    rows = re.findall(r"^ .* (\d+)B +[\d.]+% +(global .+)$", top, re.M)
    held = {}
    for path in paths:
        if path.holder.startswith("global"):
            held[path.holder] = held.get(path.holder, 0) + path.bytes
    equal({name: int(size) for size, name in rows}, held, "bytes of the holders")
    ranks = [int(size) for size, _ in rows]
    equal(ranks, sorted(ranks)[::-1], "order of the holders")
    peek = run(*pprof, "-peek", "^(name_make|tree_make)$", profile).stdout
    callers = set(re.findall(r"^ +\d+B +100% \| +(.+)$", peek, re.M))
    tree = f"global tree ({FOLDER}/structures.c:{declared_at('structures.c', 'tree')})"
    check({"name_add", tree} <= callers, f"who holds what they made: {peek}")


def test_program_without_debug_information():
    """A variable's name is in the symbol table, its line is nowhere."""
    program = built("gcc", "-O1", "variables.c", "-g0", target="no-lines")
    with Cases([program], ["global", "function_static", "thread_local"]) as running:
        held = {
            path.functions[0][0]: path.holder for path in paths_read(running.text())
        }
    expected = {
        "shelf_fill": "global shelf",
        "pocket_fill": "global pocket",
        "desk_fill": "thread-local own_desk",
    }
    equal(held | expected, held, "holders")


def test_stripped_program():
    """Nothing has a name, and nothing gets that of something else."""
    program = built("gcc", "-O1", "variables.c", "-s", target="stripped")
    with Cases([program], ["global", "file_static", "thread_local"]) as running:
        paths = paths_read(running.text())
    made = [path for path in paths if path.size in (100, 150, 310)]
    equal(
        sorted((path.size, path.holder) for path in made),
        [
            (100, "global without a name"),
            (150, "global without a name"),
            (310, "thread-local without a name"),
        ],
        "holders",
    )
    for path in made:
        check(path.functions[0][0].startswith("stripped+0x"), f"{path}")


def test_names_with_anything_in_them():
    """A hostile symbol table: each name stays one line, and valid UTF-8."""
    program = built("gcc", "-O1", "variables.c", target="hostile")
    # Both names have as many bytes as those that they replace.
    with open(program, "rb") as file:
        image = file.read()
    check(image.count(b"\0shelf\0") > 0, "no name to replace")
    image = image.replace(b"\0shelf\0", b'\0a\n"\xff\x1b\0')
    image = image.replace(b"\0shelf_fill\0", b"\0s\nd: 1:\xc3((\0")
    with open(program, "wb") as file:
        file.write(image)
    with Cases([program], ["global"]) as running:
        paths = paths_read(running.text())
        samples = raw_samples(running.get("/debug/pprof/retained").body)
        running.get("/debug/pprof/heap?debug=1").body.decode()
    line = declared_at("variables.c", "shelf")
    holder = f'global a?"?? ({FOLDER}/variables.c:{line})'
    check(holder in {path.holder for path in paths}, f"holders in {paths}")
    check(("s?d: 1:?((", holder) in {key[0] for key in samples}, f"{samples}")


def test_bad_questions():
    """Each is refused, and says why."""
    program = built("gcc", "-O1", "variables.c", target="questions")
    with Cases([program], ["global"]) as running:
        port = running.program.debug_port()
        for query in (
            *("seconds=0", "seconds=-1", "seconds=abc", "seconds=61", "seconds="),
            *("seconds=99999999999999999999", "debug=2", "debug=-1", "lost=2"),
            *("unknown=1", "seconds=1&debug=1", "seconds=1&seconds=2"),
        ):
            reply = request(port, "GET", f"/debug/pprof/retained?{query}")
            equal(reply.status, 400, f"status of ?{query}")
        for method in ("POST", "PUT", "DELETE"):
            reply = request(port, method, "/debug/pprof/retained")
            equal(reply.status, 405, f"status of {method}")
        head = request(port, "HEAD", "/debug/pprof/retained?debug=1")
        equal((head.status, head.body), (200, b""), "HEAD")


# What struct linger is for a close that resets the connection.
RESET = struct.pack("ii", 1, 0)


@pytest.mark.parametrize("seconds, resets", ((60, True), (1, False)))
def test_nothing_is_left_when_client_goes_away(seconds, resets):
    """The client resets its connection between the two questions, or closes it, which is
    no sign that it does not read: others are answered meanwhile, and no process, thread
    or descriptor is left."""
    program = built("gcc", "-O1", "variables.c", target="away")
    with Cases([program], ["global"]) as running:
        pid, port = running.program.pid, running.program.debug_port()
        running.text()

        def left():
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                children = file.read().split()
            return children, *(
                len(os.listdir(f"/proc/{pid}/{name}")) for name in ("task", "fd")
            )

        _, threads, descriptors = before = left()
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port)) as asking:
                asking.sendall(
                    b"GET /debug/pprof/retained?seconds=%d HTTP/1.1\r\n"
                    b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n" % seconds
                )
                running.text()
                if resets:
                    asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

        def as_before():
            children, *counts = left()
            return (children, counts[0]) == ([], threads) and counts[1] <= descriptors

        wait_until(as_before, what=f"as before, {before}: {left()}")
        paths_read(running.text())
