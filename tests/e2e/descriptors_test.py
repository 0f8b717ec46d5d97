"""/debug/pprof/fds: every descriptor is blamed on the function that got it, in whatever
way, with the right kind; closed ones are forgotten; what was made unseen is not blamed
on anybody; and the sum is always the kernel's."""

import collections
import os
import re
import time

import pytest

from checks import check, equal, wait_until
from judged import jemalloc_path
from programs import Program, compiled
from servers import Server
from tree import scratch
from turns import in_turns

# What needs privileges, or an option of the kernel.
OPTIONAL = {
    "way_fanotify_init",
    "way_fsopen",
    "way_fspick",
    "way_open_by_handle_at",
    "way_open_tree",
    "way_pidfd_getfd",
    "way_syscall_fsopen",
    "way_syscall_io_uring_setup",
    "way_syscall_memfd_secret",
    "way_syscall_perf_event_open",
    "way_syscall_userfaultfd",
}
OWN_FROM = 960  # the probe's numbers, with a limit of 1024 or more
HEAD = re.compile(r"(-?\d+) @ ")
KIND = re.compile(r'# labels: \{"kind":"([^"]+)"\}')
FRAME = re.compile(r"#\t0x[0-9a-f]+\t([^\t]+)\+0x[0-9a-f]+\t")
EXAMPLE = re.compile(r"#\t(\d+) (.*?)(?:, open for ([\d.]+) s)?$")
LISTS = re.compile(
    r"# the kernel lists (\d+) \(limit (\d+)\); "
    r"(\d+) made unseen, (\d+) the probe's own"
)

Fd = collections.namedtuple("Fd", "kind functions open_on age")


class Fds:
    """The profile as text: each descriptor by its number. `functions` are those of its
    stack, innermost first; without a stack, what stands in its place."""

    def __init__(self, text):
        blocks = text.split("\n\n")
        head = blocks[0].splitlines()
        self.total = int(re.fullmatch(r"fds profile: total (-?\d+)", head[0])[1])
        self.remark = head[1]
        lists = LISTS.fullmatch(head[1])
        check(lists, f"remark: {head[1]}")
        self.listed, self.limit, self.unseen, self.own = map(int, lists.groups())
        self.by_number, self.counts = {}, collections.Counter()
        for block in blocks[1:]:
            if block.strip():
                self._read(block.splitlines())
        equal(sum(self.counts.values()), self.total, "sum of the groups")

    def _read(self, rows):
        count = int(HEAD.match(rows[0])[1])
        kind = KIND.fullmatch(rows[1])[1]
        functions = tuple(FRAME.match(row)[1] for row in rows if FRAME.match(row))
        self.counts[functions or rows[2].removeprefix("#\t")] += count
        for row in rows[2:]:
            example = EXAMPLE.fullmatch(row)
            if example and not FRAME.match(row) and not row.startswith("#\tand "):
                age = example[3] and float(example[3])
                made = functions or (rows[2].removeprefix("#\t"),)
                self.by_number[int(example[1])] = Fd(kind, made, example[2], age)

    def by(self, function):
        """How many a function has made, directly."""
        return sum(
            count for made, count in self.counts.items() if made[0] == function
        )


def fds(program, query="", **options):
    return Fds(program.get(f"/debug/pprof/fds?debug=1{query}", **options).text)


def alike_outside(program, profile):
    """Checks that it has what is listed from outside, without the probe's own: those
    have high numbers."""
    numbers = map(int, os.listdir(f"/proc/{program.pid}/fd"))
    outside = sum(number < OWN_FROM for number in numbers)
    equal(profile.total - profile.own, outside, "descriptors of the program")
    equal(profile.total, profile.listed, "what the kernel lists")


class Opener(Program):
    """A program of tests/programs that says what it has done, line by line, and that
    waits for lines."""

    def __init__(self, name, *arguments, probe=("--heap", "off"), **options):
        reader, self._writer = os.pipe()
        command = [name if name[0] == "/" else compiled(name), *arguments]
        super().__init__(command, probe=probe, stdin=reader, **options)
        os.close(reader)

    def said(self, word):
        """Waits until it has said this; returns all that it has said."""
        lines = f"\n{self.await_(lambda: self._has(word), word)}"
        return lines[1:].splitlines()

    def _has(self, word):
        text = self.output().decode()
        return text if f"\n{word}\n" in f"\n{text}" else None

    def go_on(self, word):
        os.write(self._writer, b"\n")
        return self.said(word)

    def finish(self, status=0):
        os.close(self._writer)
        self._writer = os.open(os.devnull, os.O_WRONLY)
        equal(self.end(sign=None), status, f"exit status: {self.errors()}")

    def __exit__(self, *_):
        os.close(self._writer)
        super().__exit__()


# -- every way -------------------------------------------------------------------------


def check_ways(program):
    """What the profile says of every descriptor that the program says it has; returns
    their numbers."""
    told = [line.split(" ", 2) for line in program.said("ready") if line != "ready"]
    missing = {name for name, number, _ in told if number == "-"}
    check(missing <= OPTIONAL, f"not opened: {sorted(missing - OPTIONAL)}")
    check(len(told) > 80, f"only {len(told)} ways")
    profile = fds(program)
    alike_outside(program, profile)
    wrong = []
    for name, number, kind in told:
        found = profile.by_number.get(int(number)) if number != "-" else None
        if number == "-" or found and (found.functions[0], found.kind) == (name, kind):
            continue
        wrong.append(f"{name} opened {number}, a {kind}: {found}")
    check(not wrong, "\n".join(wrong))
    return [int(number) for _, number, _ in told if number != "-"]


def check_closed(program, numbers):
    program.go_on("closed")
    profile = fds(program)
    left = {number: profile.by_number.get(number) for number in numbers}
    left = {number: found for number, found in left.items() if found}
    check(not left, f"still there: {left}")
    alike_outside(program, profile)


@pytest.mark.parametrize("heap", ("off", "exact"))
def test_every_way_is_blamed_on_its_function(heap):
    """And everything that is closed is forgotten, however it was closed."""
    with Opener("descriptors.c", scratch(), probe=("--heap", heap)) as program:
        check_closed(program, check_ways(program))
        program.finish(4)


def test_functions_in_front_are_not_in_the_stacks_of_the_heap():
    """What the C library allocates for a stream is blamed on the program: the probe's
    function that was called in between is left out."""
    with Opener("descriptors.c", scratch(), probe=("--heap", "exact")) as program:
        program.said("ready")
        heap = program.get("/debug/pprof/heap?debug=1").text
        check("\tway_fopen+" in heap, heap)
        check("probe/calls/" not in heap, heap)


@pytest.mark.parametrize(
    "allocator", in_turns("descriptors allocators", ("jemalloc", "tcmalloc"))
)
def test_every_way_over_another_allocator(allocator):
    """Which opens files itself, before anything else is there."""
    path = jemalloc_path() if allocator == "jemalloc" else "libtcmalloc.so.4"
    with Opener(
        "descriptors.c", scratch(), probe=("--heap", "exact"), env={"LD_PRELOAD": path}
    ) as program:
        check_closed(program, check_ways(program))


# -- numbers that are used again, other processes, signal handlers ---------------------


def check_told(profile, lines):
    """Lines "NAME NUMBER": who opened which; or it is closed, or was made unseen."""
    for line in lines:
        name, _, number = line.rpartition(" ")
        if not number.isdigit():
            continue
        found = profile.by_number.get(int(number))
        maker = found.functions[0] if found else "closed"
        equal(maker, name, f"who opened {number}, in {profile.by_number}")


def edges(*arguments, **options):
    return Opener("descriptor_edges.c", *arguments, **options)


def test_numbers_that_are_used_again():
    """Whatever fails changes nothing, and what takes a place is blamed on who put it
    there."""
    with edges("over") as program:
        lines = program.said("ready")
        profile = fds(program)
        check_told(profile, lines)
        alike_outside(program, profile)
        equal(profile.by("put_over"), 1, "descriptors of put_over")


def test_a_note_is_not_believed_against_the_kernel():
    """A number that was closed and opened again unseen is another kind, or, from the
    second profile on, another file. What has it next, seen, is blamed again."""
    with edges("stale") as program:
        lines = program.said("ready")
        check_told(fds(program), lines)
        # A note is compared with what the last profile saw once its tick is over.
        wait_until(
            lambda: next(
                (fd.age or 0) > 0.1
                for fd in fds(program).by_number.values()
                if fd.functions[0] == "open_file"
            ),
            what="age of a descriptor",
        )
        for word in ("again", "seen"):
            lines = program.go_on(word)
            check_told(fds(program), lines[-2:])


def test_a_forked_child_has_copies():
    """With who opened them; from then on each has its own."""
    with edges("fork") as program:
        lines = program.said("child ready")
        child = wait_until(
            lambda: [pid for _, pid, _ in program.announced() if pid != program.pid],
            what="debug port of the child",
        )[0]
        profile = Fds(program.get("/debug/pprof/fds?debug=1", child).text)
        check_told(profile, lines[:-1])
        lines = program.go_on("ready")
        check_told(fds(program), lines[lines.index("child ready") + 1 :])
        equal(fds(program).by("open_in_child"), 0, "the child's, in the parent")


@pytest.mark.parametrize("how", ("vfork", "_Fork", "clone", "thread"))
def test_what_others_do_with_their_own(how):
    """A child of vfork, a child without the handlers of fork, and a thread with a table
    of its own: they close and open what they like."""
    with edges("apart", how) as program:
        lines = program.said("ready")
        profile = fds(program)
        check_told(profile, lines)
        equal(profile.by("open_in_child"), 0, "those of the other table")
        alike_outside(program, profile)


@pytest.mark.parametrize(
    "how", ("left", "ranged", "moved", "inner", "main", "memory", "refused")
)
def test_threads_and_children_with_tables_of_their_own(how):
    """Listed are the main thread's descriptors, all of them, each with who opened it:
    what is done with another table changes nothing, and neither does a call that
    fails."""
    with Opener("descriptor_tables.c", how) as program:
        lines = program.said("ready")
        profile = fds(program)
        check_told(profile, lines)
        equal(profile.by("open_elsewhere"), 0, "those of the other table")
        if how == "moved":
            # Its own are in both tables, and some are closed in one of them.
            listed = len(os.listdir(f"/proc/{program.pid}/fd"))
            equal(profile.total, listed, "descriptors")
        else:
            alike_outside(program, profile)


def test_signal_handlers_that_open_and_close():
    """Nothing is lost but what a handler opens in the middle of a note: that was made
    unseen."""
    with edges("handler") as program:
        lines = program.said("ready")
        kept = int(lines[-2].split()[1])
        profile = fds(program)
        alike_outside(program, profile)
        unseen = sum(
            fd.open_on == "/etc/hostname" and fd.functions[0] == "made unseen"
            for fd in profile.by_number.values()
        )
        equal(profile.by("open_in_handler") + unseen, kept, "opened in the handler")
        check(unseen <= kept / 4, f"{unseen} of {kept} unseen")
        equal(profile.by("open_file") + profile.by("open_socket"), 0, "left over")


def test_older_leaves_out_the_young():
    """And keeps those whose age nobody knows."""
    with edges("ages") as program:
        program.said("old")
        wait_until(
            lambda: fds(program, "&older=1").by("open_file") == 1,
            what="a descriptor of a second",
        )
        program.go_on("young")
        whole, older = fds(program), fds(program, "&older=1")
        equal((whole.by("open_file"), whole.by("open_other")), (1, 1), "all")
        equal((older.by("open_file"), older.by("open_other")), (1, 0), "older")
        check(older.counts["made unseen"] > 0, f"older: {older.counts}")
        equal(older.listed, whole.listed, "what the kernel lists")


# -- close to the limit ----------------------------------------------------------------

ALARM = re.compile(
    r"(\d+) of (\d+) descriptors are open; most \((\d+)\) were opened by open_file "
    r"\S*descriptor_edges\.c:(\d+) \(see /debug/pprof/fds\?debug=1\)"
)


def many(most, limit, end):
    """The program with this limit of descriptors, which a shell sets before."""
    command = f'ulimit -n {limit}; exec "$0" "$@"'
    program = compiled("descriptor_edges.c")
    arguments = ["-c", command, program, "many", most, end]
    probe = ("--heap", "off", "--only", "descriptor_edges")
    return Opener("/bin/sh", *arguments, probe=probe)


def alarms(program):
    return [line for line in program.errors().splitlines() if "descriptors" in line]


def check_alarm(line, program, most, limit):
    found = ALARM.search(line)
    check(
        found and line.startswith(f"leakprobe: descriptor_edges, pid {program.pid}: "),
        f"line: {line}",
    )
    number, room, by_stack = map(int, found.groups()[:3])
    equal(room, limit, "limit")
    check(limit * 0.9 <= number <= limit, f"{number} of {limit}")
    check(most <= by_stack <= number, f"{by_stack} of {number} by the stack")


@pytest.mark.parametrize("most", (475, 100000), ids=("close", "none left"))
def test_close_to_the_limit_one_line_names_the_stack(most):
    """Also where the program opens until it gets no more; once, until there are fewer
    than half of the limit."""
    with many(most, 512, "stay") as program:
        program.said("many 1")
        program.await_(lambda: alarms(program), "the line")
        check_alarm(alarms(program)[0], program, 400, 512)
        program.go_on("few 1")
        program.go_on("many 2")
        equal(len(alarms(program)), 1, "lines")
        program.go_on("few 2")


def test_a_program_that_comes_close_to_the_limit_again():
    """Another line, when it was below half: that is looked at every second."""
    with many(475, 512, "stay") as program:
        program.said("many 1")
        program.await_(lambda: alarms(program), "the line")
        program.go_on("few 1")
        time.sleep(1.5)
        program.go_on("many 2")
        wait_until(lambda: len(alarms(program)) == 2, what="another line")
        check_alarm(alarms(program)[1], program, 400, 512)


def test_a_program_that_ends_at_the_limit():
    """The line comes nevertheless."""
    with many(100000, 512, "exit") as program:
        equal(program.end(sign=None), 7, "exit status")
        equal(len(alarms(program)), 1, f"lines in {program.errors()}")
        check_alarm(alarms(program)[0], program, 400, 512)


def test_a_limit_that_the_program_lowers():
    """Is the limit from then on."""
    with edges("lower", 475, 512) as program:
        program.said("many 1")
        program.await_(lambda: alarms(program), "the line")
        check_alarm(alarms(program)[0], program, 400, 512)


def test_the_line_names_no_header_of_the_system():
    """But the program's own function that called what is in it."""
    with many(475, 512, "header") as program:
        program.said("many 1")
        line = program.await_(lambda: alarms(program), "the line")[0]
        check(re.search(r"opened by many \S*descriptor_edges\.c:\d+ ", line), line)


def test_far_from_the_limit_nothing_is_said():
    """Nor where only a number is high."""
    with many(300, 512, "stay") as program:
        program.said("many 1")
        fds(program)
        equal(alarms(program), [], "lines")


def test_a_server_close_to_its_limit():
    """--max-fds and 200 more are its RLIMIT_NOFILE; its line names the scenario's."""
    with Server("leaky", "--max-fds", "2000") as server:
        for count in (1700, 280):
            equal("descriptors" in server.errors(), False, "said too early")
            server.leak("file-unclosed", count=count)
        wait_until(lambda: "descriptors" in server.errors(), what="the line")
        found = re.fullmatch(
            r"leaky: (\d+) of 2200 descriptors are open; most \((\d+)\) were opened by "
            r"price_look_up leaky/file_unclosed\.c:\d+ "
            r"\(see /debug/pprof/fds\?debug=1\)\n",
            server.errors(),
        )
        check(found, f"error lines: {server.errors()}")
        check(1980 <= int(found[1]) <= 2200, f"{found[1]} descriptors")
        equal(int(found[2]), 1980, "by the stack")
        profile = Fds(server.get("/debug/pprof/fds?debug=1").expect(200).text)
        equal(profile.by("price_look_up"), 1980, "descriptors of the scenario")
        equal(profile.total, profile.listed, "what the kernel lists")
