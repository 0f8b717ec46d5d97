"""What programs do to a library in them without knowing: they reset signals, execute
other programs, end their main thread, take every descriptor, lose standard error."""

import fcntl
import json
import os
import re
import subprocess
import threading
import time

import pytest

from checks import check, equal, wait_until
from commands import run
from http_request import request
from programs import Program, compiled, free_port, probed, ran, same_under_leakprobe
from tree import scratch


def waiting(*arguments, probe=None, source="edges.c"):
    """The program in this mode, ready; and the end of the pipe that keeps it waiting."""
    reader, writer = os.pipe()
    program = Program([compiled(source), *arguments], probe=probe, stdin=reader)
    os.close(reader)
    program.await_(lambda: b"ready" in program.output(), "ready")
    return program, writer


def ended(program, writer):
    os.close(writer)
    return program.end(sign=None)


def test_child_of_vfork_that_resets_its_signals():
    """Its parent's signal for thread profiles stays what it is."""
    program, writer = waiting("vfork", probe=())
    with program:
        for _ in range(3):
            names = program.functions("goroutine")
            check({"spin", "main"} <= names, f"names of its threads: {names}")
        equal(ended(program, writer), 3, "exit status")


def test_no_profile_is_under_way_when_a_program_executes_another():
    """A signal of the profile would end the next program."""
    port = free_port()
    over = threading.Event()

    def ask():
        while not over.is_set():
            try:
                request(port, "GET", "/debug/pprof/goroutine", limit=5)
            except OSError:
                pass  # one program has ended, the next has not begun to listen

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        command = [compiled("edges.c"), "exec", "60"]
        status, _, errors, said = ran(command, probe=("--port", port))
    finally:
        over.set()
        for client in clients:
            client.join()
    equal((status, errors), (7, ""), "status and error lines")
    check(len(said) >= 61, f"{len(said)} programs with a port")


@pytest.mark.parametrize("how", ("pthread_exit", "thrd_exit", "cancel"))
def test_main_thread_that_ends_is_awaited(how):
    """Its cleanup runs to its end, and then the process ends."""
    bare, _ = same_under_leakprobe([compiled("edges.c"), "main", how])
    equal(bare, (0, b"cleaned up\n", ""), "status, output, error lines")


@pytest.mark.parametrize("how", ((), ("disarm",)), ids=("armed", "disarmed"))
def test_signal_handler_with_a_small_stack(how):
    """It opens what it likes: for whose stack it is there is too little room, and it is
    cut."""
    bare, _ = same_under_leakprobe([compiled("small_handler.c"), *how])
    equal(bare, (0, b"made 4\n", ""), "status, output, error lines")


def test_program_that_filters_its_system_calls():
    """A stack is taken without a call that the program has forbidden."""
    bare, _ = same_under_leakprobe([compiled("filtered.c")])
    equal(bare, (0, b"allocated 1\n", ""), "status, output, error lines")


def test_pipes_of_a_signal_handler_are_the_programs():
    """Also if the handler has interrupted the probe, which keeps the pipe of libunwind
    for itself, at a high number."""
    bare, _ = same_under_leakprobe([compiled("pipe_handler.c")])
    equal(bare, (0, b"odd pipes: 0\n", ""), "status, output, error lines")


def test_pipe_of_libunwind_is_the_probes():
    """It is out of the program's way: of the low numbers, only standard input is one."""
    program, writer = waiting("vfork", probe=())
    with program:
        text = program.get("/debug/pprof/fds?debug=1").text
        pipes = list(map(int, re.findall(r"^#\t(\d+) pipe:", text, re.M)))
        equal([fd for fd in pipes if fd < 20], [0], "low pipes")
        equal(len([fd for fd in pipes if fd > 900]), 2, "high pipes")
        equal(ended(program, writer), 3, "exit status")


def test_thread_that_is_late_is_followed_by_another():
    """A page waits for the loader's lock for longer than the program has patience, when
    it changes what its threads may do: the port answers again afterwards."""
    program, writer = waiting(source="late_agent.c", probe=("--heap", "off"))
    with program:
        program.await_(lambda: b"ready" in program.output(), "the lock is kept")
        page = f"http://127.0.0.1:{program.debug_port()}/debug/pprof/threads?debug=1"
        with subprocess.Popen(["curl", "-s", "-m", "60", page], stdout=subprocess.DEVNULL) as client:
            time.sleep(0.3)  # not a condition: without the page nothing is late
            os.write(writer, b".")
            program.await_(lambda: b"gone on" in program.output(), "prctl")
            client.wait()
        check("main" in program.functions("goroutine"), "the port answers")
        check("stands aside" not in program.errors(), program.errors())
        equal(ended(program, writer), 0, "exit status")


def test_descriptors_of_the_probe_are_the_programs_if_it_wants_them():
    """It takes all numbers by dup2; the debug port is still there afterwards."""
    program, writer = waiting("dup2", probe=())
    with program:
        names = program.functions("goroutine")
        check("take_descriptors" in names, f"names: {names}")
        program.get("/status")
        equal(ended(program, writer), 5, "exit status")


@pytest.mark.parametrize("is_full", (False, True), ids=("closed", "full"))
def test_standard_error_that_nobody_reads(is_full):
    """The line with the address is left out: no SIGPIPE, and no waiting."""
    reader, writer = os.pipe()
    if is_full:
        fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
        while True:
            try:
                os.write(writer, bytes(4096))
            except BlockingIOError:
                break
        fcntl.fcntl(writer, fcntl.F_SETFL, 0)
    else:
        os.close(reader)
    command = probed([compiled("edges.c"), "nothing"], "--port", "0")
    done = subprocess.run(command, stderr=writer, timeout=60, check=False)
    os.close(writer)
    if is_full:
        os.close(reader)
    equal(done.returncode, 8, "exit status")


def test_each_forked_child_has_a_unix_socket_of_its_own():
    """PATH.PID, where the directory was at the start of the first one."""
    directory = scratch()
    path = os.path.join(directory, "socket")
    program, writer = waiting("fork", probe=("--unix", path))
    with program:
        line = re.compile(rf"pid (\d+): unix:({re.escape(path)}\S*)$", re.M)
        wait_until(lambda: len(line.findall(program.errors())) == 3, what="3 sockets")
        for pid, own in line.findall(program.errors()):
            expected = path if int(pid) == program.pid else f"{path}.{pid}"
            equal(own, expected, f"socket of {pid}")
            reply = run("curl", "-s", "--unix-socket", own, "http://localhost/status")
            equal(json.loads(reply.stdout)["pid"], int(pid), f"process at {own}")
        equal(ended(program, writer), 6, "exit status")


def test_unix_socket_that_another_process_answers_at():
    """It stays that one's; PATH.PID is the next one's, which is said."""
    path = os.path.join(scratch(), "socket")
    first, one = waiting("fork", probe=("--unix", path, "--follow-fork", "off"))
    second, two = waiting("fork", probe=("--unix", path, "--follow-fork", "off"))
    with first, second:
        line = f"pid {second.pid}: unix:{path}.{second.pid}\n"
        check(line in second.errors(), second.errors())
        check("is taken" in second.errors(), second.errors())
        equal((ended(first, one), ended(second, two)), (6, 6), "exit statuses")
