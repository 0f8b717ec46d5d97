"""Blocks from before main hold blocks as any other: those that the constructors of
libraries allocated, in the servers and under leakprobe."""

import os
import re

import pytest

from builds import built
from checks import check
from programs import Program, compiled
from servers import Server
from tree import BUILD

HELD = r"^1: 4321 @"


def library():
    return compiled("early_holder.c", "-shared", "-fPIC", target="libearly.so")


def check_held(get):
    """The block that only the early one leads to is held by the library's global."""
    lost, retained = (
        get(f"/debug/pprof/{page}?debug=1") for page in ("lost", "retained")
    )
    check(not re.search(r"\tstore\\+", lost), lost)
    parts = [part for part in retained.split("\n\n") if re.search(HELD, part, re.M)]
    check(len(parts) == 1, retained)
    check(parts[0].startswith("global early_holder ("), parts[0])
    check("\tbegin+" in parts[0], parts[0])


@pytest.mark.parametrize(
    "variables",
    [(), pytest.param(("CC=gcc", "ALLOCATOR=libc"), marks=pytest.mark.slow)],
)
def test_block_of_a_constructor_holds_in_a_server(variables):
    build = built(*variables) if variables else BUILD
    env = os.environ | {"LD_PRELOAD": library()}
    with Server("fixed", "--profile", "recorder", build=build, env=env) as server:
        check_held(lambda path: server.get(path, debug=True).expect(200).text)


@pytest.mark.parametrize("heap", ["exact", "sampled=1"])
def test_block_of_a_constructor_holds_under_leakprobe(heap):
    """Where not every block is recorded, nothing is left of the early ones."""
    path = library()
    user = compiled(
        "early_user.c", path, f"-Wl,-rpath,{os.path.dirname(path)}", target="early-user"
    )
    reader, writer = os.pipe()
    program = Program([user], probe=("--heap", heap), stdin=reader)
    os.close(reader)
    with program, os.fdopen(writer, "wb"):
        program.await_(lambda: b"ready" in program.output(), "ready")
        if heap == "exact":
            check_held(lambda path: program.get(path).text)
        else:
            answer = program.get("/debug/pprof/heap?debug=1")
            check("begin" not in answer.text, answer.text)
