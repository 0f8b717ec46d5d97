"""Where things are: the sources, what is built, and scratch directories."""

import os
import shutil
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD") or os.path.join(ROOT, "build"))

_made = []  # scratch directories, in the order of creation


def scratch(prefix="leak-lab-"):
    """A new directory. It is removed with what made it: a test or, if a fixture of a
    module did, the whole run."""
    directory = tempfile.mkdtemp(prefix=prefix)
    _made.append(directory)
    return directory


def scratch_count():
    """How many scratch directories there are."""
    return len(_made)


def remove_scratch(kept):
    """Removes all scratch directories but the first `kept`."""
    while len(_made) > kept:
        shutil.rmtree(_made.pop(), ignore_errors=True)


def copy_of_tree():
    """A scratch copy of the sources, to change and to build; without any output."""
    copy = os.path.join(scratch(), "lab")
    copy_to(copy)
    return copy


def copy_to(copy):
    """Copies the sources, without any output, to a directory that is not there yet."""
    output = (".git", "build", "out", "profiles", "mine", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*output))


def copy_with_build():
    """A copy of the tree with what is built, so that only what changes is rebuilt.
    That holds for C files alone: which headers they need is noted for another path."""
    copy = copy_of_tree()
    # Prometheus and servers are unpacked there, too: 100 MB that no copy needs.
    ignored = shutil.ignore_patterns("prometheus", "programs")
    shutil.copytree(BUILD, os.path.join(copy, "build"), symlinks=True, ignore=ignored)
    return copy
