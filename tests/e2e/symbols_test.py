"""Names in programs that are not ours: of stripped files with detached symbols, of C++,
after a chroot, after rights are dropped, of files that were replaced; and what the index
page says about names that are missing."""

import os
import shutil
import subprocess

import pytest

from checks import equal
from commands import run
from tree import BUILD, ROOT, scratch

# One worker: the program is built once.
pytestmark = pytest.mark.xdist_group("symbol_names")

SOURCE = """
#include <stdint.h>
__attribute__((noinline)) static int NAME(int value)
{
    return value * 7;
}
uintptr_t inner_address(void);
uintptr_t inner_address(void)
{
    return (uintptr_t)NAME;
}
"""
LINE = 4  # where the function begins

CPP_SOURCE = """
#include <cstdint>
#include <vector>
namespace shop {
template <typename Item> struct Order {
    __attribute__((noinline)) int add(Item item, std::vector<Item> &items)
    {
        items.push_back(item);
        return 1;
    }
};
template struct Order<int>;
}
extern "C" uintptr_t inner_address(void)
{
    auto function = &shop::Order<int>::add;
    uintptr_t address;
    __builtin_memcpy(&address, &function, sizeof(address));
    return address;
}
"""


@pytest.fixture(name="program", scope="module")
def built_program():
    """The program that looks up names."""
    program = f"{BUILD}/tests/programs/symbol_names"
    run("make", "-s", f"BUILD={BUILD}", program, cwd=ROOT, limit=280)
    return program


class Names:
    """The program while it runs: a command gives a line."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=60)
        equal(self.process.returncode, 0, "the program's exit status")

    def ask(self, command):
        """The answer to a command."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def expect(self, command, answer):
        """Fails unless the command is answered in this way."""
        equal(self.ask(command), answer, command)


def library(folder, name="inner", build_id="sha1"):
    """Builds a library whose static function has this name; returns its path."""
    path = os.path.join(folder, "libinner.so")
    with open(f"{folder}/inner.c", "w", encoding="ascii") as source:
        source.write(SOURCE.replace("NAME", name))
    options = ("-g", "-O0", "-shared", "-fPIC", f"-Wl,--build-id={build_id}")
    run("gcc", *options, "-o", path + ".new", "inner.c", cwd=folder)
    os.rename(path + ".new", path)  # a new file: the old one may be mapped
    return path


def detached(path, folder):
    """Takes the symbols out of a library into a file of the folder; returns its path,
    and where it belongs below the debug root."""
    file = os.path.join(folder, "libinner.so.debug")
    run("objcopy", "--only-keep-debug", path, file)
    run("strip", "--strip-unneeded", path)
    text = run("readelf", "-n", path).stdout
    build_id = text.partition("Build ID: ")[2].split()[0]
    return file, f".build-id/{build_id[:2]}/{build_id[2:]}.debug"


def open_to_all(folder):
    """Lets a user without rights reach the folder."""
    os.chmod(os.path.dirname(folder), 0o711)
    os.chmod(folder, 0o755)


def known(folder, name="inner"):
    """The answer where all is known."""
    return f"{name} {name} {folder}/inner.c:{LINE}"


def is_made_up(answer):
    """Fails unless the name is made of file and offset."""
    assert answer.startswith("libinner.so"), answer
    assert "+0x" in answer and answer.endswith(" ?:0"), answer


def test_nothing_is_read_before_it_is_needed(program):
    """libdw is opened by the first look-up; afterwards no file stays open."""
    with Names(program) as names:
        names.expect("dw", "no")
        before = int(names.ask("count"))
        assert names.ask("own").startswith("own_static own_static tests/programs/")
        names.expect("dw", "yes")
        equal(int(names.ask("count")), before + 1, "descriptors: one for the mappings")


def test_detached_symbols_by_build_id(program):
    """Also those that are installed while the program runs."""
    folder, root = scratch(), scratch()
    path = library(folder)
    file, place = detached(path, folder)
    with Names(program) as names:
        names.ask(f"debug {root}")
        names.expect(f"open {path}", "opened")
        is_made_up(names.ask("name"))
        os.makedirs(os.path.dirname(f"{root}/{place}"))
        shutil.copy(file, f"{root}/{place}")
        names.expect("name", known(folder))


def test_detached_symbols_by_link(program):
    """Beside the library and in .debug; those of another build are not taken."""
    folder, root = scratch(), scratch()
    path = library(folder)
    file, _ = detached(path, folder)
    run("objcopy", f"--add-gnu-debuglink={file}", path)
    os.mkdir(f"{folder}/.debug")
    os.rename(file, f"{folder}/.debug/libinner.so.debug")
    with Names(program) as names:
        names.ask(f"debug {root}")
        names.expect(f"open {path}", "opened")
        names.expect("name", known(folder))
    other = scratch()
    wrong, _ = detached(library(other, name="wrong"), other)
    os.rename(wrong, f"{folder}/.debug/libinner.so.debug")
    with Names(program) as names:
        names.ask(f"debug {root}")
        names.expect(f"open {path}", "opened")
        is_made_up(names.ask("name"))


def test_a_replaced_library_gives_no_wrong_names(program):
    """The file at its path has other functions by now. One of the same build is taken,
    as after a package was installed again."""
    folder = scratch()
    path = library(folder)
    shutil.copy(path, f"{folder}/same")
    with Names(program) as names:
        names.expect(f"open {path}", "opened")
        library(folder, name="wrong")
        names.expect("drop", "dropped")  # or the kernel's link leads to the old file
        is_made_up(names.ask("name"))
    path = library(folder)
    with Names(program) as names:
        names.expect(f"open {path}", "opened")
        library(folder, name="wrong")
        names.expect("name", known(folder))
    path = library(folder)
    open_to_all(folder)
    with Names(program) as names:
        names.expect(f"open {path}", "opened")
        os.unlink(path)
        os.rename(f"{folder}/same", path)
        names.expect("drop", "dropped")
        names.expect("name", known(folder))


def test_another_library_at_the_same_place(program):
    """Loaded and unloaded in turn, each has its own names, and the same memory."""
    folders = scratch(), scratch()
    paths = [library(folder, name) for folder, name in zip(folders, ("one", "two"))]
    with Names(program) as names:
        for _ in range(30):
            for path, folder, name in zip(paths, folders, ("one", "two")):
                names.expect(f"open {path}", "opened")
                names.expect("name", known(folder, name))
                names.expect("close", "0")
        assert names.ask("name").startswith("0x")


def test_names_of_cpp(program):
    """As pprof shows them, with the mangled name beside."""
    folder = scratch()
    with open(f"{folder}/inner.cc", "w", encoding="ascii") as source:
        source.write(CPP_SOURCE)
    path = f"{folder}/libinner.so"
    run("g++", "-g", "-O0", "-shared", "-fPIC", "-o", path, "inner.cc", cwd=folder)
    with Names(program) as names:
        names.expect(f"open {path}", "opened")
        function, system_name, place = names.ask("name").split(" ")
        equal(function, "shop::Order::add", "the readable name")
        assert system_name.startswith("_ZN4shop5OrderIiE3addE"), system_name
        equal(place, f"{folder}/inner.cc:6", "file and line")


def test_after_dropping_rights_and_in_a_jail(program):
    """What was mapped before a chroot has its names; a library of the new root too."""
    folder = scratch()
    path = library(folder)
    open_to_all(folder)
    with Names(program) as names:
        names.expect("drop", "dropped")
        assert names.ask("own").startswith("own_static ")
        names.expect(f"open {path}", "opened")
        names.expect("name", known(folder))
    jail = scratch()
    open_to_all(jail)
    with Names(program) as names:
        names.expect(f"open {path}", "opened")
        names.expect(f"jail {jail}", "jailed")
        names.expect("drop", "dropped")
        names.expect("name", known(folder))
        assert names.ask("own").startswith("own_static ")
        inside = library(jail, "inside")
        os.chmod(inside, 0o755)
        names.expect("open /libinner.so", "opened")
        names.expect("name", known(jail, "inside"))


def test_code_without_a_file(program):
    """The kernel's code has names; an unnamed file only an offset."""
    with Names(program) as names:
        names.expect("vdso", "clock_gettime")
        names.ask("own")  # from now on the loader counts no change
        assert names.ask("unnamed").startswith("memfd:made (deleted)+0x10 ")


def test_reading_that_is_interrupted(program):
    """The names come another time."""
    folder = scratch()
    path = library(folder)
    with Names(program) as names:
        names.expect(f"open {path}", "opened")
        names.expect("stop", "stop")
        is_made_up(names.ask("name"))
        names.expect("go", "go")
        names.expect("again", known(folder))


def test_a_damaged_file_does_no_harm(program):
    """Headers that point anywhere: no name, and no crash."""
    folder = scratch()
    path = library(folder)
    with Names(program) as names:
        names.expect(f"open {path}", "opened")
        with open(path, "rb") as file:
            content = bytearray(file.read())
        content[40:48] = b"\xff" * 8  # where the section headers are
        content[60:62] = b"\xff\xff"  # how many
        damaged = path + ".new"
        with open(damaged, "wb") as file:
            file.write(content)
        os.rename(damaged, path)
        open_to_all(folder)
        names.expect("drop", "dropped")
        is_made_up(names.ask("name"))
        assert names.ask("own").startswith("own_static ")


def test_the_index_says_what_is_missing(program):
    """The file, its build id and its package; and nothing of it once it is there."""
    folder, root, lists = scratch(), scratch(), scratch()
    path = library(folder)
    file, place = detached(path, folder)
    build_id = place.removeprefix(".build-id/").replace("/", "").removesuffix(".debug")
    with open(f"{lists}/libother.list", "w", encoding="ascii") as text:
        text.write(f"{path}.old\n/usr{path}/x\n")
    with open(f"{lists}/libinner1:amd64.list", "w", encoding="ascii") as text:
        text.write(f"/.\n{path}\n")
    with Names(program) as names:
        names.ask(f"debug {root}")
        names.ask(f"packages {lists}")
        names.expect(f"open {path}", "opened")
        page = names.ask("missing")
        entry = next(each for each in page.split("<li>") if path in each)
        assert "package <code>libinner1-dbgsym</code>" in entry, entry
        assert f"build id <code>{build_id}</code>" in entry, entry
        assert "debug archive" in page, page
        assert "symbol_names" not in page, page
        os.makedirs(os.path.dirname(f"{root}/{place}"))
        shutil.copy(file, f"{root}/{place}")
        assert path not in names.ask("missing")
