"""Profiles as `go tool pprof -raw` prints them: what any reader of the format must find."""

import os
import re

from checks import check
from commands import run
from tree import scratch

SAMPLE = re.compile(r" *(-?\d[-\d ]*): ([\d ]+)$")
LOCATION = re.compile(r" *(\d+): 0x([0-9a-f]+) (?:M=\d+ )?(?:\[F\] )?(.*)$")
LINE = re.compile(r" *(\S.*?) \S*:\d+(?::\d+)? s=\d+(?:\(.*\))?$")


def function_sums(profile):
    """For each value type of a profile, given as bytes: the functions with the value
    of their own, and with that of all that they called."""
    path = os.path.join(scratch(), "profile")
    with open(path, "wb") as file:
        file.write(profile)
    text = run("go", "tool", "pprof", "-raw", path).stdout
    samples, _, rest = text.partition("\nSamples:\n")[2].partition("\nLocations\n")
    types = [name.split("/")[0] for name in samples.splitlines()[0].split()]
    names = _names(rest.partition("\nMappings\n")[0])
    sums = {name: {"own": {}, "all": {}} for name in types}
    for row in filter(None, map(SAMPLE.match, samples.splitlines())):
        stack = [name for number in row[2].split() for name in names[number]]
        for kind, value in zip(types, map(int, row[1].split())):
            own, every = sums[kind]["own"], sums[kind]["all"]
            own[stack[0]] = own.get(stack[0], 0) + value
            for name in set(stack):
                every[name] = every.get(name, 0) + value
    check(sums and all(each["own"] for each in sums.values()), f"no samples: {text}")
    return sums


def _names(locations):
    """The functions at each location, the innermost first."""
    names = {}
    for text in locations.splitlines():
        location = LOCATION.match(text)
        if location:
            current = names.setdefault(location[1], [])
        line = LINE.match(location[3] if location else text)
        if line:
            current.append(line[1])
        elif location:
            current.append(f"0x{location[2]}")
    return names
