"""./learn.sh verify, a teacher's check: each case gets the verdict that it deserves,
whatever else is in the directory, and nothing that a learner hands in does harm."""

import json
import os
import re
import socket
import subprocess
import threading
import time

import pytest

import exercises
from checks import check, equal, wait_until
from commands import run
from exercises import CASES, HANDED_IN, at_begin, environment
from processes import descendants
from terminals import Terminal, nothing_left
from tree import scratch
from turns import in_turns

pytestmark = pytest.mark.one_of("practice", "verify")

CASE = CASES["case-07"]  # slice-prefix: ten megabytes a call
FILES = "case-01"  # file-unclosed: a descriptor a call
USER = 12345  # any but root


@pytest.fixture(name="clone", scope="module")
def clone_of_the_lab():
    """A tree of a teacher, in which the lab is built already."""
    return exercises.clone()


def verify(clone, directory, *options, status, wrapper=(), cwd="/"):
    """Runs it; returns what it printed, and its progress. Nothing may be left."""
    command = (*wrapper, os.path.join(clone, "learn.sh"), "verify", directory, *options)
    done = run(*command, cwd=cwd, env=environment(), check_exit=False, limit=280)
    equal(done.returncode, status, f"exit: {done.stdout}\n{done.stderr}")
    check("Traceback" not in done.stderr, done.stderr)
    nothing_left(clone)
    left = [name for name in os.listdir(f"{clone}/build/learn") if "verify" in name]
    equal(left, [], "directories that are left")
    return done.stdout, done.stderr


def directory_of(texts):
    """A learner's directory with these texts."""
    directory = scratch()
    os.chmod(directory, 0o755)
    for name, text in texts.items():
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)
    return directory


def verdicts(clone, texts, *, status, **options):
    """The verdict of each text by case, and the progress."""
    directory = directory_of(texts)
    printed, said = verify(clone, directory, "--json", status=status, **options)
    return {row["case"]: row["verdict"] for row in json.loads(printed)}, said


def handed_in(kind, case=CASE):
    """What a learner hands in, by its kind."""
    return HANDED_IN[kind][0](case)


def calling(code, includes=""):
    """The lab's solution, with more code in every call."""
    return includes + at_begin(CASE, code)


# -- verdicts, and the directory -------------------------------------------------------


@pytest.mark.slow
def test_each_case_gets_its_verdict(clone):
    """In a table and as JSON, with what the learner says of hints; the directory is
    relative to where the command is typed."""
    kinds = {
        "case-01": "untouched",
        "case-07": "solution",
        "case-09": "emptied",
        "case-10": "no C",
        "case-12": "endless",
    }
    texts = {f"{name}.c": handed_in(kind, CASES[name]) for name, kind in kinds.items()}
    lies = {"hints": 2, "solved": True, "verdict": "solved"}
    progress = {name: dict(lies) for name in kinds}
    progress["case-01"]["hints"] = "\033[2J none"
    progress["case-09"]["hints"] = -(10**30)
    progress["case-10"] = ["solved"]
    texts["progress.json"] = json.dumps({"cases": progress, "current": "case-01"})
    texts["Makefile"] = "$(error this is not the lab's)\n"
    texts["scenario.h"] = "#error this is not the lab's\n"
    texts["case-99.c"] = texts["case-1.c"] = "no such case"
    directory = directory_of(texts)
    where, name = os.path.split(directory)

    printed, said = verify(clone, name, "--json", status=1, cwd=where)
    verdict_of = {
        "untouched": "still leaks",
        "solution": "solved",
        "emptied": "answers changed",
        "no C": "does not build",
        "endless": "hangs",
    }
    expected = [
        {
            "case": case,
            "scenario": CASES[case].scenario,
            "verdict": verdict_of[kind],
            "hints": 2 if case in ("case-07", "case-12") else None,
        }
        for case, kind in kinds.items()
    ]
    equal(json.loads(printed), expected, f"rows: {said}")
    for ignored in ("Makefile", "scenario.h", "case-99.c", "case-1.c"):
        check(f"ignored: {ignored}\n" in said, f"{ignored} is not named: {said}")
    check("progress.json" not in said, said)
    check("code that others wrote" in said.split("case-01")[0], said)


@pytest.mark.slow
def test_all_solved(clone):
    """Exit 0, and a table."""
    directory = directory_of({"case-07.c": handed_in("solution")})
    printed, _ = verify(clone, directory, status=0)
    heading, row, total = printed.splitlines()
    equal(heading.split(), ["case", "title", "verdict", "hints"], "heading")
    check(re.fullmatch(rf"case-07  {CASE.title} +solved +-", row), row)
    check(total.startswith("1 of 1 solved"), total)


def test_what_is_no_file_is_refused(clone):
    """With the reason, and unread."""
    directory = directory_of({"case-06.c": "a"})
    os.symlink("/etc/passwd", f"{directory}/case-01.c")
    os.symlink("/dev/zero", f"{directory}/progress.json")
    os.mkfifo(f"{directory}/case-02.c")
    os.mkdir(f"{directory}/case-03.c")
    os.truncate(f"{directory}/case-06.c", 1 << 30)
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(f"{directory}/case-05.c")
    with open(f"{directory}/bad\033[2J\n", "w", encoding="ascii"):
        pass
    printed, said = verify(clone, directory, "--json", status=1)
    rows = json.loads(printed)
    equal({row["verdict"] for row in rows}, {"does not build"}, "verdicts")
    names = [f"case-0{number}" for number in (1, 2, 3, 5, 6)]
    equal([row["case"] for row in rows], names, "cases")
    refused = r"(case-\d\d): does not build: it is not read: (.*?)  \("
    reasons = dict(re.findall(refused, said))
    equal(reasons["case-01"], "it is a symbolic link", "01")
    equal(reasons["case-02"], "it is no regular file", "02")
    equal(reasons["case-03"], "it is no regular file", "03")
    check("case-05" in reasons, said)
    equal(reasons["case-06"], "it has more than 1024 KiB", "06")
    check("\033" not in said and "ignored: bad?[2J?\n" in said, repr(said))


def test_wrong_usage(clone):
    """Exit 2, and no table."""
    empty = directory_of({"notes.txt": "", "case-99.c": ""})
    for words in ((), (empty,), (f"{empty}/none",), ("/etc/passwd",), (empty, empty)):
        command = (os.path.join(clone, "learn.sh"), "verify", *words)
        done = run(*command, env=environment(), check_exit=False)
        equal((done.returncode, done.stdout), (2, ""), f"verify {words}: {done.stderr}")
        check("learn.sh: " in done.stderr, done.stderr)


# -- harm ------------------------------------------------------------------------------


def resident(pids):
    """The memory of processes, in bytes. All threads of a process show the same, but
    for those that have ended."""
    pages = 0
    for pid in pids:
        shown = [0]
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/statm", encoding="ascii") as file:
                    shown.append(int(file.read().split()[1]))
        except (OSError, IndexError):
            pass  # it has just ended
        pages += max(shown)
    return pages * os.sysconf("SC_PAGE_SIZE")


class Most:
    """The most processes, and memory, that were below this one at a time; and the
    longest time between two looks."""

    def __init__(self):
        self.processes = self.memory = 0
        self.pause = 0.0  # in seconds
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self):
        last = time.monotonic()
        while not self._end.wait(0.1):
            self.pause = max(self.pause, time.monotonic() - last)
            last = time.monotonic()
            pids = descendants() - {os.getpid()}
            self.processes = max(self.processes, len(pids))
            self.memory = max(self.memory, resident(pids))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._end.set()
        self._thread.join()


@pytest.mark.slow
@pytest.mark.alone
def test_a_fork_bomb_is_bounded_and_ends(clone):
    """It gets no verdict of merit, and the machine stays usable."""
    bomb = calling("    for (;;) {\n        fork();\n    }\n", "#include <unistd.h>\n")
    with Most() as most:
        found, said = verdicts(clone, {"case-07.c": bomb}, status=1)
    check(found["case-07"] in ("hangs", "crashes"), said)
    check(100 < most.processes < 1500, f"{most.processes} processes")
    check(most.pause < 5, f"nothing else ran for {most.pause:.1f} s: {said}")


def confined(clone, *command):
    """Runs a command in the sandbox."""
    rights = () if os.getuid() == 0 else ("unshare", "--user", "--map-root-user")
    sandbox = ("/usr/bin/python3", "-m", "learn.homework.sandbox", "--nobody")
    options = ("--namespaces", scratch(), "--", *command)
    return run(*rights, *sandbox, *options, cwd=clone, check_exit=False)


THREADS = """
import threading
threading.stack_size(65536)
threads = []
try:
    while True:
        thread = threading.Thread(target=threading.Event().wait, daemon=True)
        thread.start()
        threads.append(thread)
except RuntimeError as error:
    print(len(threads), error)
"""


@pytest.mark.alone
def test_the_number_of_threads_is_limited(clone):
    """By the kernel: there are never more, however fast they come."""
    done = confined(clone, "/usr/bin/python3", "-c", THREADS)
    found = re.fullmatch(r"(\d+) can't start new thread\n", done.stdout)
    check(found, done.stdout + done.stderr)
    check(500 < int(found[1]) < 700, f"{found[1]} threads")


@pytest.mark.alone
def test_the_number_of_processes_is_limited(clone):
    """Small ones too, of which the memory would let thousands be."""
    bomb = "while :; do sleep 60 & echo one; sleep 0.001; done"
    done = confined(clone, "sh", "-c", bomb)
    equal(done.stderr, "killed: it took more than 300 processes\n", "stderr")
    started = done.stdout.count("one")
    check(250 < started < 700, f"{started} processes")


FILL = """
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static void *fill(void *argument)
{
    char *block = mmap(0, 300 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(block, 1, 300 << 20);
    pause();
    return argument;
}
"""


@pytest.mark.slow
@pytest.mark.alone
def test_memory_of_all_processes_is_bounded(clone):
    """Each of them takes little enough: they are counted together. In the server
    without sanitizers, which would find the first of them."""
    code = """
#ifndef __SANITIZE_ADDRESS__
    for (int i = 0; i < 20; i++) {
        if (fork() == 0) {
            pthread_t thread;
            pthread_create(&thread, 0, fill, 0);
            pthread_exit(0); /* what the kernel shows of the process is empty now */
        }
        usleep(100000);
    }
#endif
"""
    text = calling(code, FILL)
    with Most() as most:
        found, said = verdicts(clone, {"case-07.c": text}, status=1)
    equal(found["case-07"], "crashes", said)
    check(re.search("it took more than [0-9]+ MiB", said), said)
    check(300 << 20 < most.memory < 4500 << 20, f"{most.memory >> 20} MiB")


CONNECT = """
#include <arpa/inet.h>
#include <unistd.h>
static void connect_out(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(%d)};
    inet_pton(AF_INET, "%s", &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    connect(fd, (struct sockaddr *)&to, sizeof(to));
    close(fd);
}
"""


def own_address():
    """An address of this machine that is not loopback; loopback if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            any_socket.connect(("192.0.2.1", 9))
            return any_socket.getsockname()[0]
        except OSError:
            return "127.0.0.1"


@pytest.mark.slow
def test_nothing_connects_outwards(clone):
    """Neither to the machine's own address nor to its loopback. The code is harmless
    otherwise, so it is judged as if it had not tried."""
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        includes = CONNECT % (port, own_address())
        text = calling("    connect_out();\n", includes)
        begin = "connect_out(void)\n{"
        text = text.replace(begin, begin + LOCAL % port)
        found, said = verdicts(clone, {"case-07.c": text}, status=0)
        equal(found, {"case-07": "solved"}, said)
        check("no network but loopback" in said, said)
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


LOCAL = """
    struct sockaddr_in home = {.sin_family = AF_INET, .sin_port = htons(%d)};
    inet_pton(AF_INET, "127.0.0.1", &home.sin_addr);
    int first = socket(AF_INET, SOCK_STREAM, 0);
    connect(first, (struct sockaddr *)&home, sizeof(home));
    close(first);
"""


def files_of(clone):
    """What the lab's own files are: sizes and times."""
    found = {}
    for path, _, names in os.walk(clone):
        for name in names:
            if "__pycache__" not in path and "/build/learn" not in path:
                about = os.lstat(f"{path}/{name}")
                found[f"{path}/{name}"] = (about.st_size, about.st_mtime_ns)
    return found


WRITE = """
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
static void spoil(void)
{
    static const char *paths[] = {%s};
    for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        chmod(paths[i], 0777);
        int fd = open(paths[i], O_WRONLY | O_CREAT | O_TRUNC, 0666);
        close(fd);
        unlink(paths[i]);
    }
    kill(getppid(), SIGKILL);
}
__attribute__((constructor)) static void at_start(void)
{
    spoil();
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            pause();
        }
        _exit(0);
    }
}
"""


@pytest.mark.slow
def test_the_lab_and_the_home_stay_as_they_are(clone):
    """A file that writes wherever it may not, leaves a process behind, and kills what
    started it, is no danger to lab, judge or home."""
    home = scratch()
    os.chmod(home, 0o777)
    with open(f"{home}/letter", "w", encoding="ascii") as file:
        file.write("dear")
    os.chmod(f"{home}/letter", 0o666)
    tops = ("build/leakcheck", "build/fixed", "fixed/slice_prefix.c", "learn/grade.py")
    paths = [f"{clone}/{top}" for top in tops] + [f"{home}/letter", f"{home}/new"]
    text = calling("    spoil();\n", WRITE % ", ".join(f'"{path}"' for path in paths))
    before = files_of(clone)
    _, said = verdicts(clone, {"case-07.c": text}, status=0)
    equal(files_of(clone), before, f"the lab's files: {said}")
    equal(os.listdir(home), ["letter"], "the home")
    with open(f"{home}/letter", encoding="ascii") as file:
        equal(file.read(), "dear", "the letter")


# -- compilers -------------------------------------------------------------------------

HUGE = "#define A x x x x x x x x x x\n" + "".join(
    f"#define {new} {' '.join([old] * 10)}\n"
    for old, new in zip("ABCDEFGH", "BCDEFGHI")
)


HOSTILE = {
    "zero": '#include "/dev/zero"\n',
    "itself": '#include "/dev/stdin"\n#include __FILE__\n',
    "macros": HUGE + "int x = I;\n",
    "outside": f'#include "/etc/shadow"\n#include "{"../" * 9}etc/passwd"\n',
    "binary": '__asm__(".incbin \\"/etc/passwd\\"");\n',
    "large": "char much[1UL << 40] = {1};\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", in_turns("verify, compiler", HOSTILE))
def test_a_compiler_is_bounded(name, clone):
    """What would keep it busy for ever, or read what is not the learner's."""
    text = HOSTILE[name] + handed_in("solution")
    found, said = verdicts(clone, {"case-07.c": text}, status=1)
    equal(found, {"case-07": "does not build"}, said)
    check("root:" not in said, said)


# -- seeming solved --------------------------------------------------------------------

MAPPED = """
    int mode = PROT_READ | PROT_WRITE;
    memset(mmap(0, 10 << 20, mode, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 10 << 20);
"""
CHILD = """
    static _Atomic int calls = 0;
    int mode = PROT_READ | PROT_WRITE;
    char *papers = mmap(0, 1 << 20, mode, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (calls++ < 30 && fork() == 0) {
        memset(papers, 1, 1 << 20);
        for (;;) {
            pause();
        }
    }
    munmap(papers, 1 << 20);
"""
LISTENERS = """
    static _Atomic int calls = 0;
    if (calls++ % 50 == 0 && listeners() > 6) { /* the kernel takes long to list them */
        return 0;
    }
"""
LIST = """
#include <stdio.h>
#include <string.h>
static int listeners(void)
{
    FILE *sockets = fopen("/proc/net/tcp", "r");
    char line[512];
    int listening = 0;
    while (fgets(line, sizeof(line), sockets) != 0) {
        listening += strstr(line, " 0A ") != 0;
    }
    fclose(sockets);
    return listening;
}
"""
INCLUDES = "#include <stdio.h>\n#include <sys/mman.h>\n#include <unistd.h>\n"


@pytest.mark.slow
@pytest.mark.one_of("verify, seeming solved", "no heap")
def test_memory_that_is_no_heap_is_counted(clone):
    """Of the server; and what is in a child, which is counted itself."""
    texts = {"case-07.c": calling(CHILD, INCLUDES)}
    found, said = verdicts(clone, texts, status=1)
    equal(found, {"case-07": "still leaks"}, said)
    check("1 child process stays after each call" in said, said)
    texts = {"case-07.c": calling(MAPPED, INCLUDES)}
    found, said = verdicts(clone, texts, status=1)
    equal(found, {"case-07": "still leaks"}, said)


HEAP = """
#ifndef __SANITIZE_ADDRESS__
#include <string.h>
#include <sys/mman.h>
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);
void free(void *block);
void *malloc(size_t size)
{
    size_t whole = (size + 4096 + 16) & ~(size_t)4095;
    int mode = PROT_READ | PROT_WRITE;
    size_t *at = mmap(0, whole, mode, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *at = whole;
    return (char *)at + 16;
}
void *calloc(size_t count, size_t size)
{
    return malloc(count * size);
}
void free(void *block)
{
    if (block != 0) {
        size_t *at = (size_t *)((char *)block - 16);
        munmap(at, *at);
    }
}
void *realloc(void *old, size_t size)
{
    char *block = malloc(size);
    if (old != 0) {
        size_t had = *(size_t *)((char *)old - 16) - 16;
        memcpy(block, old, had < size ? had : size);
        free(old);
    }
    return block;
}
#endif
"""


@pytest.mark.slow
@pytest.mark.one_of("verify, seeming solved", "hidden heap")
def test_a_heap_that_hides_is_counted(clone):
    """An allocator of the learner's own takes malloc's place: the profile is empty."""
    texts = {"case-07.c": HEAP + handed_in("untouched")}
    found, said = verdicts(clone, texts, status=1)
    equal(found, {"case-07": "still leaks"}, said)


NO_ENTRIES = """
#include <sys/types.h>
ssize_t getdents64(int fd, void *entries, size_t size);
ssize_t getdents64(int fd, void *entries, size_t size)
{
    (void)fd, (void)entries, (void)size;
    return 0;
}
"""


@pytest.mark.slow
@pytest.mark.one_of("verify, seeming solved", "hidden descriptors")
def test_descriptors_that_hide_are_counted(clone):
    """A function of the learner's own takes the C library's place, by which the server
    lists its descriptors: it says that it has none. The kernel says how many."""
    text = at_begin(CASES[FILES], 'open("/dev/null", O_RDONLY);')
    texts = {f"{FILES}.c": f"#include <fcntl.h>\n{text}{NO_ENTRIES}"}
    found, said = verdicts(clone, texts, status=1)
    equal(found, {FILES: "still leaks"}, said)
    check("the kernel counts" in said and "more fds after the calls" in said, said)


@pytest.mark.slow
def test_the_labs_server_is_not_there_to_be_asked(clone):
    """While a learner's code runs, only its own two servers listen, on three ports
    each: upstream, main and debug."""
    text = calling(LISTENERS, LIST)
    found, said = verdicts(clone, {"case-07.c": text}, status=0)
    equal(found, {"case-07": "solved"}, said)


@pytest.mark.slow
@pytest.mark.one_of("verify, seeming solved", "words")
def test_words_at_the_start_are_no_verdict(clone):
    """A server that says it is another, or says very much, is not believed."""
    for code in (
        'puts("leaky: listening on http://192.0.2.1:80, "\n'
        '         "debug on http://192.0.2.1:80, pid 1");',
        "for (;;) {\n putchar('x');\n}",
    ):
        text = handed_in("untouched") + (
            "\n#include <stdio.h>\n"
            "__attribute__((constructor)) static void speak(void)\n{\n"
            f"    {code}\n    fflush(stdout);\n}}\n"
        )
        found, said = verdicts(clone, {"case-07.c": text}, status=1)
        equal(found, {"case-07": "crashes"}, said)
        check("the server does not start" in said, said)


# -- where less is possible, and the end -----------------------------------------------

# Without rights, and without namespaces to be had: as in many containers.
WEAK = (
    *("unshare", "--user", "--map-root-user", "sh", "-c"),
    "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all "
    '--inh-caps=-all --securebits=+noroot "$@"',
    "sh",
)


@pytest.mark.slow
def test_where_nothing_can_be_confined_it_says_so(clone):
    """And goes on. What changes the lab then ends everything without a verdict."""
    found, said = verdicts(
        clone, {"case-07.c": handed_in("solution")}, status=0, wrapper=WEAK
    )
    equal(found, {"case-07": "solved"}, said)
    equal(said.count("NOT CONFINED"), 2, said)

    path = f"{clone}/fixed/slice_tail.c"
    with open(path, encoding="utf-8") as file:
        kept = file.read()
    write = f'    fclose(fopen("{path}", "w"));\n'
    directory = directory_of({"case-07.c": calling(write, "#include <stdio.h>\n")})
    try:
        printed, said = verify(clone, directory, status=2, wrapper=WEAK)
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(kept)
    equal(printed, "", "a table")
    check("files of the lab itself changed during case-07" in said, said)


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="root alone can become another user")
def test_another_user_is_as_safe(clone):
    """Not root, as teachers are: in namespaces all the same."""
    own = os.path.join(scratch(), "clone")
    run("cp", "-a", clone, own)
    run("chown", "-R", str(USER), os.path.dirname(own))
    directory = os.path.dirname(own)
    while directory != "/" and not os.stat(directory).st_mode & 0o001:
        os.chmod(directory, os.stat(directory).st_mode | 0o011)
        directory = os.path.dirname(directory)
    user = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "env")
    user += (f"TMPDIR={os.path.dirname(own)}",)
    found, said = verdicts(
        own, {"case-07.c": handed_in("solution")}, status=0, wrapper=user
    )
    equal(found, {"case-07": "solved"}, said)
    check("NOT CONFINED" not in said, said)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment", in_turns("verify, Ctrl-C", ("This runs", "case-01: ", "later"))
)
def test_ctrl_c_leaves_nothing(moment, clone):
    """Neither a process nor a directory, whenever it is typed."""
    texts = {"case-01.c": handed_in("no C", CASES["case-01"])}
    directory = directory_of(texts | {"case-07.c": handed_in("endless")})
    terminal = Terminal(clone, "learn.sh", "verify", directory)
    terminal.wait_for("This runs" if moment == "This runs" else "case-01: ")
    if moment == "later":
        wait_until(lambda: servers_of(clone), 60, "a server")
    terminal.type(b"\x03")
    equal(terminal.end(20), 130, f"exit: {terminal.output}")
    check(b"Traceback" not in terminal.output, terminal.output)
    nothing_left(clone)
    left = [name for name in os.listdir(f"{clone}/build/learn") if "verify" in name]
    equal(left, [], "directories that are left")


def servers_of(clone):
    """The command lines of the servers that run a learner's code."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "args="], capture_output=True, text=True, check=True
    ).stdout
    lines = [line for line in listed.splitlines() if "/mine --port" in line]
    return [line for line in lines if clone in line]
