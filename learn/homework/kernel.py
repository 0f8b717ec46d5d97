"""What Linux offers to confine a program and Python 3.11 has no function for. Each call
raises OSError, with its own name in the message."""

import ctypes
import fcntl
import os
import signal
import socket
import struct

# unshare(2)
NEW_MOUNTS, NEW_NAMES, NEW_IPC = 0x00020000, 0x04000000, 0x08000000
NEW_USER, NEW_PIDS, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000

# mount(2) and mount_setattr(2)
NO_SETUID, NO_DEVICES, NO_PROGRAMS = 2, 4, 8
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
DETACH = 2
READ_ONLY = 1  # in mount_setattr
HERE, ALL_BELOW = -100, 0x8000  # AT_FDCWD, AT_RECURSIVE

# prctl(2)
SET_DEATH_SIGNAL, SET_DUMPABLE, DROP_BOUND, SET_SECURITY = 1, 4, 24, 28
NO_NEW_PRIVILEGES, SUBREAPER = 38, 36
ROOT_IS_NOBODY = 0x3F  # no capabilities for uid 0, and this cannot be taken back
CAPABILITIES = 64

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *arguments):
    """Calls a function of the C library that gives 0, or -1 and errno."""
    given = [
        ctypes.c_char_p(os.fsencode(word)) if isinstance(word, str) else word
        for word in arguments
    ]
    if getattr(_libc, name)(*given) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(flags):
    """Gives this process namespaces of its own from now on."""
    _call("unshare", flags)


def mount(source, target, kind=None, flags=0, options=None):
    """As mount(8)."""
    _call("mount", source, target, kind, ctypes.c_ulong(flags), options)


def restrict(path, flags, below=True):
    """Sets flags on a mount and, unless told otherwise, on all mounts below it."""
    attributes = struct.pack("QQQQ", flags, 0, 0, 0)
    depth = ALL_BELOW if below else 0
    _call("mount_setattr", HERE, path, depth, attributes, ctypes.c_size_t(32))


def enter_root(path):
    """Makes a mount the root directory. The old root is out of reach afterwards."""
    os.chdir(path)
    _call("pivot_root", ".", ".")
    _call("umount2", ".", DETACH)
    os.chdir("/")


def _prctl(what, value=0):
    _call("prctl", what, *(ctypes.c_ulong(word) for word in (value, 0, 0, 0)))


def end_with_parent():
    """This process is killed when its parent ends."""
    _prctl(SET_DEATH_SIGNAL, signal.SIGKILL)


def take_in_orphans():
    """Processes below this one become its children when their parents end."""
    _prctl(SUBREAPER, 1)


def drop_capabilities():
    """Gives up every privilege of root, for good, for what is executed too."""
    for number in range(CAPABILITIES):
        try:
            _prctl(DROP_BOUND, number)
        except OSError:
            break  # the kernel knows no more of them, or this process may not
    try:
        _prctl(SET_SECURITY, ROOT_IS_NOBODY)
    except PermissionError:
        pass  # a process without capabilities has none to give up
    header = struct.pack("II", 0x20080522, 0)  # version 3, this process
    _call("capset", header, bytes(24))
    _prctl(NO_NEW_PRIVILEGES, 1)


def forbid_new_privileges():
    """No program that is executed from now on gains rights, as through setuid."""
    _prctl(NO_NEW_PRIVILEGES, 1)


def own_users(user, group):
    """A user namespace in which this user has the given ids, and nobody else exists. It
    gives the right to make other namespaces; and the kernel counts processes in it."""
    outer_user, outer_group = os.geteuid(), os.getegid()
    _prctl(SET_DUMPABLE, 1)  # or the files below are root's, after a change of the user
    unshare(NEW_USER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {outer_user} 1"),
        ("gid_map", f"{group} {outer_group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def leave_network():
    """A network of this process's own: loopback, and nothing else."""
    unshare(NEW_NETWORK)
    request = struct.pack("16sH14x", b"lo", 0x41)  # IFF_UP | IFF_RUNNING
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


def descendants(ancestor):
    """The ids of the processes that a process started, of those that these started, and
    so on; without those that have ended. One whose first thread alone has ended is in
    state Z, too, and goes on."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, threads = fields[0], int(fields[1]), int(fields[17])
        if state not in b"ZX" or threads > 1:
            children.setdefault(parent, []).append(int(name))
    found, added = [], [ancestor]
    while added:
        added = [child for parent in added for child in children.get(parent, ())]
        found += added
    return found


def shown(pid):
    """Where /proc shows what a process has. If its first thread has ended before the
    others, /proc/PID is empty, but for its tasks."""
    for task in os.listdir(f"/proc/{pid}/task"):
        directory = f"/proc/{pid}/task/{task}"
        with open(f"{directory}/statm", encoding="ascii") as file:
            if not file.read().startswith("0 "):
                return directory
    return f"/proc/{pid}"


def end_descendants():
    """Kills everything that is below this process, and waits for it."""
    while left := descendants(os.getpid()):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        _reap()
    _reap()


def _reap():
    """Waits for the children that have ended already."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
