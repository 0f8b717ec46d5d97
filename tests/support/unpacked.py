"""Debian's packages for the tests: unpacked into the build directory, not installed,
because installing a server's package starts it."""

import fcntl
import functools
import glob
import os
import platform
import re
import shutil

from checks import check
from commands import run
from tree import BUILD

PROGRAMS = os.path.join(BUILD, "programs")
LIBRARIES = re.compile(r"^Inst (lib\S+)", re.MULTILINE)


class Tree:
    """What packages contain, with the libraries that they need and this machine lacks."""

    def __init__(self, directory):
        self.directory = directory

    def path(self, name):
        """Where a file is that the package has at /NAME."""
        return os.path.join(self.directory, name)

    @property
    def environment(self):
        """What the programs need in their environment to find their libraries."""
        found = glob.glob(self.path("usr/lib/*-linux-gnu"))
        found += glob.glob(self.path("lib/*-linux-gnu"))
        return {"LD_LIBRARY_PATH": ":".join(found)} if found else {}


@functools.lru_cache(maxsize=None)
def unpacked(program, *packages):
    """The tree of these packages, of which the first gives the name; `program` is a file
    in it, without the slash at its beginning. It is unpacked once a build."""
    os.makedirs(PROGRAMS, exist_ok=True)
    # The version is in the directory's name, so that a report says what was run.
    pattern = os.path.join(PROGRAMS, f"{packages[0]}_*_{release()}")
    with open(os.path.join(PROGRAMS, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers may want the same
        found = sorted(glob.glob(pattern)) or [unpack(program, packages)]
    tree = Tree(found[-1])
    check(os.access(tree.path(program), os.X_OK), f"{packages} have no {program}")
    return tree


def installed_or_unpacked(program, package):
    """The path of a program that this machine may have, and its environment."""
    if os.access(f"/{program}", os.X_OK):
        return f"/{program}", {}
    tree = unpacked(program, package)
    return tree.path(program), tree.environment


def release():
    """The name of this release of Debian."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")


def unpack(program, packages):
    """Downloads and unpacks packages, and the missing libraries; returns the directory."""
    scratch = os.path.join(PROGRAMS, f".{packages[0]}.{os.getpid()}")
    try:
        os.mkdir(scratch)
        files = download(packages, scratch)
        version = os.path.basename(files[0]).split("_")[1]
        extract(files, scratch)
        if lacks_libraries(Tree(scratch), program):
            known = run(
                "apt-get", "install", "-s", "--no-install-recommends", *packages
            )
            libraries = set(LIBRARIES.findall(known.stdout)) - set(packages)
            extract(download(sorted(libraries), scratch), scratch)
        check(not lacks_libraries(Tree(scratch), program), f"{program} lacks libraries")
        directory = os.path.join(PROGRAMS, f"{packages[0]}_{version}_{release()}")
        os.rename(scratch, directory)  # nobody sees half of a program
        return directory
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def download(packages, directory):
    """Has apt download packages; returns the files, in the order of the packages."""
    if not packages:
        return []
    # As root, apt would download as a user who cannot write here.
    command = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages)
    done = run(*command, cwd=directory, check_exit=False, limit=250)
    if done.returncode != 0:
        # A fresh machine has no lists of packages, and old lists name old versions.
        update(packages, done.stderr)
        run(*command, cwd=directory, limit=250)
    names = [glob.glob(os.path.join(directory, f"{each}_*.deb")) for each in packages]
    check(all(names), f"apt-get downloaded not all of {packages}: {names}")
    return [found[0] for found in names]


def update(packages, said):
    """Has apt read its sources, if this user may; sudo must not ask for a password."""
    as_root = []
    if os.geteuid() != 0:
        as_root = ["sudo", "-n"]
        check(
            shutil.which("sudo")
            and run(*as_root, "true", check_exit=False).returncode == 0,
            f"apt-get cannot download {' '.join(packages)}: run apt-get update as root, "
            f"then try again\n{said}",
        )
    run(*as_root, "apt-get", "-q", "-o", "DPkg::Lock::Timeout=200", "update", limit=250)


def extract(files, directory):
    for file in files:
        run("dpkg", "-x", file, directory)
        os.unlink(file)


def lacks_libraries(tree, program):
    """Whether the loader finds not all libraries of a program."""
    environment = os.environ | tree.environment
    done = run("ldd", tree.path(program), env=environment, check_exit=False)
    return "not found" in done.stdout
