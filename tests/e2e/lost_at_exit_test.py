"""What leakprobe --at-exit calls lost is what LeakSanitizer calls a leak, to the byte and
with the same function, on small programs with known answers. Where the two differ, the
reason is in docs/profiles.md, and here is the list of the cases; leakprobe then has to
give the known answer."""

import concurrent.futures
import json
import os
import re

import pytest

import lost_programs
from checks import check, equal
from commands import run
from tree import BUILD, scratch
from turns import in_turns

AT_ONCE = 6
PARTS = 3
LEAKCHECK = os.path.join(BUILD, "leakcheck")
SANITIZE = "-fsanitize=leak"
# Whole stacks, also through the C library, which has no frame pointers.
OPTIONS = {"LSAN_OPTIONS": "fast_unwind_on_malloc=0"}
LEAK = re.compile(r"^(Direct|Indirect) leak of (\d+) byte\(s\) in (\d+) object\(s\)")
CALL = re.compile(r"^ +#\d+ 0x[0-9a-f]+ in (.+) \S*/programs/lost/\S+$")

# LeakSanitizer searches no memory but that of files, threads and its own malloc.
MAPPINGS = set(
    "anonymous anonymous-shared below-signal-stack beside-allocator between-huge "
    "context-amid-mapping context-from-mmap file-private file-shared memory-file "
    "no-access not-copied read-only signal-stack-from-mmap sparse "
    "stack-amid-mapping zero-device".split()
)
# It does not ask the kernel, nor the C library's record of a thread.
KERNEL = set("epoll-data timer-value start-argument unjoined-result".split())
# All blocks of a circle are indirect leaks to it: each has one that leads to it.
CIRCLES = set("cycle sibling-cycles cycle-with-tail cc-shared".split())


def plain_name(function):
    """lose_list of "(anonymous namespace)::lose_list(int)" or "lose_list.constprop.0"."""
    text = function.replace("(anonymous namespace)::", "")
    return re.split(r"[(<.]", text)[0].split("::")[-1].strip()


def added(leaks):
    """Adds up (function, objects, bytes, direct) by function."""
    sums = {}
    for function, objects, size, direct in leaks:
        amount = (objects, size, objects * direct, size * direct)
        old = sums.get(function, (0, 0, 0, 0))
        sums[function] = tuple(one + other for one, other in zip(old, amount))
    return {name: lost_programs.Amount(*amount) for name, amount in sums.items()}


def of_sanitizer(text):
    """The leaks in what LeakSanitizer says, each with the program's innermost function."""
    leaks = []
    for block in text.split("\n\n"):
        lines = block.splitlines()
        found = LEAK.match(lines[0]) if lines else None
        if found:
            calls = [match[1] for match in map(CALL.match, lines) if match]
            name = plain_name(calls[0]) if calls else "?"
            direct = found[1] == "Direct"
            # A block of no bytes has one for it.
            size = 0 if name == "lose_nothing" else int(found[2])
            leaks.append((name, int(found[3]), size, direct))
    return added(leaks)


def sanitized(case, plain, other):
    """What LeakSanitizer says of a case, in the other build of it."""
    program = case.program.replace(plain, other)
    done = run(program, case.name, "once", check_exit=False, env=os.environ | OPTIONS)
    check("LeakSanitizer has encountered a fatal" not in done.stderr, done.stderr)
    found = of_sanitizer(done.stderr)
    equal(done.returncode, 23 if found else 0, f"status of {case.name}: {done.stderr}")
    return found


def probed(case):
    """What leakprobe says of it, by way of leakcheck."""
    path = os.path.join(scratch(), f"{case.name}.json")
    command = f"{case.program} {case.name} once"
    run(LEAKCHECK, "--command", command, "--max-lost", "2G", "--json", path)
    with open(path, encoding="utf-8") as file:
        processes = json.load(file)["processes"]
    return added(
        (plain_name(line["function"]), line["objects"], line["bytes"], line["direct"])
        for process in processes
        for line in process["lost"]
    )


def without_direct(amounts):
    return {name: amount[:2] for name, amount in amounts.items()}


def within(some, all_):
    """Whether no function has lost more than in the other."""
    none = lost_programs.Amount(0, 0, 0, 0)
    return all(amount <= all_.get(name, none) for name, amount in some.items())


def difference(case, sanitizer, probe):
    """What is wrong with the two answers; "" if nothing is."""
    both = f"LeakSanitizer {sanitizer}, leakprobe {probe}, known {case.lost}"
    if case.name in MAPPINGS | KERNEL:
        # It calls more lost, but where it comes upon an old pointer on some stack.
        right = probe == case.lost and within(case.lost, sanitizer)
    elif case.name in CIRCLES:
        right = without_direct(probe) == without_direct(sanitizer)
        right = right and not any(amount.direct for amount in sanitizer.values())
    else:
        right = probe == sanitizer
    return "" if right else f"{case.name}: {both}"


def sanitizer_must_run(case, plain, other):
    """LeakSanitizer needs ptrace, which a container may deny."""
    program = case.program.replace(plain, other)
    done = run(program, case.name, "once", check_exit=False)
    if "LeakSanitizer has encountered a fatal" in done.stderr:
        pytest.skip(f"LeakSanitizer cannot run: {done.stderr[:200]}")


TURNS = [f"{build} {part}" for build in lost_programs.BUILDS for part in range(PARTS)]


@pytest.mark.parametrize("turn", in_turns("lost at exit", TURNS))
def test_the_same_as_leak_sanitizer(turn):
    build, part = turn.split()
    plain = lost_programs.built(build)
    other = lost_programs.built(build, SANITIZE)
    cases = lost_programs.cases(plain)
    check(len(cases) >= 60, f"{len(cases)} cases")
    sanitizer_must_run(cases[0], plain, other)

    def one(case):
        try:
            return difference(case, sanitized(case, plain, other), probed(case))
        except AssertionError as failed:
            return f"{case.name}: {failed}"

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        wrong = list(filter(None, pool.map(one, cases[int(part) :: PARTS])))
    check(not wrong, "\n".join(wrong))
