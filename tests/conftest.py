"""For all tests: which of them run, that everything a test started ends with it, and the
counts for scripts/test.sh."""

import os
import random
import shutil
import signal
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True

import processes  # noqa: E402
import tree  # noqa: E402
from servers import Server  # noqa: E402


def is_worker(config):
    """Whether this is a process that pytest-xdist started, or else the first one."""
    return hasattr(config, "workerinput")


# -- which tests run -------------------------------------------------------------------


def pytest_addoption(parser):
    add = parser.addoption
    add("--word", action="append", help="only tests whose path or name contains it")
    add("--quick", action="store_true", help="leave out what is slow")
    add("--long", action="store_true", help="run every case of all proofs")
    add("--seed", type=int, help="chooses the cases that run otherwise")
    add("--counts", help="file for the numbers of passed, failed and skipped tests")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Removes the tests that are not for this run."""
    option = config.option
    kept = [item for item in items if not option.word or has_word(item, option.word)]
    if option.quick:
        kept = [item for item in kept if not item.get_closest_marker("slow")]
    if not option.long:
        kept = one_of_each_group(kept, option.seed)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = sorted(kept, key=started_late)


def started_late(item):
    """Whether a test may start late. A slow one may not: it would end long after all others."""
    return item.get_closest_marker("slow") is None


def has_word(item, words):
    return any(word in f"tests/{item.nodeid}" for word in words)


def one_of_each_group(items, seed):
    """Keeps only the tests of one member of each group, chosen by the seed. A test that is
    in several groups runs if each of them has chosen it."""
    members = {}  # of each group
    for item in items:
        for group, member in groups_of(item):
            members.setdefault(group, set()).add(member)
    chosen = {
        group: random.Random(f"{seed} {group}").choice(sorted(found))
        for group, found in members.items()
    }
    return [
        item
        for item in items
        if all(chosen[group] == member for group, member in groups_of(item))
    ]


def groups_of(item):
    """Pairs of a group and the item's member of it."""
    return [marker.args for marker in item.iter_markers("one_of")]


# -- everything ends with what started it ----------------------------------------------


def pytest_report_header(config):
    return f"seed {config.option.seed}"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    processes.take_in_orphans()
    if is_worker(config):
        return
    if config.option.seed is None:
        config.option.seed = int(
            os.environ.get("LAB_SEED") or random.randrange(10**6)
        )
    # Workers inherit it, so that all temporary files are in there.
    os.environ["TMPDIR"] = config.run_directory = tempfile.mkdtemp(prefix="lab-tests-")
    tempfile.tempdir = None
    config.option.basetemp = os.path.join(config.run_directory, "pytest")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    # Background processes of a shell ignore SIGINT, and so do their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupted(number, _frame):
    pytest.exit(signal.Signals(number).name, returncode=128 + number)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session, exitstatus):
    """After an interruption this ends everything at once, the workers too."""
    if exitstatus not in (0, 1, 5):
        processes.end_all_but(set())


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    processes.end_all_but(set())
    if not is_worker(config):
        shutil.rmtree(config.run_directory, ignore_errors=True)


@pytest.fixture(autouse=True)
def ends_what_it_started():
    """What a fixture of the module or the session started before stays."""
    running = processes.descendants()
    directories = tree.scratch_count()
    yield
    processes.end_all_but(running)
    Server.forget_ended()
    tree.remove_scratch(directories)


# -- reports ---------------------------------------------------------------------------


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the last lines of the servers' standard error to a failure."""
    report = (yield).get_result()
    if report.failed:
        for server in Server.running:
            said = "\n".join(server.errors().splitlines()[-8:])
            report.sections.append((f"stderr of {server.name} {server.pid}", said))


def pytest_terminal_summary(terminalreporter):
    """Writes down how many tests passed, failed and were skipped."""
    path = terminalreporter.config.option.counts
    if not path:
        return
    stats = terminalreporter.stats
    failed = len(stats.get("failed", [])) + len(stats.get("error", []))
    passed, skipped = (len(stats.get(each, [])) for each in ("passed", "skipped"))
    with open(path, "w", encoding="ascii") as file:
        file.write(f"{passed} {failed} {skipped}\n")
