"""Every command in README.md and docs/ is run: each block marked "sh", in order,
against both servers. A comment above a block may say that it ends with another exit
status than 0, or why it cannot run here:
<!-- exits 1 -->
<!-- not run by the tests here: the reason -->
"""

import glob
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from checks import check, equal
from commands import run
from scenarios import scenario_names
from servers import Server
from tree import ROOT, copy_with_build, scratch

NOTE = re.compile(r"<!--\s*(?:exits (\d+)|not run[^:]*:\s*(.*?))\s*-->\s*", re.S)
BLOCK = re.compile(f"(?:{NOTE.pattern})?^```(\\w*)\n(.*?)^```$", re.M | re.S)
PORTS = {"8080": "leaky", "6060": "leaky", "8081": "fixed", "6061": "fixed"}


def pages():
    found = [os.path.join(ROOT, "README.md")]
    return found + sorted(glob.glob(os.path.join(ROOT, "docs", "*.md")))


def blocks(page):
    """The commands of a page: (line, text, exit status, reason not to run it)."""
    with open(page, encoding="utf-8") as file:
        text = file.read()
    for found in BLOCK.finditer(text):
        if found[3] in ("sh", "bash", "shell"):
            line = text.count("\n", 0, found.start(3)) + 1
            yield line, found[4], int(found[1] or 0), found[2]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def with_ports(commands, servers):
    """The commands with the ports that the servers really have. A server that the
    commands start themselves gets a free one."""
    for started in set(re.findall(r"--port ([1-9]\d*)", commands)):
        commands = re.sub(rf"\b{started}\b", str(free_port()), commands)

    def port(found):
        server = servers[PORTS[found[1]]]
        return f":{server.port if found[1].startswith('80') else server.debug_port}"

    return re.sub(r":(8080|8081|6060|6061)\b", port, commands)


def run_block(commands, cwd, environment, expected):
    """Runs commands as a shell does, and ends what they left running."""
    process = subprocess.Popen(
        ["bash", "-eu", "-c", commands],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env=environment,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        output, process.returncode = "", "none within 120 s"
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    check(
        process.returncode == expected,
        f"exit {process.returncode}, expected {expected}:\n"
        f"{commands}\n{output[-3000:]}",
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [os.path.relpath(page, ROOT) for page in pages()])
def test_every_command_runs(name):
    """Runs the commands of one page, in a copy of the tree that has been built."""
    copy = copy_with_build()
    build = os.path.join(copy, "build")
    home = scratch()
    with open(os.path.join(home, ".curlrc"), "w", encoding="ascii") as file:
        file.write("fail\n")  # An error reply is no success, though curl takes it so.
    environment = {k: v for k, v in os.environ.items() if k != "BUILD"}
    environment |= {"HOME": home, "PPROF_TMPDIR": home}
    with Server("leaky", build=build, cwd=copy) as leaky:
        with Server("fixed", build=build, cwd=copy) as fixed:
            for line, commands, expected, reason in blocks(os.path.join(ROOT, name)):
                if reason is not None:
                    check(len(reason) > 10, f"line {line}: the reason says too little")
                    continue
                commands = with_ports(commands, {"leaky": leaky, "fixed": fixed})
                if not shutil.which("google-pprof"):
                    # As README.md says of Debian unstable.
                    commands = commands.replace("google-pprof", "go tool pprof")
                try:
                    run_block(commands, copy, environment, expected)
                except AssertionError as error:
                    raise AssertionError(f"line {line}: {error}") from None


def test_links_between_pages_lead_to_files_that_are_there():
    """Links between the pages lead to files that are there."""
    for page in pages():
        with open(page, encoding="utf-8") as file:
            text = re.sub(r"^```.*?^```$", "", file.read(), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            path = os.path.join(os.path.dirname(page), target)
            check(os.path.exists(path), f"{os.path.basename(page)}: no {target}")


def test_readme_lists_every_scenario_of_list():
    """README lists every scenario of the list, and none that is not there."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| `([a-z-]+)` \|", file.read(), re.MULTILINE)
    equal(rows, scenario_names(), "scenarios in the table")


def test_make_help_and_pages_name_no_target_that_is_not_there():
    """Make help and the pages name no target that is not there."""
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as file:
        targets = set(re.findall(r"^([a-z-]+):", file.read(), re.MULTILINE))
    texts = [run("make", "-s", cwd=ROOT).stdout]
    for page in pages():
        texts += [commands for _, commands, _, _ in blocks(page)]
    for text in texts:
        for name in re.findall(r"\bmake ([a-z]+)\b", text):
            check(name in targets, f"make {name}: no such target")
