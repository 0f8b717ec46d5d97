"""The launcher: what it starts, what it says, and what it leaves alone."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess

import pytest

from checks import check, equal
from commands import run
from http_request import request
from programs import (
    LEAKPROBE,
    Program,
    compiled,
    free_port,
    probed,
    ran,
    same_under_leakprobe,
)
from raw_profile import function_sums
from tree import scratch

ANNOUNCEMENT = r"leakprobe: {name}, pid {pid}: http://127\.0\.0\.1:(\d+)/"


def started(*arguments, env=None):
    """Runs leakprobe itself with these arguments."""
    return subprocess.run(
        [LEAKPROBE, *map(str, arguments)],
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments, message",
    (
        (("--colour", "--", "true"), "leakprobe: unknown option --colour"),
        (("--port", "x", "--", "true"), "leakprobe: --port takes a number"),
        (("--port", "70000", "--", "true"), "leakprobe: --port takes a number"),
        (("--heap", "some", "--", "true"), "leakprobe: --heap takes exact"),
        (("--heap", "sampled=0", "--", "true"), "leakprobe: --heap takes exact"),
        (("--only", "a:b", "--", "true"), "leakprobe: --only takes the name"),
        (("--unix", "x" * 200, "--", "true"), "leakprobe: --unix takes a path"),
        (("true",), "leakprobe: the command comes after --"),
        (("--",), "leakprobe: the command comes after --"),
        ((), "leakprobe: the command comes after --"),
        (("--quiet", "true", "--", "true"), "leakprobe: the command comes after --"),
    ),
)
def test_wrong_usage_is_one_clear_line(arguments, message):
    done = started(*arguments)
    equal(done.returncode, 2, f"status of {arguments}")
    lines = done.stderr.splitlines()
    check(lines[0].startswith(message), f"{arguments}: {done.stderr}")
    equal(lines[1:], ["Try 'leakprobe --help'."], "what follows")
    equal(done.stdout, "", "output")


def test_program_that_is_not_there():
    """As shells do: 127 if there is none, 126 if it cannot be run."""
    for command, status in (("no-such-program", 127), ("/etc/passwd", 126), ("/", 126)):
        done = started("--", command)
        equal(done.returncode, status, f"status of {command}: {done.stderr}")
        equal(len(done.stderr.splitlines()), 1, f"lines: {done.stderr}")
        check(command in done.stderr, done.stderr)


def test_help_fits_a_terminal_and_names_every_option():
    done = started("--help")
    equal(done.returncode, 0, "status")
    check(all(len(line) <= 80 for line in done.stdout.splitlines()), done.stdout)
    for (
        name
    ) in "port heap resources follow-fork at-exit unix only trace-memory quiet".split():
        check(f"--{name}" in done.stdout, f"--{name} in {done.stdout}")


def test_it_becomes_the_program():
    """The same process: pid, status, signals, output; and one line says where."""
    status, output, errors, said = ran(
        ["sh", "-c", "echo $$; exit 41"], probe=("--port", "0", "--only", "sh")
    )
    equal((status, errors), (41, ""), "status and error lines")
    pid = int(output)
    equal(len(said), 1, f"lines of leakprobe: {said}")
    check(re.fullmatch(ANNOUNCEMENT.format(name="sh", pid=pid), said[0]), said[0])
    status, *_ = ran(["sh", "-c", "kill -SEGV $$"], probe=("--port", "0"))
    equal(status, -11, "status after a signal")


def test_quiet_says_nothing():
    _, _, errors, said = ran(["true"], probe=("--port", "0", "--quiet"))
    equal((errors, said), ("", []), "lines")
    static = compiled("stays.c", "-static", target="stays-static")
    equal(stayed(static, "--quiet"), "", "lines of a static program")


def stayed(path, *options):
    """What is said about the program `stays` of that path, which must end as it does
    without instruments."""
    with Program([path], probe=options) as program:
        program.await_(lambda: b"ready" in program.output(), "ready")
        equal(program.end(), 7, "status")
        return program.errors()


def test_static_program_runs_without_instruments():
    said = stayed(compiled("stays.c", "-static", target="stays-static"))
    equal(len(said.splitlines()), 1, f"lines: {said}")
    check("without instruments: it is linked statically" in said, said)


def test_set_uid_program_runs_without_instruments():
    """The loader ignores the environment there, and so leakprobe says it before."""
    path = os.path.join(scratch(), "set-uid")
    shutil.copy("/bin/true", path)
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    os.chmod(path, 0o4755)
    done = started("--", path)
    if os.stat(path).st_uid == os.getuid():
        pytest.skip("only root can give a file to another user")
    equal(done.returncode, 0, "status")
    check("without instruments: it is set-uid" in done.stderr, done.stderr)
    equal(len(done.stderr.splitlines()), 1, f"lines: {done.stderr}")


def test_program_with_a_sanitizer_runs_without_instruments():
    said = stayed(compiled("stays.c", "-fsanitize=address", target="stays-address"))
    check(len(said.splitlines()) == 1 and "sanitizer" in said, f"lines: {said}")


def test_child_that_cannot_have_the_library_gets_an_environment_without_it():
    """A program with a sanitizer ends at once if another library stands before it."""
    child = compiled("executes.c", "-fsanitize=address", target="executes-address")
    command = [compiled("executes.c"), child]
    expected = "".join(f"{kind}: 7\n" for kind in range(11)).encode()
    status, output, errors, _ = ran(command, probe=("--port", "0"))
    equal((status, output, errors), (0, expected, ""), "what the children end with")


def test_libraries_of_the_user_stay_in_the_environment_of_such_a_child():
    """Other libraries that are preloaded are the user's wish."""
    other = os.path.join(scratch(), "other.so")
    run("gcc", "-shared", "-o", other, "-x", "c", "/dev/null")
    loader = os.path.join(scratch(), "another-loader.so")
    shutil.copy("/lib64/ld-linux-x86-64.so.2", loader)
    child = compiled(
        "preload.c", f"-Wl,--dynamic-linker={loader}", target="preload-other"
    )
    status, output, *_ = ran(
        ["sh", "-c", f"{child}; exit $?"],
        probe=("--port", "0", "--only", "sh"),
        env={"LD_PRELOAD": other},
    )
    equal((status, output), (0, f"{other}\n".encode()), "LD_PRELOAD of the child")


def test_script_gets_instruments_by_its_name():
    """The kernel starts the interpreter; the name is the script's."""
    path = os.path.join(scratch(), "greet")
    with open(path, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\necho hello\n")
    os.chmod(path, stat.S_IRWXU)
    status, output, _, said = ran([path], probe=("--port", "0"))
    equal((status, output), (0, b"hello\n"), "status and output")
    equal(len(said), 1, f"lines: {said}")


@pytest.mark.parametrize("text, status", (("echo $1; exit 4\n", 4), ("", 0)))
def test_script_without_a_first_line_is_the_shells(text, status):
    """As with execvp, and so with env, timeout and nohup."""
    path = os.path.join(scratch(), "plain script")
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, stat.S_IRWXU)
    got, output, errors, said = ran([path, "a b"], probe=("--port", "0"))
    equal((got, errors), (status, ""), "status and error lines")
    equal(output, b"a b\n" if text else b"", "output")
    equal(len(said), 1, f"lines: {said}")


def test_programs_of_other_names_are_not_followed():
    """A shell's children have none, unless they are asked for."""
    command = ["sh", "-c", "env true; true | cat; ls / >/dev/null; exit 3"]
    status, _, errors, said = ran(command, probe=("--port", "0"))
    equal((status, errors), (3, ""), "status and error lines")
    equal([line.split(",")[0] for line in said], ["leakprobe: sh"], f"{said}")
    status, _, _, said = ran(command, probe=("--port", "0", "--only", "ls"))
    equal([line.split(",")[0] for line in said], ["leakprobe: ls"], f"{said}")


def test_only_inside_of_timeout():
    stays = compiled("stays.c")
    command = ["timeout", "--signal=TERM", "0.5", stays]
    status, _, _, said = ran(command, probe=("--port", "0", "--only", "stays"))
    equal(status, 124, "status of timeout")
    equal([line.split(",")[0] for line in said], ["leakprobe: stays"], f"{said}")


def test_taken_port_gives_the_next_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        _, _, _, said = ran(["true"], probe=("--port", port))
    equal(len(said), 2, f"lines: {said}")
    check(
        said[0].startswith(f"leakprobe: port {port} is taken, the next free one is "),
        said[0],
    )
    used = int(re.search(r":(\d+)/$", said[1]).group(1))
    check(port < used < port + 100, f"port {used} after {port}")


@pytest.mark.parametrize(
    "name, value",
    (
        ("LEAKPROBE_PORT", "x"),
        ("LEAKPROBE_PORT", "-1"),
        ("LEAKPROBE_HEAP", "everything"),
        ("LEAKPROBE_FOLLOW_FORK", "perhaps"),
        ("LEAKPROBE_TRACE_MEMORY", "soon"),
        ("LEAKPROBE_UNIX", "x" * 300),
    ),
)
def test_wrong_variable_is_said_and_the_program_runs(name, value):
    library = os.path.join(os.path.dirname(LEAKPROBE), "libleakprobe.so")
    env = {"LD_PRELOAD": library, "LEAKPROBE_PORT": "0", name: value}
    done = subprocess.run(
        ["sh", "-c", "exit 5"],
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    equal(done.returncode, 5, "status")
    lines = done.stderr.splitlines()
    equal(len(lines), 2 if name != "LEAKPROBE_PORT" else len(lines), done.stderr)
    check(lines[0].startswith(f"leakprobe: {name} takes "), done.stderr)
    check(lines[-1].startswith("leakprobe: sh, pid "), done.stderr)


def test_program_that_ends_by_its_last_thread():
    """Its main thread leaves; the process must end when the other thread does."""
    status, output, errors, _ = ran([compiled("last_thread.c")], probe=("--port", "0"))
    equal((status, output, errors), (0, b"last\n", ""), "status, output, error lines")


def test_standard_error_that_became_a_file_of_the_program():
    """Nothing is written into what the program has opened as descriptor 2."""
    path = os.path.join(scratch(), "data")
    command = ["sh", "-c", f"exec 2>{path}; (sleep 0.1; :); echo own >&2; cat {path}"]
    status, output, _, _ = ran(command, probe=("--port", "0"))
    equal((status, output), (0, b"own\n"), "status and what the file holds")


def test_at_exit_writes_what_is_in_use():
    path = os.path.join(scratch(), "heap.%p.pb")
    with Program([compiled("stays.c")], probe=("--at-exit", path)) as program:
        program.await_(lambda: b"ready" in program.output(), "ready")
        program.debug_port()
        equal(program.end(), 7, "status")
    said = [line for line in program.errors().splitlines() if "at exit" in line]
    equal(len(said), 1, f"lines: {program.errors()}")
    file = path.replace("%p", str(program.pid))
    check(re.search(r"\d+ bytes in use at exit, in \d+ blocks", said[0]), said[0])
    done = subprocess.run(
        ["go", "tool", "pprof", "-top", "-unit=B", file],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    check(re.search(r"100000B .* keep_block", done.stdout), done.stdout)


def at_exit(way, *options, env=None):
    """Runs the program `ends`; returns what it says of the file, and of each value the
    sum and the functions, as pprof has them."""
    path = os.path.join(scratch(), "lost.pb")
    options = ("--port", "0", "--at-exit", path, *options)
    _, _, _, said = ran([compiled("ends.c"), way], probe=options, env=env)
    said = [line for line in said if " at exit" in line]
    if not os.path.exists(path):
        return said, None
    with open(path, "rb") as file:
        return said, function_sums(file.read())


def test_at_exit_writes_what_is_lost():
    said, sums = at_exit("threads")
    equal(
        list(sums),
        ["inuse_objects", "inuse_space", "lost_objects", "lost_space"],
        "values",
    )
    equal(sum(sums["lost_space"]["own"].values()), 1200, "lost bytes")
    equal(sums["lost_space"]["all"]["lose_pair"], 1200, "those of the function")
    equal(sums["lost_objects"]["all"]["lose_pair"], 2, "its blocks")
    equal(sums["inuse_space"]["all"]["thread_main"], 15000, "what threads hold")
    in_use = sum(sums["inuse_space"]["own"].values())
    check(f" {in_use} bytes in use at exit, in " in said[0], said[0])
    check("; of these 1200 bytes are lost, in 2 blocks: " in said[0], said[0])


@pytest.mark.parametrize(
    "way, options, reason",
    (
        ("threads", ("--heap", "sampled=1"), "the recorder samples"),
        ("deaf", (), r"thread \d+ did not stop"),
    ),
)
def test_at_exit_says_why_nothing_is_known_of_lost_blocks(way, options, reason):
    said, sums = at_exit(way, *options)
    check(re.search(f"; what is lost was not measured: {reason}: /", said[0]), said[0])
    check("lost_space" not in sums and "inuse_space" in sums, f"values: {list(sums)}")


def test_no_file_at_exit_after__exit_or_a_signal():
    for way in ("_exit", "killed"):
        equal(at_exit(way), ([], None), f"what is said after {way}")


def test_at_exit_that_cannot_be_written():
    said = stayed(compiled("stays.c"), "--at-exit", "/no/such/file")
    check("cannot write '/no/such/file': No such file" in said, said)


def test_nothing_at_exit_after_a_signal_or__exit():
    path = os.path.join(scratch(), "heap.pb")
    ran(["sh", "-c", "kill -9 $$"], probe=("--port", "0", "--at-exit", path))
    check(not os.path.exists(path), "a file after SIGKILL")


def test_unix_socket_in_place_of_the_port():
    path = os.path.join(scratch(), "probe.sock")
    with Program([compiled("stays.c")], probe=("--unix", path)) as program:
        program.await_(lambda: f": unix:{path}" in program.errors(), "its address")
        done = subprocess.run(
            ["curl", "-s", "--unix-socket", path, "http://localhost/status"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        equal(json.loads(done.stdout)["pid"], program.pid, "the process that answers")
        equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "mode of the socket")
        equal(program.end(), 7, "status")
    check(not os.path.exists(path), "the socket is gone")


def test_allocator_that_is_part_of_the_program_is_not_seen_and_it_is_said():
    """No empty profile: the reason, on standard error and from the page."""
    reader, writer = os.pipe()
    with Program([compiled("own_malloc.c")], probe=(), stdin=reader) as program:
        os.close(reader)
        port = program.debug_port()
        said = [line for line in program.errors().splitlines() if "allocator" in line]
        equal(len(said), 1, f"lines: {program.errors()}")
        check("its allocator is part of the program" in said[0], said[0])
        request(port, "GET", "/debug/pprof/heap").expect(501)
        status = request(port, "GET", "/status").expect(200).json()
        equal(status["profile"], "off", "profile")
        equal(status["memory"]["alloc_bytes"], None, "bytes that are not counted")
        os.close(writer)
        equal(program.end(sign=None), 3, "status")
        equal(program.output(), b"own 1\n", "output")


def test_memory_lines():
    command = ["sh", "-c", "sleep 2.5"]
    _, _, errors, said = ran(command, probe=("--port", "0", "--trace-memory"))
    lines = [line for line in errors.splitlines() if line.startswith("sh: memory @")]
    check(len(lines) >= 2, f"{errors} {said}")


def test_the_probes_thread_is_not_counted_as_the_programs():
    """Chromium's processes end themselves if they have more than one."""
    status, output, errors, _ = ran([compiled("links.c")], probe=("--port", "0"))
    equal((status, output, errors), (0, b"3 3 3\n", ""), "links of the directory")


def test_links_of_other_directories():
    """One that is named like a process's threads, and one that is given as a descriptor
    alone, for which older kernels have no call."""
    directory = os.path.join(scratch(), "myself", "task")
    for name in ("one", "two", "three"):
        os.makedirs(os.path.join(directory, name))
    bare, _ = same_under_leakprobe([compiled("links.c"), directory])
    check(bare[1].startswith(b"5 "), f"links: {bare}")


def test_program_that_has_no_proc():
    """As in a container's first steps, or after a chroot: it runs, and the messages name
    what is missing."""
    if os.geteuid() != 0:
        pytest.skip("only root can take /proc away")
    library = os.path.join(os.path.dirname(LEAKPROBE), "libleakprobe.so")
    port = free_port()
    command = 'umount -l /proc && LD_PRELOAD="$0" exec sleep 60'
    variables = {"LEAKPROBE_PORT": str(port), "LEAKPROBE_ONLY": "sleep"}
    with Program(
        ["unshare", "--mount", "sh", "-c", command, library], env=variables
    ) as program:
        program.await_(lambda: "http://" in program.errors(), "debug port")
        check("no thread profile: No such file" in program.errors(), program.errors())
        for page in ("/status", "/metrics", "/debug/pprof/goroutine?debug=1"):
            reply = request(port, "GET", page).expect(503)
            equal(
                reply.json()["error"]["hint"],
                "the probe reads the kernel's files: mount /proc",
                f"hint of {page}",
            )
        equal(program.end(), -15, "status")


def test_no_dump_is_written_into_the_program_s_directory():
    """A dump is refused with a hint, and the program goes on; the index does not tell
    people to take one, and says whose it is."""
    with Program([compiled("stays.c")], probe=()) as program:
        port = program.debug_port()
        error = request(port, "POST", "/debug/heap/dump?reason=x").error(
            501, "no_dumps"
        )
        check("/pprof/heap" in error["hint"], error)
        index = program.get("/debug/pprof/").text
        check("/debug/heap/dump" not in index, index)
        check(f"<h1>Profiles of stays, pid {program.pid}</h1>" in index, index)
        equal(program.end(), 7, "status")


def test_a_profile_while_the_loader_is_busy_holds_nobody_up_for_ever():
    """A library's constructor forks and changes its user, with the loader's lock held; a
    profile that reads names wants the same lock."""
    library = compiled("constructor.c", "-shared", "-fPIC")
    with Program([compiled("opens.c"), library], probe=()) as program:
        program.await_(lambda: b"opens" in program.output(), "opens")
        port = program.debug_port()
        done = subprocess.run(
            [
                "curl",
                "-s",
                "-m",
                "30",
                f"http://127.0.0.1:{port}/debug/pprof/heap?debug=1",
            ],
            capture_output=True,
            timeout=60,
            check=False,
        )
        check(done.returncode in (0, 52, 56), f"curl: {done.returncode}")
        equal(program.end(sign=None), 8, "status")
