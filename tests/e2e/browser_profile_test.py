"""The page's reader of profiles, against Go's, which reads the same bytes."""

import base64

import pytest

from browser import Browser
from checks import check, equal
from raw_profile import function_sums
from servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

# The functions of each value type with their own values and those of all they called.
SUMS = """
const {readProfile} = await import("/page/profile.js");
const profile = readProfile(Uint8Array.from(atob(args[0]), (each) => each.charCodeAt(0)));
return profile.types.map(({type}, index) => {
    const own = {}, every = {};
    for (const {values, frames} of profile.samples) {
        const names = frames.map((frame) => frame.name);
        own[names[0]] = (own[names[0]] ?? 0) + values[index];
        for (const name of new Set(names)) {
            every[name] = (every[name] ?? 0) + values[index];
        }
    }
    return [type, {own, all: every}];
});
"""


@pytest.fixture(scope="module", autouse=True)
def started():
    """A server that holds something, and a browser, for all tests here."""
    global leaky, browser
    with Server("leaky") as leaky, Browser() as browser:
        leaky.leak("slice-prefix", count=3)
        leaky.leak("global-list", count=100)
        leaky.leak("thread-wait", count=5)
        yield


@pytest.mark.parametrize("name", ["heap", "allocs", "goroutine"])
def test_reads_what_go_reads(name):
    """Each function has the values that `go tool pprof -raw` gives it."""
    profile = leaky.get(f"/debug/pprof/{name}", debug=True).expect(200).body
    with browser.page(leaky.debug_url + "/debug/pprof/") as page:
        read = page.later(SUMS, base64.b64encode(profile).decode())
    expected = function_sums(profile)
    equal([each[0] for each in read], list(expected), "value types")
    for kind, sums in read:
        equal(sums, expected[kind], f"sums of {kind}")


TEXTS = 6  # the field of profile.proto with the names


def parts(profile):
    """Where each field of a profile ends, and its number. Numbers and lengths are
    varints: of each byte the high bit says whether another one follows."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            value |= (profile[at] & 0x7F) << shift
            shift += 7
            at += 1
            if profile[at - 1] < 0x80:
                return value

    while at < len(profile):
        key = varint()
        value = varint()
        at += value if key & 7 == 2 else 0
        yield at, key >> 3


def test_damaged_profile_is_an_error():
    """A profile that is cut off or damaged is refused in words: half of one is never
    shown as if it were whole."""
    profile = leaky.get("/debug/pprof/heap", debug=True).expect(200).body
    texts = [end for end, field in parts(profile) if field == TEXTS]
    ends = [end for end, _ in parts(profile) if end < texts[-1]]
    check(len(ends) > 200, f"only {len(ends)} parts")
    damaged = [profile[:end] for end in ends[:: len(ends) // 20]]
    damaged += [profile[: end + 1] for end in ends[:: len(ends) // 20]]
    damaged += [
        profile[:100] + b"\xff" * 30,
        b"\x0a\xff\xff\xff\xff\x0f",
        profile + b"\x0b",
    ]
    code = f"try {{ {SUMS} }} catch (error) {{ return error.message; }}"
    with browser.page(leaky.debug_url + "/debug/pprof/") as page:
        for content in damaged:
            said = page.later(code, base64.b64encode(content).decode())
            check(
                isinstance(said, str) and said.startswith("the profile "),
                f"{len(content)} of {len(profile)} bytes: {str(said)[:200]}",
            )
