"""Runs one program that cannot be trusted, as a shell does with `ulimit` and `unshare`:

    python3 -m learn.homework.sandbox [OPTION]... -- COMMAND...

With --namespaces it has processes, mounts and users of its own: it sees /usr, what
--read and --write name, and an empty directory for temporary files, $TMPDIR; and all
that it started ends with it. Three processes take part: this one, which ends as the
command did; the first process of the namespace, whose end ends all others in it; and
the command. The limits of a process hold with and without namespaces, those of all
together only with them."""

import argparse
import os
import re
import resource
import signal
import sys
import time

from learn.homework import kernel

MIB = 1 << 20
SECONDS = 90  # of processor time, for each process
FILE_BYTES = 256 * MIB
ADDRESS_BYTES = 4096 * MIB
TEMPORARY_BYTES = 128 * MIB
TOGETHER_BYTES = 3072 * MIB  # resident, of all processes; a third of a small machine's
LEAST_TOGETHER = 768 * MIB
TASKS = 600  # processes and threads: the kernel starts no more
PROCESSES = 300  # more are ended at once: those that fork for ever hold up a machine
LOOK_SECONDS = 0.2  # how often both are looked at
NOBODY = 65534

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
FILES = (
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/hosts", "/etc/nsswitch.conf"),
    *("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"),
)
# What a program gets of the environment besides the server's own settings.
PASSED = ("PATH", "TMPDIR", "LANG", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS")


def parse():
    """The options, and the command."""
    parser = argparse.ArgumentParser(prog="learn.homework.sandbox")
    parser.add_argument("--namespaces", metavar="DIR", help="an empty one, for them")
    parser.add_argument("--no-network", action="store_true", help="not even loopback")
    parser.add_argument("--nobody", action="store_true", help="as that user, if root")
    parser.add_argument("--environment", action="store_true", help="keep all of it")
    parser.add_argument("--read", action="append", default=[], metavar="PATH")
    parser.add_argument("--write", action="append", default=[], metavar="PATH")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


# -- what the program sees -------------------------------------------------------------


def attach(root, path, writable=False):
    """Makes a path visible below `root`, at the same place."""
    target = root + path
    if os.path.islink(path):
        if not os.path.lexists(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    elif os.path.exists(path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    else:
        return
    kernel.mount(path, target, flags=kernel.BIND | kernel.RECURSIVE)
    flags = kernel.NO_SETUID | (0 if writable else kernel.READ_ONLY)
    if not path.startswith("/dev/"):
        flags |= kernel.NO_DEVICES
    kernel.restrict(target, flags)


def make_root(options, owner):
    """Makes the only file system that the program sees."""
    root = options.namespaces
    temporary = os.environ.setdefault("TMPDIR", "/tmp")
    kernel.mount("none", "/", flags=kernel.RECURSIVE | kernel.PRIVATE)
    kernel.mount("tmpfs", root, "tmpfs", kernel.NO_SETUID, "mode=755,size=4m")
    for path in (*SYSTEM, *FILES, *options.read):
        attach(root, path)
    for path in options.write:
        attach(root, path, writable=True)
    os.makedirs(root + "/proc", exist_ok=True)
    flags = kernel.NO_SETUID | kernel.NO_DEVICES | kernel.NO_PROGRAMS
    kernel.mount("proc", root + "/proc", "proc", flags)
    os.makedirs(root + temporary, exist_ok=True)
    size = f"mode=700,uid={owner},size={TEMPORARY_BYTES}"
    kernel.mount("tmpfs", root + temporary, "tmpfs", kernel.NO_SETUID, size)
    here = os.getcwd()
    os.makedirs(root + here, exist_ok=True)
    kernel.enter_root(root)
    kernel.restrict("/", kernel.READ_ONLY, below=False)
    os.chdir(here)


# -- what it may take ------------------------------------------------------------------


def user_tasks():
    """How many threads this user has. The kernel counts all of them against the
    limit."""
    user, count = os.getuid(), 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}").st_uid == user:
                count += len(os.listdir(f"/proc/{name}/task"))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return count


def limit(what, amount):
    """Lowers a limit; a lower one stays."""
    _, most = resource.getrlimit(what)
    if most == resource.RLIM_INFINITY or amount < most:
        resource.setrlimit(what, (amount, amount))


def take_limits(others):
    """Limits this process. `others` is how many threads count already."""
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_CPU, SECONDS)
    limit(resource.RLIMIT_FSIZE, FILE_BYTES)
    limit(resource.RLIMIT_NPROC, TASKS + others)
    # The judge has a limit of its own that is lower: it is not for this program.
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    if "ASAN_OPTIONS" not in os.environ:  # its shadow memory alone has many terabytes
        limit(resource.RLIMIT_AS, ADDRESS_BYTES)


def become(options):
    """Becomes the user that the program runs as, in a user namespace of its own if the
    kernel allows that: then the limit of processes counts those in it alone. Returns
    how many threads count already."""
    if options.nobody and os.getuid() == 0 and owner_of(options) == NOBODY:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    try:
        kernel.own_users(os.getuid(), os.getgid())
        # In one more of these, a program would have rights that it could not have here.
        with open("/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as file:
            file.write("0")
    except OSError:
        return user_tasks()
    return 0


def owner_of(options):
    """The user that the program runs as: nobody if that is another one than this."""
    if not options.nobody:
        return os.getuid()
    with open("/proc/self/uid_map", encoding="ascii") as file:
        inside, _, count = map(int, file.read().split()[:3])
    return NOBODY if inside + count > NOBODY else os.getuid()


def execute(options):
    """Becomes the command. Does not return."""
    if not options.environment:
        kept = {name: os.environ[name] for name in PASSED if name in os.environ}
        os.environ.clear()
        os.environ.update(kept | {"HOME": "/tmp"})
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execvp(options.command[0], options.command)
    except OSError as error:
        sys.stderr.write(f"{options.command[0]}: {error.strerror}\n")
    os._exit(127)


# -- the three processes ---------------------------------------------------------------


def first_process(options, go, told):
    """The first process of the namespace: starts the command, waits for it, and
    tells how it ended."""
    kernel.end_with_parent()
    if not os.read(go, 1):  # the parent had ended before the line above
        os._exit(1)
    kernel.unshare(kernel.NEW_MOUNTS | kernel.NEW_IPC | kernel.NEW_NAMES)
    owner = owner_of(options)
    make_root(options, owner)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD,))  # watch() waits for it
    command = os.fork()
    if command == 0:
        os.setsid()  # its `kill 0` is for itself; and often each session has its share
        others = become(options)
        kernel.drop_capabilities()
        take_limits(others)
        execute(options)
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(command, number))
    os.write(told, str(watch(command)).encode())
    os._exit(0)  # which ends all others here


def resident(pid):
    """The memory of a process in bytes; what it shares is counted as its own."""
    with open(f"{kernel.shown(pid)}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def proportional(pid):
    """The same; of what several share, its part. This takes longer."""
    try:
        with open(f"{kernel.shown(pid)}/smaps_rollup", encoding="ascii") as file:
            shares = re.search(r"^Pss: +([0-9]+) kB", file.read(), re.MULTILINE)
    except PermissionError:
        return resident(pid)
    return int(shares[1]) * 1024 if shares else 0


def together(measure, pids):
    """The sum over processes; one that has just ended has nothing."""
    total = 0
    for pid in pids:
        try:
            total += measure(pid)
        except OSError:
            continue
    return total


def excess(most):
    """In words, what the processes of this namespace take too much of; None if nothing.
    `most` is the memory that they may have together."""
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    if len(pids) > PROCESSES:
        return f"more than {PROCESSES} processes"
    if together(resident, pids) > most and together(proportional, pids) > most:
        return f"more than {most // MIB} MiB"
    return None


def watch(command):
    """Waits for the command, and for all that have lost their parent. Returns its
    status; that of a killed process when all of them took too much."""
    all_memory = os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
    most = min(TOGETHER_BYTES, max(LEAST_TOGETHER, all_memory // 3))
    next_look = time.monotonic()
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == command:
            return status
        if time.monotonic() >= next_look:
            if taken := excess(most):
                sys.stderr.write(f"killed: it took {taken}\n")
                return signal.SIGKILL
            next_look = time.monotonic() + LOOK_SECONDS
        if pid == 0:
            signal.sigtimedwait((signal.SIGCHLD,), LOOK_SECONDS)


def end_alike(status):
    """Ends as the command did."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def run_apart(options):
    """Runs the command in namespaces of its own. Does not return."""
    kernel.unshare(kernel.NEW_PIDS | (kernel.NEW_NETWORK if options.no_network else 0))
    go, let_go = os.pipe()
    told, tell = os.pipe()
    # A signal that comes before it can be handed on is handed on later.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    first = os.fork()
    if first == 0:
        os.close(let_go)
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            first_process(options, go, tell)
        except OSError as error:
            sys.stderr.write(f"sandbox: {error.strerror}\n")
        finally:
            os._exit(1)
    os.close(tell)
    os.write(let_go, b"g")
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(first, number))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.waitpid(first, 0)
    status = os.read(told, 20)  # nothing, if it was killed itself
    end_alike(int(status) if status else signal.SIGKILL)


def main():
    """Confines, and executes."""
    options = parse()
    kernel.end_with_parent()
    if options.namespaces:
        run_apart(options)
    kernel.forbid_new_privileges()
    take_limits(user_tasks())
    execute(options)


if __name__ == "__main__":
    main()
