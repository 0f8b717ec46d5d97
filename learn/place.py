"""Where things are: the lab's tree, the learner's own files, and what is built."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MINE = "mine"  # the learner's files and progress, below ROOT
BUILT = "build/learn"  # what is made for the exercises, below ROOT


def absolute(path):
    """The absolute path of one that is relative to the lab's tree."""
    return os.path.join(ROOT, path)


def read(path):
    """The text of a file, whatever bytes it has; the path is relative to the tree."""
    with open(absolute(path), encoding="utf-8", errors="replace") as file:
        return file.read()


def write(path, text):
    """Writes a file whole or not at all, and makes its directory."""
    path = absolute(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    unfinished = f"{path}.{os.getpid()}.new"
    try:
        with open(unfinished, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(unfinished, path)
    except BaseException:
        if os.path.exists(unfinished):
            os.unlink(unfinished)
        raise
