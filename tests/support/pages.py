"""README.md and the pages of docs/, as the tests read them: blocks of commands, and the
output that a page shows after them. A comment above a block says what is special:

<!-- exits 1 -->                           the commands end with this exit status
<!-- not run by the tests here: REASON -->
<!-- as on Debian 12: REASON -->           the output is compared on that release only
<!-- not compared: REASON -->              the output is of another time or place

Output is compared with that of the commands above it; see samples.py. A block that has
lines with "$ " shows commands with their output: these run at the end of the page."""

import dataclasses
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from checks import check
from tree import ROOT

BLOCK = re.compile(r"((?:^<!--(?:(?!-->).)*-->\n)*)^```(\w*)\n(.*?)^```$", re.M | re.S)
NOTE = re.compile(r"<!--\s*(exits|[^:]+:)\s*(.*?)\s*-->", re.S)
NOTES = {"exits", "not run by the tests here", "as on Debian 12", "not compared"}
PORTS = {"8080": "leaky", "6060": "leaky", "8081": "fixed", "6061": "fixed"}
PORTS |= {"8082": "recorded", "6062": "recorded"}  # leaky --profile recorder
STARTED = r"(?:--port |listen 127\.0\.0\.1:)([1-9]\d*)"  # by the commands themselves
PATIENCE_S = 300  # for the commands of one block: some compile the lab twice
HOME = "/home/you"  # the home directory in the pages, and the lab below it


@dataclasses.dataclass
class Block:
    """One block of a page: its first line, its language and text, and its notes."""

    line: int
    language: str
    text: str
    notes: dict

    @property
    def is_commands(self):
        return self.language == "sh"

    @property
    def is_session(self):
        return self.text.startswith("$ ") or "\n$ " in self.text


def page_names():
    """The pages, by their paths from the root."""
    docs = glob.glob(os.path.join(ROOT, "docs", "*.md"))
    return ["README.md", *sorted(os.path.relpath(page, ROOT) for page in docs)]


def page_text(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def page_blocks(name):
    """The blocks of a page, in order. A note that is not known fails."""
    text = page_text(name)
    found = []
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(2)) + 1
        notes = {kind.rstrip(":"): said for kind, said in NOTE.findall(block[1])}
        check(set(notes) <= NOTES, f"{name}:{line}: unknown note in {notes}")
        for kind, reason in notes.items():
            check(kind == "exits" or len(reason) > 10, f"{name}:{line}: no reason")
        found.append(Block(line, block[2], block[3], notes))
    return found


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


# A person types the next command when the connection of the last one is long closed. A
# script does not: on a busy machine its memory would be in the next heap dump.
CLOSED = """
curl() {
    local status=0 _
    command curl "$@" || status=$?
    for _ in {1..200}; do
        grep -qE "^ *[0-9]+: 0100007F:($SERVERS) [0-9A-F]+:[0-9A-F]+ 0[18] " /proc/net/tcp ||
            break
        sleep 0.02
    done
    return "$status"
}
export -f curl
"""


class Shell:
    """Runs the commands of a page in a copy of the tree, against two running servers,
    and gives their output with the ports and paths that the page has."""

    def __init__(self, directory, home, servers):
        self.directory = directory
        self.home = home
        self.servers = servers  # by name
        with open(os.path.join(home, ".curlrc"), "w", encoding="ascii") as file:
            # An error reply is no success. And curl's progress, which a terminal does
            # not show here, would be in the output.
            file.write("fail\nsilent\n")
        own = ("BUILD", "PPROF_TMPDIR", "DEBUGINFOD_URLS")
        self.environment = {k: v for k, v in os.environ.items() if k not in own}
        self.environment |= {"HOME": home}

    def add_programs(self, kind):
        """Debian's programs of this kind (see server_programs.py) can be called as if
        they were installed."""
        directory = os.path.dirname(kind.tree().path(kind.program))
        self.environment["PATH"] += f":{directory}"
        self.environment |= kind.environment()

    def run(self, commands, expected=0):
        """Runs commands as a shell does, and ends what they left running. Returns what
        they printed. `expected` is their exit status."""
        ports = self._ports(commands)
        for documented, real in ports.items():
            commands = re.sub(rf"(?<=[: ]){documented}\b", str(real), commands)
        if not shutil.which("google-pprof"):
            # As README.md says of Debian unstable.
            commands = commands.replace("google-pprof", "go tool pprof")
        status, output = self._bash(commands)
        check(
            status == expected,
            f"exit {status}, expected {expected}:\n{commands}\n{output[-3000:]}",
        )
        for documented, real in ports.items():
            output = re.sub(rf"(:|--port ){real}\b", rf"\g<1>{documented}", output)
        lab = os.path.join(HOME, "leak-lab")
        output = output.replace(self.directory, lab).replace(self.home, HOME)
        return output.replace(tempfile.gettempdir(), "/tmp")

    def _ports(self, commands):
        """The real port for each that the page names. A server that the commands start
        themselves gets a free one."""
        ports = {}
        for documented, name in PORTS.items():
            if name not in self.servers:
                continue
            server = self.servers[name]
            main = documented.startswith("80")
            ports[documented] = server.port if main else server.debug_port
        for documented in re.findall(STARTED, commands):
            ports[documented] = free_port()
        return ports

    def _listening(self):
        """The servers' ports as /proc/net/tcp writes them: "1F90|1F91"."""
        ports = [p for s in self.servers.values() for p in (s.port, s.debug_port)]
        return "|".join(f"{port:04X}" for port in ports)

    def _bash(self, commands):
        """The exit status of the commands, and all that they printed."""
        process = subprocess.Popen(
            ["bash", "-eu", "-c", CLOSED + commands],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            cwd=self.directory,
            env=self.environment | {"SERVERS": self._listening()},
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=PATIENCE_S)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return f"none within {PATIENCE_S} s", output
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
