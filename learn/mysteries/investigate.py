"""The commands mystery and accuse: a server with leaks somewhere, and the guesses where
they are."""

import contextlib
import glob
import os
import random
import re
import shutil
import time

from learn import build, progress, session, source
from learn.failure import Broken, UsageError
from learn.mysteries import traffic
from learn.mysteries.mystery import DECOY, LEAK, LEAKS_MAX, Mystery
from learn.place import BUILT, ROOT, absolute, read, write
from learn.terminal import bold, faint, green, red, say, wrapped, yellow

SEEDS = 10**6  # a seed that nobody gave is below this: short enough to be read out
PROGRAM = "build/mystery"
WATCH_MINUTES = 5  # by then nothing that is bounded grows any more


# -- mystery ---------------------------------------------------------------------------


def parse(words):
    """The options of `mystery`: seed and leaks, each None if it is not given."""
    given = {"--seed": None, "--leaks": None}
    rest = list(words)
    while rest:
        name = rest.pop(0)
        if name not in given:
            raise UsageError(f"mystery takes --seed N and --leaks K, not '{name}'")
        value = rest.pop(0) if rest else ""
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise UsageError(f"{name} wants a number of at most nine digits")
        given[name] = int(value)
    leaks = given["--leaks"]
    if leaks is not None and not 1 <= leaks <= LEAKS_MAX:
        raise UsageError(f"--leaks takes 1 to {LEAKS_MAX}")
    return given["--seed"], leaks


def start(*words):
    """Makes a mystery and lets it run."""
    seed, leaks = parse(words)
    if seed is None:
        seed = random.SystemRandom().randrange(SEEDS)
    mystery = Mystery(seed, leaks)
    say(faint("Building..."))
    make(mystery)
    # Told to go on only when it is written down: what is not would never be ended.
    with contextlib.ExitStack() as running:
        with progress.change() as known:
            session.end_all(known)
            server = running.enter_context(traffic.launched(seed, leaks, PROGRAM))
            known["mystery"] = {
                "seed": seed,
                "leaks": leaks,
                "started": time.time(),
                "tries": 0,
                "found": [],
                "server": server,
            }
    tell(mystery, leaks, server)
    return 0


def make(mystery):
    """Lays out the sources, and builds the server from them."""
    build.make_own(*build.PLAIN, "shared")
    fields = [field for field in source.AMOUNTS if field != "held"]
    units = {}
    for route in mystery.routes:
        write(route.file, route.text)
        units[route.name] = source.unit(
            route.half, route.file, route.name, route.name, fields
        )
    work = f"{BUILT}/mystery"
    build.write_units(f"{work}/units", "mystery", units)
    said = build.link(build.PLAIN, f"{work}/units", f"{work}/mystery")
    if said is not None:
        raise Broken("the mystery does not build:\n" + said[-build.SHOWN :])
    build.put(f"{work}/mystery", PROGRAM)


def tell(mystery, leaks, server):
    """The story, and where to look."""
    count = len(mystery.leaks)
    guilty = "One of its routes leaks" if count == 1 else f"{count} of its routes leak"
    url, debug = server["url"], server["debug"]
    again = f"./learn.sh mystery --seed {mystery.seed}"
    if leaks is not None:
        again += f" --leaks {leaks}"
    say(bold(f"Mystery {mystery.seed}"))
    story = (
        f"A server in production; its memory climbs. {guilty}. Others only look like "
        "it: they grow at first, and stop. No single moment tells them apart, so "
        f"compare profiles over time: after {WATCH_MINUTES} minutes, only what leaks "
        "still grows. Take 1.heap then, and 2.heap two minutes later."
    )
    say(wrapped(story, "  "))
    say(f"It runs at {url}, pid {server['process'][0]}, with steady traffic.")
    say("Its memory and its threads now, and what has grown between two moments:")
    for name in ("heap", "goroutine"):
        say(f"  curl -s '{debug}/debug/pprof/{name}?debug=1' |")
        say("      grep -E ' @ |route-' | cut -f 1,3- | cut -c -64 | head -n 20")
    page, command = difference()
    say(f"  curl -s {debug}{page} > mine/1.heap    # then 2.heap")
    say(f"  {command} | head -n 15")
    say(f"  curl -s {url}/status | head -n 22")
    say(f"Its sources are in {mystery.directory}/, one file a route.")
    say("Accuse a function, or a line:")
    say("  ./learn.sh accuse FUNCTION        ./learn.sh accuse route-07.c:42")
    say(f"The same mystery for others: {again}")
    end = f"the server after {traffic.HOURS} hours; now: ./learn.sh stop"
    say(f"The traffic ends at a guard rail, {end}")


def difference():
    """The page with a heap profile, and the command that compares two of them: Debian
    unstable has no google-pprof."""
    if shutil.which("google-pprof"):
        command = f"google-pprof --text --base=mine/1.heap {PROGRAM} mine/2.heap"
        return "/pprof/heap", command
    return "/debug/pprof/heap", "go tool pprof -top -diff_base mine/1.heap mine/2.heap"


# -- accuse ----------------------------------------------------------------------------


def current(known):
    """The mystery that the learner is at, and what is known of it."""
    told = known.get("mystery")
    if told is None:
        raise UsageError("no mystery is on: ./learn.sh mystery")
    mystery = Mystery(told["seed"], told["leaks"])
    if len(told["found"]) == len(mystery.leaks):
        raise UsageError(
            f"mystery {mystery.seed} is solved: ./learn.sh mystery begins another"
        )
    return mystery, told


def defines(text, function):
    """Whether a C source has that function."""
    head = rf"^[a-z][\w *]*\b{re.escape(function)}\("
    return re.search(head, text, re.MULTILINE) is not None


def lab_sources():
    """The C files of the server around the routes."""
    return [
        path
        for folder in ("base", "common", "probe")
        for path in glob.glob(f"{ROOT}/{folder}/**/*.c", recursive=True)
    ]


def accused(mystery, word):
    """The route that a word accuses; None for a part of the server that is in no
    route."""
    found = re.fullmatch(r"(.+\.c):([0-9]{1,9})", word)
    if found:
        return by_line(mystery, found[1], int(found[2]))
    if re.fullmatch(r"[A-Za-z_]\w*", word):
        return by_function(mystery, word)
    raise UsageError(f"accuse takes a function, or FILE:LINE, not '{word}'")


def by_line(mystery, path, line):
    """The route of a line; None for one of the server around the routes."""
    path = os.path.normpath(path)
    for route in mystery.routes:
        if path in (route.file, os.path.basename(route.file), absolute(route.file)):
            check_line(path, route.text, line)
            return route
    if absolute(path) not in lab_sources():
        raise UsageError(
            f"no source of this mystery is {path}: see {mystery.directory}/"
        )
    check_line(path, read(path), line)
    return None


def check_line(path, text, line):
    """Raises UsageError if a source does not have that line."""
    lines = text.count("\n")
    if not 1 <= line <= lines:
        raise UsageError(f"{path} has {lines} lines, and no line {line}")


def by_function(mystery, function):
    """The route of a function; None for one of the server around the routes."""
    found = [route for route in mystery.routes if defines(route.text, function)]
    if len(found) > 1:
        files = " and ".join(route.file for route in found)
        raise UsageError(f"{function} is in {files}: accuse FILE:LINE")
    if not found and not any(defines(read(path), function) for path in lab_sources()):
        raise UsageError(
            f"no source has a function {function}: see {mystery.directory}/"
        )
    return found[0] if found else None


def accuse(word):
    """Judges a guess. Returns 0 if it is right."""
    mystery, told = current(progress.load())
    route = accused(mystery, word)
    if route is not None and route.name in told["found"]:
        say(f"right, but you have {route.name} already; look for the others")
        return 0
    right = route is not None and route.kind == LEAK
    with progress.change() as known:
        told = known["mystery"]
        told["tries"] += 1
        if right:
            told["found"].append(route.name)
        if len(told["found"]) == len(mystery.leaks):
            session.end_all(known)
    if right:
        tell_right(mystery, told, route)
    elif route is not None and route.kind == DECOY:
        say(yellow(f"that one is bounded: look again at its curve ({route.name})"))
        say(wrapped(source.prose(route.half, "symptom"), "  "))
    elif route is not None:
        say(red(f"wrong: what a call of {route.name} takes, it gives back"))
    else:
        around = "of the server around the routes, which does not leak"
        say(red(f"wrong: {word} is {around}"))
    return 0 if right else 1


def tell_right(mystery, told, route):
    """A leak is found. After the last one: what they all were."""
    found, all_leaks = told["found"], mystery.leaks
    say(green(f"right: {route.name} leaks, {len(found)} of {len(all_leaks)} found"))
    if len(found) < len(all_leaks):
        return
    say()
    minutes, seconds = divmod(int(time.time() - told["started"]), 60)
    tries = f"{told['tries']} tries" if told["tries"] > 1 else "one try"
    for leak in all_leaks:
        say(bold(f"{leak.name}: {source.prose(leak.half, 'title')}"))
        say(wrapped("Cause: " + source.prose(leak.half, "cause"), "  "))
        say(wrapped("Fix: " + source.prose(leak.half, "fix"), "  "))
        say(f"  make lesson S={leak.scenario}")
    say("The server and its traffic are stopped. Next: ./learn.sh mystery")
    took = f"{minutes} min {seconds} s, {tries}"
    say(green(f"solved: mystery {mystery.seed} in {took}"))
