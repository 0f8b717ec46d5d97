"""scripts/setup.sh asks for what the release has: tried against releases that are made
up, with stand-ins for apt-get, apt-cache and dpkg-query."""

import os
import shutil
import tempfile

from checks import check, equal
from commands import run
from tree import ROOT, scratch

SETUP = os.path.join(ROOT, "scripts", "setup.sh")

# Each stand-in notes how it is called. Apt knows the packages in the file `offered`,
# which apt-get update copies from `archive`; `installed` is what dpkg says.
STANDINS = {
    "dpkg-query": """
for name in "$@"; do
    grep -qx -- "$name" installed && echo "installed $name"
done
exit 1
""",
    "apt-cache": """
if grep -qx -- "$2" offered; then
    printf '%s:\\n  Installed: (none)\\n  Candidate: 1.0\\n' "$2"
elif [ "$2" = google-perftools ]; then
    printf '%s:\\n  Installed: (none)\\n  Candidate: (none)\\n' "$2"
fi
""",
    "apt-get": """
echo "$@" >>calls
case "$*" in
*update*) cp archive offered ;;
*install*)
    seen=
    for name in "$@"; do
        if [ -n "$seen" ]; then
            grep -qx -- "$name" offered || { echo "E: no $name"; exit 100; }
            echo "$name" >>installed
        fi
        [ "$name" = --no-install-recommends ] && seen=yes
    done ;;
esac
exit 0
""",
    "sudo": "exit 1",
}


def lists():
    """What setup.sh lists for all of its options: everything but the pprof."""
    with open(SETUP, encoding="utf-8") as file:
        text = file.read()
    names = []
    for part in text.split("_packages=(\n")[1:]:
        names += part.split("\n)")[0].split()
    return sorted(set(names))


class Release:
    """A made-up release, and what setup.sh does on it."""

    def __init__(self, archive, offered=(), installed=(), folder=None):
        self.folder = folder or scratch()
        os.makedirs(self.folder, exist_ok=True)
        for name, names in (
            ("archive", archive),
            ("offered", offered),
            ("installed", installed),
            ("calls", ()),
        ):
            self.write(name, "".join(f"{each}\n" for each in names))
        for name, text in STANDINS.items():
            self.write(name, f"#!/bin/sh\n{text}")
            os.chmod(os.path.join(self.folder, name), 0o755)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read().splitlines()

    def run(self, *command, check_exit=True):
        path = f"{self.folder}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path}
        return run(*command, cwd=self.folder, env=environment, check_exit=check_exit)

    def setup(self, *options):
        return self.run(SETUP, *options)


OLD = [*lists(), "google-perftools"]  # Debian 12 and 13
NEW = lists()  # unstable


def test_no_name_of_package_has_version_of_clang():
    """No name of a package has a version of clang, gcc or Go in it."""
    # These are the numbers of interfaces, the same in every release.
    stable = {"libc6-dev", "libcurl4-openssl-dev", "libsqlite3-dev", "python3"}
    stable |= {"python3-pytest", "python3-pytest-timeout", "python3-pytest-xdist"}
    stable.add("node-d3-hierarchy")
    stable.add("python3-selenium")
    found = {name for name in lists() if any(letter.isdigit() for letter in name)}
    equal(found, stable, "names with digits")


def test_bare_release_with_google_pprof_that_is_installed():
    """A bare release with google-pprof: that is installed, and no Go."""
    release = Release(OLD)
    done = release.setup()
    installed = release.read("installed")
    check("google-perftools" in installed, done.stdout)
    check("golang-go" not in installed, done.stdout)
    check("golang-go" not in done.stdout, done.stdout)
    equal(release.setup().stdout, "setup.sh: all packages are installed.\n", "again")


def test_bare_release_without_google_pprof():
    """A bare release without google-pprof: Go's pprof is installed in its place."""
    for offered in ((), NEW):
        release = Release(NEW, offered)
        done = release.setup()
        check("golang-go" in release.read("installed"), done.stdout)
        check("google-perftools" not in done.stdout.split(), done.stdout)
        again = release.setup().stdout
        equal(again, "setup.sh: all packages are installed.\n", "again")


def test_tests_and_debian_install_all_of_their_lists():
    """--tests and --debian install all of their lists, on either release."""
    for archive, reader in ((OLD, "google-perftools"), (NEW, "golang-go")):
        release = Release(archive)
        release.setup("--tests", "--debian")
        equal(sorted(release.read("installed")), sorted({*NEW, reader}), "installed")


def test_when_it_cannot_install(request):
    """When it cannot install, it names the release's own reader and exits 1."""
    # Another user than root may not enter TMPDIR, nor where the lab is.
    folder = tempfile.mkdtemp(dir="/tmp")
    request.addfinalizer(lambda: shutil.rmtree(folder))
    os.chmod(folder, 0o755)
    setup = shutil.copy(SETUP, folder)
    command = [setup]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--clear-groups", setup]
    for archive, reader in ((OLD, "google-perftools"), (NEW, "golang-go")):
        release = Release(archive, offered=archive, folder=os.path.join(folder, reader))
        done = release.run(*command, check_exit=False)
        equal(done.returncode, 1, f"exit; {done.stdout}{done.stderr}")
        words = done.stderr.split()
        check("apt-get" in words and "--no-install-recommends" in words, done.stderr)
        check(reader in words, done.stderr)
        equal(release.read("calls"), [], "calls of apt-get")
