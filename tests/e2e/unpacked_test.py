"""How Debian's packages come to the tests that run others' programs, with stand-ins for
apt and dpkg: nothing is downloaded twice, and a package that cannot be had is an error."""

import os

import pytest

import unpacked
from checks import check, equal
from tree import scratch

APT_GET = """\
echo "$*" >>"$LAB/calls"
case "$*" in
*update*) touch "$LAB/updated" ;;
*download*)
    [[ -e $LAB/updated && ! -e $LAB/offline ]] || { echo 'E: no package' >&2; exit 100; }
    while [[ $1 != download ]]; do shift; done
    for name in "${@:2}"; do touch "${name}_1.2_all.deb"; done ;;
*install*) echo 'Inst libwanted1 (1.0 Debian [amd64])'; echo 'Inst other (1.0)' ;;
esac
"""
DPKG = """\
mkdir -p "$3/usr/bin"
case $2 in
*libwanted1*) touch "$LAB/library" ;;
*) printf '#!/bin/sh\\n' >"$3/usr/bin/server"; chmod +x "$3/usr/bin/server" ;;
esac
"""
LDD = '[[ -e $LAB/library ]] || echo "libwanted.so.1 => not found"\n'
SUDO = '[[ -e $LAB/sudo ]] || exit 1\nshift\nexec "$@"\n'


@pytest.fixture(name="lab")
def stand_ins(monkeypatch):
    """A directory with stand-ins; packages are unpacked in it, too."""
    directory = scratch()
    os.mkdir(f"{directory}/bin")
    programs = {"apt-get": APT_GET, "dpkg": DPKG, "ldd": LDD, "sudo": SUDO}
    for name, text in programs.items():
        with open(f"{directory}/bin/{name}", "w", encoding="ascii") as file:
            file.write(f"#!/bin/bash\n{text}")
        os.chmod(f"{directory}/bin/{name}", 0o755)
    monkeypatch.setenv("LAB", directory)
    monkeypatch.setenv("PATH", f"{directory}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(unpacked, "PROGRAMS", f"{directory}/programs")
    unpacked.unpacked.cache_clear()
    yield directory
    unpacked.unpacked.cache_clear()


def mark(lab, name):
    with open(os.path.join(lab, name), "w", encoding="ascii"):
        pass


def calls(lab):
    """What apt-get was asked to do."""
    with open(os.path.join(lab, "calls"), encoding="ascii") as file:
        kinds = ("update", "download", "install")
        return [kind for line in file for kind in kinds if kind in line.split()]


def test_package_comes_with_the_libraries_that_are_missing(lab, monkeypatch):
    """The lists of packages are renewed when apt knows it not; then it is there, once."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for _ in range(2):
        tree = unpacked.unpacked("usr/bin/server", "server")
        unpacked.unpacked.cache_clear()
        check(os.access(tree.path("usr/bin/server"), os.X_OK), "no program")
    check(os.path.basename(tree.directory).startswith("server_1.2_"), tree.directory)
    expected = ["download", "update", "download", "install", "download"]
    equal(calls(lab), expected, "apt-get")
    left = [name for name in os.listdir(unpacked.PROGRAMS) if name.startswith(".")]
    equal(left, [], "left")


def test_package_that_cannot_be_had_is_an_error(lab, monkeypatch):
    """With apt's words; nothing half stays."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    mark(lab, "offline")
    with pytest.raises(AssertionError, match="E: no package"):
        unpacked.unpacked("usr/bin/server", "server")
    equal(os.listdir(unpacked.PROGRAMS), ["lock"], "left")
    os.unlink(os.path.join(lab, "offline"))
    mark(lab, "library")
    with pytest.raises(AssertionError, match="no usr/bin/other"):
        unpacked.unpacked("usr/bin/other", "server")


def test_user_without_rights_is_told_what_to_run(lab, monkeypatch):
    """Only root, or sudo without a password, renews the lists."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(AssertionError, match="run apt-get update as root"):
        unpacked.unpacked("usr/bin/server", "server")
    mark(lab, "sudo")
    unpacked.unpacked("usr/bin/server", "server")
