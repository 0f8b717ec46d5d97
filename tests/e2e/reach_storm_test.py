"""What is lost and retained is asked for again and again while the program does what makes
that hard: the program goes on as if nobody had asked, no child of it is left, and where a
copy cannot be made the reply says why."""

import concurrent.futures
import contextlib
import os
import re
import signal
import socket

import pytest

from checks import check, equal, wait_until
from http_request import request
from processes import ended
from programs import Program, compiled
from reach_sums import reach_sums

LOST = "/debug/pprof/lost?debug=1"


class Storm(Program):
    """The program, doing what makes it hard in one way; its input are lines."""

    def __init__(self, way):
        reader, self._writer = os.pipe()
        super().__init__([compiled("reach_storm.c"), way], probe=(), stdin=reader)
        os.close(reader)
        self.await_(lambda: b"ready" in self.output(), "ready")

    def say(self, line):
        os.write(self._writer, line.encode() + b"\n")

    def free(self):
        """What makes it hard ends."""
        self.say("free")
        self.await_(lambda: b"done free" in self.output(), "end of the hardship")

    def ask(self, page=LOST):
        return request(self.debug_port(), "GET", page, limit=60)

    def copy(self, over):
        """The process of the copy, as soon as there is one that has only its own
        descriptor; None if over() is true before one was seen: it is there for some
        milliseconds only."""
        tasks = f"/proc/{self.pid}/task"
        while not over():
            for thread in os.listdir(tasks):
                with contextlib.suppress(OSError):
                    with open(f"{tasks}/{thread}/children", encoding="ascii") as file:
                        found = file.read().split()
                    if found and len(os.listdir(f"/proc/{found[0]}/fd")) == 1:
                        return int(found[0])
        return None

    def __exit__(self, *_):
        os.close(self._writer)
        super().__exit__()

    def over(self):
        """Ends its input: it must end as it does alone, and have no child before."""
        self.childless()
        os.close(self._writer)
        self._writer = os.open(os.devnull, os.O_WRONLY)
        equal(self.end(sign=None), 5, f"exit status: {self.errors()}")

    def childless(self):
        equal(children(self.pid), [], "children")


def children(pid):
    """The children of a process, those too that nobody has waited for."""
    found = []
    for each in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{each}/stat", "rb") as file:
            if int(file.read().rpartition(b")")[2].split()[1]) == pid:
                found.append(int(each))
    return found


def sums(reply):
    return reach_sums(reply.expect(200).text)


@contextlib.contextmanager
def asked_in_the_middle(program):
    """Yields a request that is being answered, with the process of the copy, which has
    been stopped. One that had done its work before that is no such request."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for _ in range(50):
            reply = pool.submit(program.ask)
            copy = program.copy(reply.done)
            with contextlib.suppress(ProcessLookupError):
                if copy is not None:
                    os.kill(copy, signal.SIGSTOP)
                    break
            reply.result()
        else:
            raise AssertionError("no copy could be stopped")
        yield reply, copy


@pytest.mark.parametrize("way", ("threads", "children", "users"))
def test_program_goes_on(way, pytestconfig):
    """Threads begin and end; children come by fork, vfork and posix_spawn, and the
    program's waitpid(-1) and its handler of SIGCHLD never see another one; the user
    changes, for which the probe's thread ends and starts again."""
    rounds = 200 if pytestconfig.option.long else 20
    with Storm(way) as program:
        answered = 0
        for _ in range(rounds):
            try:
                reply = program.ask()
            except OSError:
                check(way == "users", "the connection was closed")
                continue
            if reply.status == 503 and way == "users":
                reply.error(503, "stopping")
                continue
            equal(sums(reply).lost, (0, 0), f"lost: {reply.text[:2000]}")
            answered += 1
        check(answered > rounds / 2 or way == "users", f"{answered} of {rounds}")
        program.free()
        if way == "children":
            program.await_(lambda: b"no other child" in program.output(), "its end")
        equal(sums(program.ask()).lost, (0, 0), "lost")
        program.over()


def test_thread_that_blocks_all_signals():
    """It cannot be stopped, and the reply names it; when it can be, there is an answer."""
    with Storm("blocked") as program:
        error = program.ask().error(503, "thread_not_stopped")
        thread = int(re.search(r"thread (\d+) did not stop", error["message"])[1])
        threads = os.listdir(f"/proc/{program.pid}/task")
        check(str(thread) in threads, f"{thread} is none of {threads}")
        program.free()
        wait_until(lambda: program.ask().status == 200, what="an answer")
        program.over()


def test_shared_memory_that_is_not_used_stays_so():
    """To read it would take it, for good. What is in the used part holds its block."""
    with Storm("shared") as program:
        before = shared_blocks(program.pid)
        equal(sums(program.ask()).lost, (0, 0), "lost")
        equal(shared_blocks(program.pid), before, "blocks of the shared memory")
        program.over()


def shared_blocks(pid):
    """How much memory the file has that the program has made."""
    for name in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{name}"
        with contextlib.suppress(OSError):
            if os.readlink(path).startswith("/memfd:shared"):
                return os.stat(path).st_blocks
    raise AssertionError("no memory file")


def test_sixty_thousand_mappings():
    """Half of them cannot be read; a block that only the last one holds is not lost."""
    with Storm("maps") as program:
        equal(sums(program.ask()).lost, (0, 0), "lost")
        program.over()


def test_mapping_of_a_truncated_file():
    """It cannot be read, and the reply says so."""
    with Storm("truncated") as program:
        reply = program.ask()
        equal(sums(reply).lost, (0, 0), "lost")
        check("; 1 mappings not read" in reply.text, reply.text[:500])
        program.over()


LIMITS = {"memory": "no memory for a copy", "processes": "may start no more processes"}


@pytest.mark.parametrize("way", LIMITS)
def test_limit_that_allows_no_copy(way):
    """The reply says which; without the limit there is an answer."""
    if way == "processes" and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with Storm(way) as program:
        for _ in range(5):
            error = program.ask().error(503, "copy_failed")
            check(LIMITS[way] in error["message"], str(error))
        program.free()
        equal(sums(program.ask()).lost, (0, 0), "lost")
        program.over()


def test_process_that_may_not_be_dumped():
    """Its files in /proc are not its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with Storm("undumpable") as program:
        equal(sums(program.ask()).lost, (0, 0), "lost")
        program.over()


def test_copy_is_alone():
    """It has no descriptor of the program's, and is the first to be ended when memory is
    short. When it is killed the reply says so, and the next one is whole."""
    with Storm("large") as program:
        with asked_in_the_middle(program) as (reply, copy):
            fds = os.listdir(f"/proc/{copy}/fd")
            paths = [os.readlink(f"/proc/{copy}/fd/{fd}") for fd in fds]
            equal(paths, [f"/proc/{copy}/pagemap"], "descriptors")
            with open(f"/proc/{copy}/oom_score_adj", encoding="ascii") as file:
                equal(file.read(), "1000\n", "oom_score_adj")
            program.ask().error(409, "profile_busy")
            os.kill(copy, signal.SIGKILL)
            error = reply.result().error(503, "copy_failed")
        check("it was ended" in error["message"], str(error))
        program.childless()
        equal(sums(program.ask()).lost, (0, 0), "lost")
        program.over()


@pytest.mark.parametrize("end", ("exec", "exit", "kill"))
def test_program_ends_in_the_middle(end):
    """The copy ends with it, even if it is stopped, and the exit status is the program's
    own. A program that is executed has no child that it did not start."""
    with Storm("large") as program:
        with asked_in_the_middle(program) as (reply, copy):
            if end == "kill":
                program.process.kill()
            else:
                program.say(end)
            wait_until(lambda: ended(copy), what="end of the copy")
            with contextlib.suppress(OSError):  # the connection ends with the program
                reply.result()
        if end == "exec":
            program.await_(lambda: program.output().count(b"ready") == 2, "exec")
            program.over()
        else:
            status = program.end(sign=None)
            equal(status, {"exit": 7, "kill": -signal.SIGKILL}[end], "exit status")


def left_in_the_middle(program):
    """Asks, and goes away as soon as there is a copy. Whether that was before the
    answer."""

    def answered():
        try:
            return client.recv(1, socket.MSG_PEEK) is not None
        except BlockingIOError:
            return False

    with socket.create_connection(("127.0.0.1", program.debug_port())) as client:
        client.sendall(f"GET {LOST} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        client.setblocking(False)
        return program.copy(answered) is not None


def test_client_goes_away_in_the_middle():
    """The next one gets its answer as soon as the copy has done its work."""
    with Storm("large") as program:
        check(any(left_in_the_middle(program) for _ in range(50)), "no copy was seen")
        wait_until(lambda: not children(program.pid), what="end of the copy")
        wait_until(lambda: program.ask().status == 200, what="an answer")
        program.over()


def test_program_is_stopped_in_the_middle():
    """By SIGSTOP: the reply comes when it goes on."""
    with Storm("large") as program:
        with asked_in_the_middle(program) as (reply, copy):
            program.process.send_signal(signal.SIGSTOP)
            os.kill(copy, signal.SIGCONT)
            program.process.send_signal(signal.SIGCONT)
            equal(sums(reply.result()).lost, (0, 0), "lost")
        program.over()


# ---- many questions, one after the other ----


class Waits(Program):
    """Threads that wait in forty ways, until its input ends; see tests/programs/waits.c."""

    def __init__(self):
        reader, self._writer = os.pipe()
        super().__init__([compiled("waits.c", "-rdynamic")], probe=(), stdin=reader)
        os.close(reader)
        self.await_(lambda: b"waiting" in self.output(), "wait of all threads")

    def over(self):
        os.close(self._writer)
        equal(self.end(sign=None), 0, f"exit status: {self.output()}")


def left(pid):
    """What questions could leave behind: children, descriptors, mappings, threads."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        mappings = sum(1 for _ in file)
    return {
        "children": len(children(pid)),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "mappings": mappings,
        "threads": len(os.listdir(f"/proc/{pid}/task")),
    }


def resident(pid):
    """Its own memory, in KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"^RssAnon:\s+(\d+)", file.read(), re.MULTILINE)[1])


def test_a_hundred_questions_leave_nothing(pytestconfig):
    """No child, no descriptor, no mapping, no memory; and no wait of the forty kinds has
    ended early. 1,000 with --long."""
    pages = (LOST, "/debug/pprof/retained", "/debug/pprof/retained?debug=1&lost=1")
    count = 1000 if pytestconfig.option.long else 100
    with Waits() as program:

        def ask(number):
            port = program.debug_port()
            return request(port, "GET", pages[number % len(pages)]).expect(200)

        for number in range(10):  # what is kept for good is made by the first ones
            ask(number)
        before, memory = left(program.pid), resident(program.pid)
        for number in range(count):
            ask(number)
        # The last connection before may not have been closed yet.
        wait_until(
            lambda: all(left(program.pid)[name] <= before[name] for name in before),
            what=f"at most {before}",
        )
        grown = resident(program.pid) - memory
        check(grown < 512, f"its memory has grown by {grown} KiB in {count} questions")
        print(f"{count} questions: {grown} KiB more, {before}")
        program.over()
        check(b"waits 40 early 0" in program.output(), str(program.output()))


def asked_in_a_storm():
    """Asks while a storm of two seconds lasts; returns how many answers came."""
    answered = 0
    with Program([compiled("wait_storm.c"), "2"], probe=()) as program:
        port = program.debug_port()
        while program.process.poll() is None:
            with contextlib.suppress(OSError):  # it may just have ended
                answered += request(port, "GET", LOST).status == 200
        out = program.output()
        equal(program.end(sign=None), 0, f"exit status: {out}")
    check(out.startswith(b"storm ok"), str(out))
    return answered


def test_waits_begin_and_end_meanwhile():
    """By cancelling, by a jump out of a handler, in a handler, in a forked child."""
    answered = 0
    for _ in range(10):  # on a busy machine one storm has few
        answered += asked_in_a_storm()
        if answered > 10:
            return
    check(False, f"{answered} answers")
