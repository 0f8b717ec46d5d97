"""Who waits for which lock, and who never goes on: of programs that a random plan leads
to an end that is known (see tests/support/lock_plans.py), every deadlock and every lock
that is never released is found, and none is claimed that is not. A failure shows the
plan, which tests/programs/lock_plan.c carries out as it stands there."""

import collections
import concurrent.futures
import os
import re

import pytest

from checks import LIMIT, check, equal
from lock_plans import Plan
from lock_truth import cycles, holder, holders, never_released, verdicts
from programs import Program, compiled

FLAGS = ("-fno-optimize-sibling-calls", "-Wno-unused-function")
BATCH = 10  # plans that one process carries out, one after the other
AT_A_TIME = 4  # processes


def program(compiler):
    if compiler == "gcc":
        return compiled("lock_plan.c", *FLAGS)
    return compiled("lock_plan.c", "-O2", *FLAGS, target="lock_plan.clang", by="clang")


class Process(Program):
    """A process that carries out plans; its threads stay as these have left them."""

    def __init__(self, compiler, *probe):
        reader, self._writer = os.pipe()
        super().__init__([program(compiler)], probe=probe, stdin=reader)
        os.close(reader)
        self.read = 0  # bytes of its output
        self.plans = []  # each with the numbers of its threads, and where its locks are
        self.child = None  # the process that goes on after a fork

    def carry_out(self, plan):
        lines = plan.lines(f"p{len(self.plans)}")
        os.write(self._writer, ("\n".join(lines) + "\n").encode())
        self.await_(lambda: self.output().endswith(b"ready\n", self.read), "end")
        said = self.output()[self.read :].decode()
        self.read += len(said)
        threads = re.findall(r"^thread \d+ (\d+)$", said, re.M)
        locks = re.findall(r"^lock \d+ (0x[0-9a-f]+)$", said, re.M)
        threads = [int(each) for each in threads]
        was = re.search(r"^was (\d+)$", said, re.M)
        if was:
            # The numbers of the threads of the parent's, behind those of the child's.
            self.child = threads[plan.model.forked.number]
            plan.model.parent.number = len(threads)
            threads.append(int(was[1]))
        self.plans.append((plan, threads, locks))

    def get(self, target, **options):
        return super().get(target, pid=self.child, **options)

    def __exit__(self, *_):
        os.close(self._writer)
        super().__exit__()


class Expected:
    """What the pages must say of all threads that a process has left."""

    def __init__(self, plans):
        self.waits, self.holders = {}, {}
        self.deadlocks, self.never_released = [], []
        for number, (plan, threads, locks) in enumerate(plans):
            self._add(f"p{number}", plan.model, threads, locks)

    def _add(self, name, model, threads, locks):
        def named(thread):
            number = threads[thread.number]
            return {"tid": number, "name": f"{name}.{thread.number}"}

        def tids(some):
            return [threads[each.number] for each in some]

        for thread, verdict in verdicts(model).items():
            wait = wait_shown(thread.wait, locks, named)
            self.waits[threads[thread.number]] = named(thread) | wait | {
                "verdict": verdict
            }
        self.holders |= {threads[each.number]: named(each) for each in holders(model)}
        self.deadlocks += [from_lowest(tids(cycle)) for cycle in cycles(model)]
        for lock, waiting in never_released(model).items():
            self.never_released.append(
                {
                    "lock": locks[lock.number],
                    "owner": threads[lock.owner.number],
                    "threads": tids(waiting),
                }
            )

    def count(self, *chosen):
        """How many threads have one of these verdicts."""
        return sum(each["verdict"] in chosen for each in self.waits.values())


def from_lowest(cycle):
    """A cycle that begins with the lowest thread."""
    first = cycle.index(min(cycle))
    return cycle[first:] + cycle[:first]


def wait_shown(wait, locks, named):
    lock = wait.what
    shown = {
        "lock": locks[lock.number],
        "kind": lock.kind,
        "wants": wait.wants,
        "timed": wait.timed,
        "holder": holder_shown(wait, named),
    }
    if lock.kind == "mutex":
        shown |= {
            "type": lock.type,
            "robust": lock.robust,
            "shared": lock.shared,
            "pi": lock.pi,
        }
    return shown


def holder_shown(wait, named):
    nobody = {"tid": None, "name": None, "readers": 0}
    owner = holder(wait)
    if owner is None:
        return nobody | {"state": "readers", "readers": len(wait.what.readers)}
    if wait.what.shared:
        # The number of its owner may be another process's, too.
        state = "unknown" if owner.ended else "this_or_other_process"
    elif not owner.ended:
        return nobody | named(owner) | {"state": "thread"}
    else:
        state = "ended"
    state = "other_process" if owner.foreign else state
    return nobody | {"state": state, "tid": named(owner)["tid"]}


# The function of lock_plan.c that a thread waits in.
CALLS = {
    "mutex": ("call_lock", "call_timedlock"),
    "read": ("call_rdlock", "call_timedrdlock"),
    "write": ("call_wrlock", "call_timedwrlock"),
    "mutex after condition": ("call_wait", "call_wait"),
}


def check_locks(process, expected):
    """What /debug/locks says: of every thread, of every cycle, and no more."""
    said = process.get("/debug/locks?format=json").json()
    check(said["measured"] and said["kernel_asked"], said)
    for got in said["waits"]:
        stack = [frame["function"] for frame in got.pop("stack")]
        call = CALLS[got["wants"]][got["timed"]]
        check(call in stack, f"{got}: {stack}")
        check(0 <= got.pop("waited_seconds") < LIMIT * 10, got)
    got = {each["tid"]: each for each in said["waits"]}
    equal(len(got), len(said["waits"]), "threads that wait")
    for tid in sorted(expected.waits.keys() | got.keys()):
        alike(got.get(tid), expected.waits.get(tid))
    equal(
        sorted(each["threads"] for each in said["deadlocks"]),
        sorted(expected.deadlocks),
        "deadlocks",
    )
    by_lock = {each["lock"]: each for each in said["never_released"]}
    for each in by_lock.values():
        each["threads"].sort()
    for each in expected.never_released:
        each["threads"].sort()
        equal(by_lock.pop(each["lock"], None), each, "lock that is never released")
    equal(by_lock, {}, "locks that are never released")
    got = {each["tid"]: each for each in said["holders"]}
    equal(sorted(got), sorted(expected.holders), "holders")
    for each in got.values():
        check("thread_run" in [frame["function"] for frame in each["stack"]], each)
        equal(each["name"], expected.holders[each["tid"]]["name"], "name of a holder")


def alike(got, expected):
    if got and expected and expected["holder"]["name"] is None:
        got["holder"]["name"] = None  # The main thread's stays when it has ended.
    equal(got, expected, "wait")


def check_leak(process, expected):
    """What /debug/pprof/goroutineleak says: the threads that never go on, by reason."""
    text = process.get("/debug/pprof/goroutineleak?debug=1").text
    counted = collections.Counter()
    groups = re.findall(r'^(\d+) @ .*\n# labels: {"reason":"(.*)"}$', text, re.M)
    for count, reason in groups:
        counted[reason] += int(count)
    total = re.match(r"goroutineleak profile: total (\d+)\n", text)
    claims = ("deadlock", "never_released", "stuck")
    equal(int(total[1]), expected.count(*claims), "total of the profile")
    equal(
        {each: counted[each.replace("_", " ")] for each in claims},
        {each: expected.count(each) for each in claims},
        "reasons",
    )


HEADING = re.compile(
    r'^thread (\d+) ".*?" \[.*?(?:, waits for [^0].*?(0x[0-9a-f]+)'
    r"(?: .*?)?(?: \(([A-Z ]+)\))?)?\]:$",
    re.M,
)
SHOWN = {
    "deadlock": "DEADLOCK",
    "never_released": "NEVER RELEASED",
    "stuck": "STUCK",
    "waits": "",
}


def check_threads(process, expected):
    """What the list of threads says of each of them."""
    text = process.get("/debug/pprof/goroutine?debug=2").text
    found = {int(tid): rest for tid, *rest in HEADING.findall(text)}
    for tid, rest in found.items():
        wait = expected.waits.get(tid)
        wanted = ["", ""]
        if wait:
            wanted = [wait["lock"], SHOWN[wait["verdict"]]]
        heading = re.search(rf"^thread {tid} .*", text, re.M)[0]
        equal(rest, wanted, heading)
    check(expected.waits.keys() <= found.keys(), f"{found}: {text[:2000]}")


def carried_out(name, plans, compiler, *probe):
    """Runs the plans in one process; what its pages say after each is compared."""
    with Process(compiler, *probe) as process:
        for plan in plans:
            try:
                process.carry_out(plan)
                expected = Expected(process.plans)
                check_locks(process, expected)
                check_leak(process, expected)
            except AssertionError as error:
                plan = "\n".join(plan.lines("p"))
                raise AssertionError(f"plan {name}: {error}\n{plan}") from None
        check_threads(process, expected)
    return expected


def batches(seed, count, **kind):
    """Pairs of a name and as many plans as one process carries out. The main thread may
    take part in the last one: it can end only once."""
    for start in range(0, count, BATCH):
        seeds = [f"{seed} {number}" for number in range(start, start + BATCH)]
        yield seeds[0], [
            Plan(each, main=each == seeds[-1], **kind) for each in seeds
        ]


def run_all(some, *probe, compiler="gcc"):
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        runs = [
            pool.submit(carried_out, name, plans, compiler, *probe)
            for name, plans in some
        ]
        return [run.result() for run in runs]


def test_every_deadlock_is_found_and_none_is_claimed_that_is_not(pytestconfig):
    """500 random programs of 2 to 8 threads and 2 to 5 locks with --long, else 40."""
    count = 500 if pytestconfig.option.long else 40
    found = run_all(batches(pytestconfig.option.seed, count), "--heap", "off")
    for verdict in ("deadlock", "never_released", "stuck", "waits"):
        seen = sum(each.count(verdict) for each in found)
        check(seen >= count / 40, f"only {seen} threads: {verdict}")


def test_in_a_forked_child(pytestconfig):
    """A thread that has locks forks: in the child it has another number, and the other
    threads are gone with what they had."""
    count = 100 if pytestconfig.option.long else 6
    wanted = ("never_released", "waits")
    plans, known = [], set()
    # By chance the first ones may have only one of the two.
    while len(plans) < count or not known.issuperset(wanted):
        check(len(plans) < 20 * count, f"no plan has all of {wanted}: {known}")
        seed = f"{pytestconfig.option.seed} fork {len(plans)}"
        plan = Plan(seed, forks=True)
        known |= set(verdicts(plan.model).values())
        plans.append((seed, [plan]))
    found = run_all(plans, "--heap", "off")
    for verdict in wanted:
        check(sum(each.count(verdict) for each in found), f"no thread: {verdict}")


@pytest.mark.parametrize("heap", ("off", "exact"))
def test_long_cycles(pytestconfig, heap):
    """Of up to eight threads; and with the recorder of the heap."""
    count = 50 if pytestconfig.option.long else 10
    seed = f"{pytestconfig.option.seed} long"
    least = 6 if pytestconfig.option.long else 2
    some, lengths = [], {0}
    # By chance the first ones may have short cycles only.
    while len(some) * BATCH < count or max(lengths) < least:
        check(len(some) * BATCH < 20 * count, f"no plan has a cycle of {least}: {lengths}")
        # One lock in shared memory is enough to make a cycle no proof.
        kind = {"threads": (8, 8), "locks": (8, 8), "shared": 0}
        some += batches(f"{seed} {len(some)}", BATCH, **kind)
        lengths |= {len(cycle) for plan in some[-1][1] for cycle in cycles(plan.model)}
    found = run_all(some, "--heap", heap, compiler="clang")
    longest = max(len(cycle) for each in found for cycle in each.deadlocks)
    check(longest >= least, f"the longest cycle is of {longest} threads")
