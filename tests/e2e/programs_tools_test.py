"""Debian's tools under leakprobe: output and status are as without it, and where they are
too short to be asked, the profile that they write at their end names functions."""

import contextlib
import glob
import http.server
import os
import threading

import pytest

from checks import check, equal
from commands import run
from programs import alike, named, ran, same_under_leakprobe
from raw_profile import function_sums
from tree import scratch
from unpacked import installed_or_unpacked

IS_ROOT = os.geteuid() == 0


def profiles_at_exit(directory):
    """The functions with a name in what each process wrote at its end, by file."""
    found = {}
    for path in sorted(glob.glob(os.path.join(directory, "*.pb"))):
        with open(path, "rb") as file:
            sums = function_sums(file.read())
        found[os.path.basename(path)] = named(sums["inuse_space"]["all"])
    return found


def at_exit(directory):
    """The options that have each process write its profile into the directory."""
    return ("--at-exit", os.path.join(directory, "%p.pb"))


def check_written(directory, least, wanted=""):
    """Some process wrote a profile with so many names, `wanted` among them."""
    found = profiles_at_exit(directory)
    enough = [names for names in found.values() if len(names) >= least]
    check(enough, f"less than {least} names in each: {found}")
    check(
        not wanted or any(wanted in names for names in enough), f"no {wanted}: {found}"
    )


GIT = (
    ("init", "-q", "."),
    ("add", "-A"),
    ("commit", "-q", "-m", "first"),
    ("status", "--short"),
    ("log", "--stat"),
    ("show", "HEAD:file7"),
    ("fsck", "--full"),
    ("show", "no-such-commit"),
)


def git_runs(program, found, probe=None):
    """What each command of git says in a new repository with some files."""
    directory = scratch()
    for number in range(30):
        with open(
            os.path.join(directory, f"file{number}"), "w", encoding="ascii"
        ) as file:
            file.write(f"line {number}\n" * 200)
    identity = {
        "NAME": "Lab",
        "EMAIL": "lab@example.org",
        "DATE": "2001-02-03T04:05:06Z",
    }
    environment = found | {"HOME": directory, "GIT_CONFIG_NOSYSTEM": "1", "TZ": "UTC"}
    for name, value in identity.items():
        environment |= {f"GIT_AUTHOR_{name}": value, f"GIT_COMMITTER_{name}": value}
    return [
        ran([program, "-c", "init.defaultBranch=main", *each], probe=probe, env=environment,
            cwd=directory)[:3]
        for each in GIT
    ]  # fmt: skip


def test_git():
    """A repository is made, filled, read and checked: all output is equal, the names of
    the commits too; and an unknown one is an error."""
    program, found = installed_or_unpacked("usr/bin/git", "git")
    bare = git_runs(program, found)
    equal(
        [status for status, _, _ in bare], [0] * 7 + [128], "exit status without probe"
    )
    directory = scratch()
    alike(git_runs(program, found, ("--port", "0", *at_exit(directory))), bare, "git")
    check_written(directory, 3)


SQL = """\
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, size REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
    INSERT INTO t SELECT i, 'name ' || (i * 7919 % 5000), i / 3.0 FROM n;
CREATE INDEX by_name ON t(name);
SELECT count(*), sum(size), max(name) FROM t;
SELECT * FROM t WHERE name LIKE '%99' ORDER BY name LIMIT 20;
UPDATE t SET size = size * 2 WHERE id % 2;
VACUUM;
PRAGMA integrity_check;
SELECT group_concat(name, '/') FROM (SELECT name FROM t ORDER BY size DESC LIMIT 50);
"""


def test_sqlite3():
    """A database in a file; and an error, which makes the exit status 1."""
    program, found = installed_or_unpacked("usr/bin/sqlite3", "sqlite3")
    directory = scratch()
    paths = (os.path.join(directory, name) for name in ("one", "two"))
    bare = ran([program, next(paths)], env=found, text=SQL)
    equal(bare[0], 0, "exit status")
    probe = ("--port", "0", *at_exit(directory))
    equal(
        ran([program, next(paths)], probe=probe, env=found, text=SQL)[:3],
        bare[:3],
        "run",
    )
    wrong = [program, "-bail", ":memory:"]
    (status, _, _), _ = same_under_leakprobe(
        wrong, text="SELECT * FROM nothing;\n", env=found
    )
    equal(status, 1, "exit status of an error")
    # .exit leaves at once, with all in use.
    left = scratch()
    text = "CREATE TABLE t(a);\nINSERT INTO t VALUES(zeroblob(100000));\n.exit 3\n"
    command = [program, ":memory:"]
    got, _ = same_under_leakprobe(command, *at_exit(left), text=text, env=found)
    equal(got[0], 3, "exit status of .exit")
    check_written(left, 1)


@contextlib.contextmanager
def pages():
    """The address of a server with a few pages, in this process."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):  # noqa: N802 # the name is http.server's
            body = self.path.encode() * 5000
            self.send_response_only(404 if self.path == "/missing" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # curl may close before all is sent
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_curl():
    """Pages with their headers, several at a time; and two errors of its own."""
    with pages() as url:
        several = [f"{url}/{number}" for number in range(20)]
        got, _ = same_under_leakprobe(["curl", "-sSi", *several])
        equal((got[0], len(got[1]) > 20 * 5000), (0, True), "status and size")
        got, _ = same_under_leakprobe(["curl", "-sSf", f"{url}/missing"])
        equal(got[0], 22, "status for a missing page")
        directory = scratch()
        command = ["curl", "-s", f"{url}/page"]
        same_under_leakprobe(command, *at_exit(directory))
        check_written(directory, 2)
    got, _ = same_under_leakprobe(["curl", "-s", "http://127.0.0.1:1/"])
    equal(got[0], 7, "status where nobody listens")


SOURCE = """\
#include <stdio.h>
#include <stdlib.h>
static int compare(const void *a, const void *b) { return *(int *)a - *(int *)b; }
int main(void)
{
    int numbers[] = {5, 3, 4};
    qsort(numbers, 3, sizeof *numbers, compare);
    return printf("%d %d %d\\n", numbers[0], numbers[1], numbers[2]) != 6;
}
"""


def test_gcc():
    """Compiler, assembler and linker, all of them under leakprobe: the same program comes
    out, byte for byte; and an error in a source is the same error."""
    directory = scratch()
    left = scratch()
    for name, text in (
        ("good.c", SOURCE),
        ("bad.c", SOURCE + "int main(void) { x }\n"),
    ):
        with open(os.path.join(directory, name), "w", encoding="ascii") as file:
            file.write(text)
    only = [
        part
        for name in ("gcc", "cc1", "as", "collect2", "ld")
        for part in ("--only", name)
    ]
    results = []
    for probe in (None, ("--port", "0", *only, *at_exit(left))):
        for command in (["-O2", "-Wall", "good.c", "-o", "good"], ["-c", "bad.c"]):
            status, output, errors, _ = ran(
                ["gcc", *command], probe=probe, cwd=directory
            )
            results.append((status, output, errors))
        with open(os.path.join(directory, "good"), "rb") as file:
            results.append(file.read())
        os.unlink(os.path.join(directory, "good"))
    equal([results[0], results[1][0]], [(0, b"", ""), 1], "without probe")
    alike(results[3:], results[:3], "gcc")
    check_written(left, 3)


PYTHON = """\
import json, subprocess, sys, threading, zlib
def work(n):
    found.append(len(zlib.compress(json.dumps(list(range(n))).encode())))
found = []
threads = [threading.Thread(target=work, args=(n * 1000,)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(found), subprocess.run(["/bin/echo", "child"], stdout=subprocess.PIPE).stdout)
print("to stderr", file=sys.stderr)
sys.exit(3)
"""


def test_python3():
    """Threads, modules that are opened as libraries, a child, an exit status of its own."""
    directory = scratch()
    command = ["/usr/bin/python3", "-B", "-c", PYTHON]
    got, _ = same_under_leakprobe(command, *at_exit(directory))
    equal((got[0], got[2]), (3, "to stderr\n"), "status and error lines")
    check_written(directory, 10)


def test_timeout():
    """A command in time, with its own status; one that is too late; one unknown."""
    for arguments, status in (
        (("20", "sh", "-c", "exit 5"), 5),
        (("0.2", "sleep", "30"), 124),
        (("20", "no-such-program"), 127),
        (("-s", "INT", "--preserve-status", "0.2", "sleep", "30"), 130),
    ):
        got, _ = same_under_leakprobe(["timeout", *arguments])
        equal(got[0], status, f"exit status of timeout {arguments}")


# util-linux's tools change what a process is; some refuse a program with two threads.
CHANGES = [
    (["setpriv", "--no-new-privs", "cat", "/proc/self/status"], False),
    (["setpriv", "--clear-groups", "--reuid", "65534", "--regid", "65534", "id"], True),
    (["setpriv", "--bounding-set", "-all", "--reuid", "65534", "id", "-u"], True),
    (["unshare", "-U", "-r", "id", "-u"], False),
    (["unshare", "-n", "true"], True),
    (["unshare", "-m", "--propagation", "private", "true"], True),
    (["unshare", "-p", "-f", "sh", "-c", "echo $$"], True),
]


@pytest.mark.parametrize("command, needs_root", CHANGES, ids=lambda value: " ".join(value)
                         if isinstance(value, list) else "")  # fmt: skip
def test_change_of_rights_or_of_namespaces(command, needs_root):
    """setpriv and unshare do what they do in a program of one thread."""
    if needs_root and not IS_ROOT:
        pytest.skip("needs root")
    if run(*command, check_exit=False).returncode != 0:
        pytest.skip("this machine refuses it without leakprobe, too")
    wanted = ("Groups", "Uid", "Gid", "Cap", "NoNewPrivs", "uid=")
    bare = ran(command)
    probe = ran(command, probe=("--port", "0"))
    kept = [
        [line for line in each[1].decode().splitlines() if line.startswith(wanted)]
        if "cat" in command
        else each[1]
        for each in (bare, probe)
    ]
    equal((probe[0], kept[1], probe[2]), (bare[0], kept[0], bare[2]), "under leakprobe")
