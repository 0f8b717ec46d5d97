"""Builds an exercise's server with the lab's own Makefile."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess

from learn import process, source
from learn.failure import Broken
from learn.place import BUILT, absolute, read, write

PLAIN = ("BUILD=build",)
SANITIZED = (f"BUILD={BUILT}/sanitized", "ALLOCATOR=libc", "SANITIZE=address,undefined")
FIXED, JUDGE = "build/fixed", "build/leakcheck"  # the lab's own programs
LIMIT = 60  # seconds for a learner's file; the first build of all else takes longer
SHOWN = 2000  # characters of what the compiler says, from the end


def make(*arguments, limit=600, wrapper=()):
    """Runs make in the lab's tree; returns its status and what it printed."""
    command = (*wrapper, "make", "-s", f"-j{os.cpu_count() or 1}", *arguments)
    with process.group(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as started:
        try:
            output = started.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            return 1, f"the compiler did not finish within {limit} s"
    return started.returncode, output.decode(errors="replace")


@contextlib.contextmanager
def alone(what):
    """While the block runs, no other command in this clone is in a block of this name:
    two at a time would build the same files."""
    os.makedirs(absolute(BUILT), exist_ok=True)
    with open(absolute(f"{BUILT}/{what}.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest(path):
    """What stands for the contents of a learner's file and of the headers beside it.
    Their times tell less: an editor or git may put an old file back as it was."""
    place = os.path.dirname(path)
    headers = [name for name in os.listdir(absolute(place)) if name.endswith(".h")]
    total = hashlib.sha256()
    for name in (path, *(f"{place}/{name}" for name in sorted(headers))):
        if os.path.isfile(absolute(name)):
            total.update(f"{name}\0{read(name)}\0".encode())
    return total.hexdigest()


def make_own(*arguments):
    """Builds what belongs to the lab, and not to the learner."""
    status, output = make(*arguments)
    if status != 0:
        raise Broken("the lab itself does not build:\n" + output[-SHOWN:])


def prepare():
    """Builds all of the lab that grading needs."""
    with alone("prepare"):
        make_own(*PLAIN, FIXED, JUDGE, "shared")
        make_own(*SANITIZED, "shared")


def write_units(directory, server, units):
    """Writes the C of a server's scenarios, given by name, into a directory; leaves a
    file alone that is the same already, so that it is not compiled again."""
    texts = {f"{name}.c": text for name, text in units.items()}
    texts["list.c"] = source.listing(server, list(units))
    os.makedirs(absolute(directory), exist_ok=True)
    for name in os.listdir(absolute(directory)):
        if name.endswith(".c") and name not in texts:
            os.unlink(absolute(f"{directory}/{name}"))
    for name, text in texts.items():
        path = f"{directory}/{name}"
        if not os.path.exists(absolute(path)) or read(path) != text:
            write(path, text)


def link(settings, directory, program, wrapper=()):
    """Compiles the units of a directory and links them into `program`. Returns None, or
    what the compiler said."""
    goal = ("server", f"UNITS={directory}", f"SERVER={program}")
    status, output = make(*settings, *goal, limit=LIMIT, wrapper=wrapper)
    return None if status == 0 else output


def put(program, path):
    """Copies a program to another path, also if that one is running."""
    os.makedirs(os.path.dirname(absolute(path)), exist_ok=True)
    shutil.copy2(absolute(program), absolute(f"{path}.new"))
    os.replace(absolute(f"{path}.new"), absolute(path))


def messages_of(output, path):
    """What the compiler and the linker said about one file, without warnings; all that
    they said if they did not name it."""
    kept, inside = [], False
    for line in output.splitlines():
        line = line.removeprefix("./")
        if re.match(
            r"\S+:\d+:\d+: |\S+: In function|\S+: At top level|In file|make: ", line
        ):
            inside = re.match(re.escape(path) + r":\d+:\d+: (?!warning)", line)
        if inside:
            kept.append(line)
    return "\n".join(kept) or output.strip()
