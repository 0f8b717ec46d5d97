"""How far `verify` can protect the machine, and itself, from what it runs: what the
kernel allows here, the commands in front of compiler and server, and the directories
for them."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

from learn.homework import kernel
from learn.place import BUILT, ROOT, absolute
from learn.process import fork

LAUNCHER = (sys.executable, "-m", "learn.homework.sandbox")
OBJECTS = ("build/objects", f"{BUILT}/sanitized/objects")
TRY_SECONDS = 30


def enter_network():
    """A network for this process and its children alone; only loopback."""
    try:
        kernel.leave_network()
    except PermissionError:
        kernel.own_users(0, 0)
        kernel.leave_network()


class Protection:
    """A context manager: what it makes is removed at the end, after all processes
    below this one have been ended."""

    def __init__(self):
        os.makedirs(absolute(BUILT), exist_ok=True)
        self.directory = tempfile.mkdtemp(prefix="verify-", dir=absolute(BUILT))
        os.chmod(self.directory, 0o755)
        self.path = os.path.relpath(self.directory, ROOT)
        self.root = f"{self.directory}/root"  # where each sandbox mounts its own
        self.temporary = f"{self.directory}/tmp"
        for directory in (self.root, self.temporary):
            os.mkdir(directory)
        self.network = self.namespaces = "not tried"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        kernel.end_descendants()
        made = [absolute(f"{objects}/{self.path}") for objects in OBJECTS]
        for directory in (self.directory, *made):
            shutil.rmtree(directory, ignore_errors=True)

    # -- what is possible --------------------------------------------------------------

    def explore(self):
        """Tries everything in a process of its own. Sets `network` and `namespaces`: ""
        for what works, else the reason why it does not."""
        read_end, write_end = os.pipe()
        child = fork()
        if child == 0:
            try:
                os.write(write_end, "\0".join(self._try_here()).encode())
            finally:
                os._exit(0)
        os.close(write_end)
        with open(read_end, encoding="utf-8") as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        self.network, self.namespaces = told.split("\0") if told else ("", "it ended")

    def _try_here(self):
        try:
            enter_network()
        except OSError as error:
            network = error.strerror
        else:
            network = ""
        command = (*self._apart(), "--nobody", "--", "true")
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TRY_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return network, str(error)
        reason = done.stderr.strip().splitlines()[-1:] or ["it does not start"]
        return network, "" if done.returncode == 0 else reason[0]

    def said(self):
        """What a person must know before it begins."""
        lines = ["This runs code that others wrote, under limits of time and memory."]
        if self.namespaces:
            lines += [
                f"NOT CONFINED: its files and processes ({self.namespaces}).",
                "It can do what you can. Use a machine or a user without anything of",
                "value, or a container that allows unshare.",
            ]
        else:
            lines.append("It sees /usr and its own files; nothing it starts stays.")
        if self.network:
            lines.append(f"NOT CONFINED: its network ({self.network}).")
        else:
            lines.append("It has no network but loopback.")
        return "\n".join(lines)

    # -- what it gives to each case ----------------------------------------------------

    def enter(self):
        """Protects this process and its children, as far as it is possible here."""
        os.environ["TMPDIR"] = tempfile.tempdir = self.temporary
        if not self.network:
            enter_network()

    def _apart(self):
        return (*LAUNCHER, "--namespaces", self.root)

    def work(self, case):
        """The directory of a case, relative to the lab's tree."""
        return f"{self.path}/{case.name}"

    def copy(self, case, text):
        """Makes the directory of a case, with the learner's text in it."""
        os.mkdir(absolute(self.work(case)))
        with open(absolute(f"{self.work(case)}/{case.name}.c"), "wb") as file:
            file.write(text)
        for objects in OBJECTS:
            os.makedirs(absolute(f"{objects}/{self.work(case)}"), exist_ok=True)

    def compiler(self, case):
        """What is put in front of the compiler: it reads the lab, and writes what
        belongs to the case."""
        if self.namespaces:
            return (*LAUNCHER, "--environment", "--")
        objects = (f"{top}/{self.work(case)}" for top in OBJECTS)
        made = (self.work(case), *objects)
        writable = [word for path in made for word in ("--write", absolute(path))]
        rooms = (*self._apart(), "--no-network", "--environment", "--read", ROOT)
        return (*rooms, *writable, "--")

    def server(self, case):
        """What is put in front of the server: it reads its own program."""
        if self.namespaces:
            return (*LAUNCHER, "--")
        return (*self._apart(), "--nobody", "--read", absolute(self.work(case)), "--")


# -- whether the lab's own files are as they were --------------------------------------

SKIPPED = {".git", "mine", "out", "profiles", "tests", "docs", "build", "__pycache__"}
PROGRAMS = ("build/fixed", "build/leakcheck", "build/flags", "build/embedded")
# What is built for a case: it changes when somebody practises here at the same time.
SKIPPED_BUILT = {absolute(f"{objects}/build") for objects in OBJECTS}


def own_files():
    """The files of the lab that a verdict depends on, sources and what is built."""
    sources = [name for name in os.listdir(ROOT) if name not in SKIPPED]
    for top in map(absolute, sorted((*sources, *PROGRAMS, *OBJECTS))):
        if os.path.isfile(top):
            yield top
        for path, directories, names in os.walk(top):
            directories[:] = sorted(
                name
                for name in directories
                if name not in SKIPPED and f"{path}/{name}" not in SKIPPED_BUILT
            )
            yield from (f"{path}/{name}" for name in sorted(names))


def digest():
    """A hash over these files."""
    total = hashlib.sha256()
    for path in own_files():
        with open(path, "rb") as file:
            each = hashlib.sha256(file.read()).hexdigest()
        total.update(f"{path}\0{each}\n".encode(errors="surrogateescape"))
    return total.hexdigest()
