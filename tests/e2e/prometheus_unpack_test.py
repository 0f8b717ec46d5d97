"""scripts/prometheus-unpack.sh, with stand-ins for apt and dpkg: what it leaves and
says, and several runs at a time. metrics_test.py runs it with Debian's."""

import os

import pytest

from checks import check, equal
from commands import finish, start
from tree import ROOT, scratch

SCRIPT = os.path.join(ROOT, "scripts", "prometheus-unpack.sh")

APT_GET = """\
echo "$*" >>"$LOG"
case "$*" in
*download*) [[ ! -e $LAB/offline ]] || { echo 'E: no route'; exit 100; }
    touch prometheus_1_all.deb ;;
*update*) touch "$LAB/updated" ;;
esac
"""
APT_CACHE = """\
[[ -e $LAB/known || -e $LAB/updated ]] || exit 0
if [[ $2 == prometheus || -e $LAB/split ]]; then
    printf '%s:\\n  Candidate: 2.42.0\\n' "$2"
fi
"""
DPKG = """\
mkdir -p "$3/usr/bin"
for name in prometheus promtool; do
    head -c 1000000 /dev/zero >"$3/usr/bin/$name"
    chmod +x "$3/usr/bin/$name"
done
if [[ -e $LAB/broken ]]; then rm "$3/usr/bin/promtool"; fi
"""


class Lab:
    """A directory with stand-ins for the programs that the script runs."""

    def __init__(self):
        self.path = scratch()
        self.target = os.path.join(self.path, "deep", "target")
        os.mkdir(f"{self.path}/bin")
        # As for a user who may do nothing: no test changes this machine.
        programs = {
            "apt-get": APT_GET,
            "apt-cache": APT_CACHE,
            "dpkg": DPKG,
            "sudo": '[[ -e $LAB/sudo ]] || exit 1\nshift\nexec "$@"\n',
        }
        for name, text in programs.items():
            with open(f"{self.path}/bin/{name}", "w", encoding="ascii") as file:
                file.write(f"#!/bin/bash\n{text}")
            os.chmod(f"{self.path}/bin/{name}", 0o755)
        self.mark("known")

    def mark(self, name):
        with open(os.path.join(self.path, name), "w", encoding="ascii"):
            pass

    def start(self, *arguments):
        environment = os.environ | {
            "LAB": self.path,
            "LOG": f"{self.path}/log",
            "PATH": f"{self.path}/bin:{os.environ['PATH']}",
        }
        return start(SCRIPT, *(arguments or (self.target,)), env=environment)

    def run(self, *arguments):
        return finish(self.start(*arguments))

    def calls(self):
        """What apt-get was asked for."""
        path = os.path.join(self.path, "log")
        if not os.path.exists(path):
            return []
        with open(path, encoding="ascii") as log:
            return log.read().splitlines()


@pytest.fixture(name="lab")
def made():
    return Lab()


def whole(lab):
    """Checks that both programs are there, and nothing else."""
    equal(sorted(os.listdir(lab.target)), ["prometheus", "promtool"], "left")
    for name in os.listdir(lab.target):
        path = os.path.join(lab.target, name)
        check(os.access(path, os.X_OK), f"{name} cannot be run")
        equal(os.path.getsize(path), 1000000, f"size of {name}")


def test_it_leaves_both_programs_and_does_no_more_the_second_time(lab):
    """It prints nothing, and asks apt for nothing once they are there."""
    equal(lab.run(), (0, ""))
    whole(lab)
    calls = lab.calls()
    equal(len(calls), 1, "calls of apt-get")
    check(calls[0].endswith("download prometheus"), calls)
    equal(lab.run(), (0, ""))
    equal(lab.calls(), calls, "calls of apt-get")


def test_promtool_with_a_package_of_its_own(lab):
    """Where apt offers one, it is unpacked too."""
    lab.mark("split")
    equal(lab.run(), (0, ""))
    check(lab.calls()[0].endswith("download prometheus promtool"), lab.calls())
    whole(lab)


def test_runs_at_the_same_time_do_not_disturb_each_other(lab):
    """Each run ends well, and nothing is left half."""
    for process in [lab.start() for _ in range(6)]:
        equal(finish(process), (0, ""))
    whole(lab)


def test_package_that_apt_does_not_know_yet(lab):
    """Root, or a user of sudo, has apt read its sources; others are told to."""
    os.unlink(os.path.join(lab.path, "known"))
    if os.geteuid() != 0:
        status, output = lab.run()
        equal(status, 1)
        check("run apt-get update as root" in output, output)
        lab.mark("sudo")
    equal(lab.run(), (0, ""))
    check(lab.calls()[0].endswith("update"), lab.calls())
    whole(lab)


@pytest.mark.parametrize(
    "fault, said",
    (("offline", "is there a network?"), ("broken", "no package has promtool")),
)
def test_failure_is_explained_and_leaves_nothing_half(lab, fault, said):
    """Exit 1, and no scratch directory stays."""
    lab.mark(fault)
    status, output = lab.run()
    equal(status, 1)
    check(said in output, output)
    check(not [n for n in os.listdir(lab.target) if n.startswith(".")], "scratch")
    os.unlink(os.path.join(lab.path, fault))
    equal(lab.run(), (0, ""), "the next run")
    whole(lab)


def test_usage(lab):
    """One directory, or --help."""
    for arguments in (("a", "b"), ("-x",), ("",)):
        status, output = lab.run(*arguments)
        equal(status, 2, arguments)
        check(output.startswith("usage: scripts/prometheus-unpack.sh DIR"), output)
    equal(lab.run("--help")[0], 0)
