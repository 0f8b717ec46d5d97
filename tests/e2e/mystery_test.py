"""./learn.sh mystery and accuse: what only profiles over time tell is found by them, a
seed is the same mystery everywhere, and nothing outlives its end."""

import glob
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib

import pytest

from checks import check, equal, wait_until
from learn import source
from learn.mysteries import mystery as mysteries
from learn.mysteries import traffic
from learn.mysteries.mystery import DECOY, HEALTHY, LEAK, Mystery
from mysteries import Lab, Learner
from processes import descendants, ended
from tree import ROOT, copy_with_build
from turns import in_turns

pytestmark = pytest.mark.one_of("practice", "mystery")

SEEDS = 20


@pytest.fixture(name="lab", scope="module")
def lab_fixture():
    """A copy of the tree for all tests here; one mystery at a time runs in it."""
    return Lab(copy_with_build())


@pytest.fixture(autouse=True)
def stopped(request):
    """Each test leaves the copy without a server."""
    yield
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").learn("stop")


def function_of(route):
    """A function that a route's source defines."""
    names = re.findall(r"^static [\w *]*?\b(\w+)\(", route.text, re.MULTILINE)
    return names[0]


def of_kind(mystery, kind):
    """The first route of a kind."""
    return next(route for route in mystery.routes if route.kind == kind)


# -- the profiles are enough -----------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", in_turns("mystery", range(SEEDS)))
def test_growth_finds_all_leaks_and_no_decoy(lab, seed):
    """A learner that reads only the growth of the heap and of the threads accuses every
    leak, and nothing else."""
    lab.learn("mystery", "--seed", str(seed))
    suspects = Learner(lab.known()["server"]).suspects()
    guilty = {route.file for route in Mystery(seed).leaks}
    equal({file for file, _ in suspects}, guilty, f"files that grow: {suspects}")
    said = ""
    for _, function in suspects:
        if "solved" not in said:
            said = lab.learn("accuse", function)
    check("solved: mystery" in said, f"not solved: {said}")


# -- a seed is a mystery ---------------------------------------------------------------


def test_a_seed_is_the_same_everywhere():
    """What a seed stands for does not change with the machine, nor with the lab: a
    class races on it."""
    equal(
        [(route.half, route.kind) for route in Mystery(42).routes],
        SEED_42,
        "the mystery of seed 42",
    )
    for seed in ("0", "77"):
        code = (
            "from learn.mysteries.mystery import Mystery\n"
            f"print([each.half for each in Mystery({seed}).routes])"
        )
        texts = {
            subprocess.run(
                (sys.executable, "-c", code),
                cwd=ROOT,
                env=os.environ
                | {"PYTHONHASHSEED": chosen, "PYTHONDONTWRITEBYTECODE": "1"},
                check=True,
                capture_output=True,
                timeout=60,
            ).stdout
            for chosen in ("1", "2")
        }
        equal(len(texts), 1, f"mysteries of seed {seed}")


SEED_42 = [
    ("leaky/channel_nil.c", LEAK),
    ("fixed/channel_never_closed.c", HEALTHY),
    ("exercises/decoys/allocator_keeps.c", DECOY),
    ("exercises/decoys/cache_bounded.c", DECOY),
    ("exercises/decoys/table_lazy.c", DECOY),
    ("exercises/decoys/pool_peak.c", DECOY),
    ("fixed/interface_struct.c", HEALTHY),
    ("exercises/decoys/burst_ends.c", DECOY),
    ("fixed/database_statement.c", HEALTHY),
    ("fixed/http_body.c", HEALTHY),
    ("fixed/thread_ignored_exit.c", HEALTHY),
    ("leaky/thread_loop.c", LEAK),
]


def test_seeds_differ_and_each_has_leaks_and_all_decoys():
    """Of many seeds: 12 routes, 1 to 3 leaks, each decoy once, no pair twice; every
    pair leaks in some, and every place has each kind in some."""
    leaked, places, counts = set(), set(), set()
    for seed in range(300):
        routes = Mystery(seed).routes
        equal(len(routes), 12, f"routes of seed {seed}")
        stems = [route.scenario for route in routes]
        equal(len(set(stems)), 12, f"scenarios of seed {seed}")
        decoys = sorted(route.half for route in routes if route.kind == DECOY)
        equal(
            decoys,
            sorted(f"exercises/decoys/{name}.c" for name in mysteries.DECOYS),
            "decoys",
        )
        leaks = Mystery(seed).leaks
        counts.add(len(leaks))
        leaked |= {route.scenario for route in leaks}
        places |= {(route.name, route.kind) for route in routes}
    equal(counts, {1, 2, 3}, "numbers of leaks")
    equal(
        leaked, {stem.replace("_", "-") for stem in mysteries.PAIRS}, "pairs that leak"
    )
    equal(len(places), 36, "places and kinds")
    different = {
        tuple(route.half for route in Mystery(seed).routes) for seed in range(300)
    }
    equal(len(different), 300, "mysteries of 300 seeds")
    for leaks in (1, 2, 3):
        equal(len(Mystery(5, leaks).leaks), leaks, "leaks that were asked for")


def test_all_decoys_and_pairs_are_known():
    """Each file in exercises/decoys/ is used, and each pair that can leak for good."""
    files = {
        os.path.basename(path)[:-2]
        for path in glob.glob(f"{ROOT}/exercises/decoys/*.c")
    }
    equal(files, set(mysteries.DECOYS), "decoys")
    halves = {os.path.basename(path)[:-2] for path in glob.glob(f"{ROOT}/leaky/*.c")}
    out = {"variant", "ticker_many", "array_by_value", "buffer_churn", "loop_defer"}
    equal(halves - out, set(mysteries.PAIRS), "pairs")


def test_functions_are_of_one_source():
    """No function of a decoy or a pair, in either half, has the name of another one's:
    an accusation by function is clear."""
    owners = {}
    for path in (
        glob.glob(f"{ROOT}/leaky/*.c")
        + glob.glob(f"{ROOT}/fixed/*.c")
        + glob.glob(f"{ROOT}/exercises/decoys/*.c")
    ):
        with open(path, encoding="utf-8") as file:
            for name in re.findall(
                r"^static [\w *]*?\b(\w+)\(", file.read(), re.MULTILINE
            ):
                owners.setdefault(name, set()).add(os.path.basename(path))
    shared = {name: files for name, files in owners.items() if len(files) > 1}
    equal(shared, {}, "functions of several sources")
    check(len(owners) > 150, f"only {len(owners)} functions were found")


# -- nothing tells but the profiles ----------------------------------------------------


def test_nothing_laid_out_tells(lab):
    """Routes, titles, /scenarios, /status and the sources' headings tell neither the
    kind nor the words of a cause; no LEAK, FIX, or text of a descriptor is laid out,
    and what is written down of the mystery does not name the guilty."""
    words = {}
    for path in glob.glob(f"{ROOT}/exercises/*.toml"):
        with open(path, "rb") as file:
            words[os.path.basename(path)[:-5].replace("_", "-")] = tomllib.load(file)[
                "words"
            ]
    check(words, "no exercise has words")
    for seed in range(40):
        for route in Mystery(seed).routes:
            text = route.text
            for telling in ("LEAK", "FIX:", "_scenario = {", "leaky", "fixed", "decoy"):
                check(telling not in text, f"{route.half} says '{telling}'")
            heading = text[: text.index("*/")].lower()
            for word in words.get(route.scenario, ()):
                check(
                    word.lower() not in heading, f"{route.half}'s heading says '{word}'"
                )
    lab.learn("mystery", "--seed", "42")
    learner = Learner(lab.known()["server"])
    wait_until(lambda: min(learner.calls().values()) > 0, what="a call of every route")
    for page in ("/scenarios", "/status", "/metrics"):
        text = learner.read(learner.url + page)
        for telling in ("leaky/", "fixed/", "decoy", "leaves", "mine/", *words):
            check(telling not in text, f"{page} says '{telling}'")
    held = re.findall(r'"held":\s*(\d+)', learner.read(learner.url + "/status"))
    equal(set(held), {"0"}, "held")
    for path in glob.glob(f"{lab.tree}/mine/**/*", recursive=True):
        if path.endswith((".json", ".log")):
            with open(path, encoding="utf-8") as file:
                check(
                    not re.search(r"route-\d|leaky", file.read()),
                    f"{path} names a route",
                )


def test_profiles_name_the_sources_that_are_laid_out(lab):
    """Function and line of a profile lead into mine/mystery-42/, to that function."""
    lab.learn("mystery", "--seed", "42")
    learner = Learner(lab.known()["server"])
    owners = wait_until(
        lambda: len(found := learner.heap()) >= 4 and found, what="a profile"
    )
    for file, function in owners:
        with open(f"{lab.tree}/{file}", encoding="utf-8") as source_file:
            check(
                f" {function}(" in source_file.read().replace("*", " "),
                f"{function}, {file}",
            )


# -- accuse ----------------------------------------------------------------------------


@pytest.mark.one_of("mystery, long", "accuse")
def test_accuse_answers(lab):
    """Right, wrong, bounded, and what is no accusation; each by function and by
    line."""
    said = lab.learn("mystery", "--seed", "42")
    check("--seed 42" in said and "2 of its routes leak" in said, said)
    check(all(len(line) <= 80 for line in said.splitlines()), f"wide: {said}")
    check(len(said.splitlines()) <= 24, f"long: {said}")
    listed = lab.learn()
    check("Mystery 42 runs at " in listed and "accuse" in listed, listed)
    check(len(listed.splitlines()) <= 23, f"long: {listed}")
    mystery = Mystery(42)
    decoy, healthy = of_kind(mystery, DECOY), of_kind(mystery, HEALTHY)
    first, second = mystery.leaks
    for word in (function_of(decoy), f"{decoy.file}:5"):
        answer = lab.learn("accuse", word, expect=1)
        check("that one is bounded: look again at its curve" in answer, answer)
    for word in (
        function_of(healthy),
        f"{healthy.name}.c:9",
        "leak_plan_run",
        "common/main.c:3",
    ):
        check(lab.learn("accuse", word, expect=1).startswith("wrong: "), word)
    for word in (
        *(
            "no_such_function",
            "malloc",
            "two words",
            "",
            f"{first.name}.c",
            "route-13.c:1",
        ),
        *(f"{first.name}.c:0", f"{first.name}.c:9999", "mine/mystery-7/route-01.c:5"),
        *("../README.md:1", "/etc/passwd:1", "leaky/thread_loop.c:4", "--function"),
    ):
        lab.learn("accuse", word, expect=2)
    lab.learn("accuse", expect=2)
    equal(lab.known()["tries"], 6, "tries")
    check("1 of 2 found" in lab.learn("accuse", function_of(first)), "the first")
    check("already" in lab.learn("accuse", f"./{first.file}:1"), "the first again")
    solved = lab.learn("accuse", f"{lab.tree}/{second.file}:1")
    check(
        re.search(r"^solved: mystery 42 in \d+ min \d+ s, 8 tries$", solved, re.M),
        solved,
    )
    for leak in (first, second):
        title = source.prose(leak.half, "title")
        check(title in solved and f"make lesson S={leak.scenario}" in solved, solved)
    check("server" not in lab.known(), "a server is still written down")
    lab.learn("accuse", function_of(first), expect=2)


def test_without_a_mystery_there_is_nothing_to_accuse(lab):
    """The messages of wrong usage."""
    path = f"{lab.tree}/mine/progress.json"
    if os.path.exists(path):
        os.unlink(path)
    check("no mystery is on" in lab.learn("accuse", "main", expect=2), "accuse")
    for words in (
        *(
            ("--seed",),
            ("--seed", "x"),
            ("--seed", "-1"),
            ("--leaks", "0"),
            ("--leaks", "4"),
        ),
        *(("5",), ("--seed", "1", "--leaks"), ("--fast",), ("--seed", "1234567890")),
    ):
        lab.learn("mystery", *words, expect=2)


# -- nothing outlives its end ----------------------------------------------------------


def alive(pids):
    """Those of some processes that have not ended."""
    return [pid for pid in pids if not ended(pid)]


def all_of(told):
    """Server and traffic of a mystery."""
    pids = told["keeper"][0], told["process"][0]
    equal(alive(pids), list(pids), "processes that run")
    return pids


def gone(pids, what):
    """Waits until some processes have ended."""
    wait_until(lambda: not alive(pids), what=f"the end of {what}")


def test_stop_ends_server_and_traffic(lab):
    """When stop returns, both are gone, and so is what the server wrote."""
    before = descendants()
    lab.learn("mystery", "--seed", "1")
    pids = all_of(lab.known()["server"])
    check("stopped" in lab.learn("stop"), "stop")
    equal(alive(pids), [], "processes after stop")
    wait_until(lambda: descendants() <= before, what="no process left")
    equal(os.path.exists(f"{lab.tree}/mine/server"), False, "the server's directory")


@pytest.mark.parametrize("victim", ("keeper", "process"))
def test_each_ends_with_the_other(lab, victim):
    """SIGKILL for the traffic or for the server: the other ends too."""
    before = descendants()
    lab.learn("mystery", "--seed", "2")
    told = lab.known()["server"]
    pids = all_of(told)
    os.kill(told[victim][0], signal.SIGKILL)
    gone(pids, "the other one")
    wait_until(lambda: descendants() <= before, what="no process left")


@pytest.mark.one_of("mystery, long", "another")
def test_one_server_at_a_time(lab):
    """Another mystery, or a case, ends the one before; and a mystery ends a case."""
    lab.learn("mystery", "--seed", "3")
    first = all_of(lab.known()["server"])
    lab.learn("mystery", "--seed", "4")
    equal(alive(first), [], "the first mystery")
    second = all_of(lab.known()["server"])
    lab.learn("start")
    equal(alive(second), [], "the second mystery")
    check("server" not in lab.known(), "the second is still written down")
    before = descendants()
    lab.learn("mystery", "--seed", "3")
    check(before - descendants(), "the case's server still runs")


@pytest.mark.parametrize("moment", ("building", "starting"))
def test_interrupted_it_leaves_no_process(lab, moment):
    """Ctrl-C while it builds, or as soon as there is a server."""
    before = descendants()
    for seed in (5, 6):
        command = subprocess.Popen(
            ("./learn.sh", "mystery", "--seed", str(seed)),
            cwd=lab.tree,
            env=lab.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        name = {"building": b"cc1", "starting": b"learn.mysteries.traffic"}[moment]
        wait_until(lambda: runs(name, before) or command.poll() is not None, what=name)
        os.killpg(command.pid, signal.SIGINT)
        said = command.communicate(timeout=60)[0].decode()
        if command.returncode == 130:
            wait_until(lambda: descendants() <= before, what="no process left")
        else:  # it was done already
            equal(command.returncode, 0, said)
            lab.learn("stop")


@pytest.mark.one_of("mystery, long", "killed")
def test_killed_before_it_is_written_down_it_leaves_no_process(lab):
    """SIGKILL for `mystery` while its traffic starts: what is not written down ends."""
    lab.learn(
        "mystery", "--seed", "7"
    )  # so that it is built, and there is something to know
    lab.learn("stop")
    before = descendants()
    command = subprocess.Popen(
        ("./learn.sh", "mystery", "--seed", "7"),
        cwd=lab.tree,
        env=lab.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: runs(b"learn.mysteries.traffic", before), what="the traffic")
    command.kill()
    command.wait()
    if "server" in lab.known():  # it was done already
        lab.learn("stop")
    wait_until(lambda: descendants() <= before, what="no process left")


@pytest.mark.one_of("mystery, long", "traffic")
def test_traffic_that_is_not_told_to_go_ends(lab):
    """What started it has been killed after the server's start: it ends with its
    server."""
    lab.learn("mystery", "--seed", "7")  # builds the server
    lab.learn("stop")
    with subprocess.Popen(
        (sys.executable, "-m", "learn.mysteries.traffic", "7", "0", "build/mystery"),
        cwd=lab.tree,
        env=lab.environment() | {"PYTHONPATH": lab.tree},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            pids = all_of(json.loads(process.stdout.readline()))
            process.stdin.close()
            equal(process.wait(60), 0, "exit status of the traffic")
        finally:
            process.kill()
    equal(alive(pids), [], "processes that run")


def runs(name, before):
    """Whether a new process has a word in its command line."""
    for pid in descendants() - before:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if name in file.read():
                    return True
        except OSError:
            pass
    return False


# -- the traffic -----------------------------------------------------------------------


def test_no_guard_rail_within_half_an_hour():
    """Whichever three leaks are live: what they and the decoys leave in half an hour is
    below the servers' ceilings; and each is seen within two minutes."""
    listed = {each["name"]: each for each in described()}
    sums = {name: [] for name in ("heap", "threads", "fds", "timers")}
    for stem in mysteries.PAIRS:
        one = listed[stem.replace("_", "-")]
        bounds = next(item for item in one["parameters"] if item["name"] == "bytes")
        for factor in (0.75, 1, 1.25):
            period, size = traffic.pace(one, None, factor)
            check(bounds["min"] <= size <= bounds["max"], f"{stem}: {size} bytes")
            left = left_after(one, period, size, 1800)
            soon = left_after(one, period, size, 120)
            seen = soon["heap"] >= 2**20 or soon["threads"] >= 5
            check(seen, f"{stem} is not seen: {soon} in two minutes")
        for name in sums:
            sums[name].append(left[name])
    most = {
        name: sum(sorted(values)[-traffic.LEAKS :]) for name, values in sums.items()
    }
    check(most["heap"] < 448 * 2**20, f"heap: {most}")
    check(
        most["threads"] < 1900 and most["fds"] < 950 and most["timers"] < 2000,
        f"{most}",
    )


def described():
    """What the leaky server says of its scenarios."""
    from servers import Server  # its tests start servers with other options

    with Server("leaky") as server:
        return server.scenarios()


def left_after(listed, period, size, seconds):
    """What a leak's calls leave after so many seconds."""
    bounds = next(item for item in listed["parameters"] if item["name"] == "bytes")
    calls = seconds / period
    scale = size / bounds["default"]
    grown = listed["growth_bytes_per_second"] * scale * calls * seconds / 2
    leaves = listed["leaves"]
    return {
        "heap": leaves["heap_bytes"] * scale * calls + grown,
        **{name: leaves[name] * calls for name in ("threads", "fds", "timers")},
    }


class StandIn:
    """A server that answers some calls, and then refuses."""

    def __init__(self, answers, status):
        self.answers = answers
        self.status = status
        self.calls = 0
        self.process = self
        self.waits = []

    def call(self, _route, **_parameters):
        self.calls += 1
        if self.calls > self.answers:
            raise traffic.Refused(self.status, "no more")

    def wait(self, seconds):
        self.waits.append(seconds)
        if self.calls >= 50:
            return 0
        raise subprocess.TimeoutExpired("server", seconds)


def test_the_calls_end_at_a_guard_rail_and_the_server_stays(capsys):
    """After a 503 there is no further call, and the wait is for the server's end. After
    another error the calls go on."""
    refusing = StandIn(3, 503)
    traffic.run(traffic.Traffic(refusing, {"route-01": (1.0, 1024)}, 1, 1000))
    equal(refusing.calls, 4, "calls")
    check(refusing.waits[-1] > 7000, f"waits: {refusing.waits[-1]}")
    check("no more" in capsys.readouterr().err, "no reason is given")
    failing = StandIn(3, 502)
    started = time.monotonic()
    traffic.run(traffic.Traffic(failing, {"route-01": (1.0, 1024)}, 1, 1000))
    equal(failing.calls, 50, "calls before the server ended")
    check(time.monotonic() - started < 60, "it did not end with its server")
