"""The third hint of each exercise asks who holds what grew, or what is lost: its commands
show on the learner's server what it says."""

import os
import re
import tempfile

import pytest

from checks import check
from exercises import CASES, copy_lab, once, python

# By the way of being held: the exercise's file, and what the commands print.
HELD = {
    "by a global": {
        "channel_backlog": r"global audit_buffer .*\baudit_record_open",
        "global_cache": r"global cache .*\banswer_compute",
        "global_list": r"global orders .*\border_read",
        "interface_list": r"global catalogues .*\bproduct_read",
        "interface_struct": r"global guests .*\bvisitor_read",
        "slice_prefix": r"global signatures .*\bpayload_read",
        "slice_return": r"global previews .*\bseries_read",
        "slice_tail": r"global mailboxes .*\bmessages_read",
        "string_prefix": r"global headlines .*\barticle_load",
    },
    "by threads": {
        "channel_never_closed": r'thread "export".* @ .*\bexport_open',
        "channel_nil": r'thread "relay-.* @ .*\brelay_open',
        "channel_no_receiver": r'thread "report".* @ .*\breport_open',
        "channel_one_receiver": r'thread "quote".* @ .*\bquote_open',
        "lock_deadlock": r'thread "account".* @ .*\baccount_open',
        "lock_never_released": r'thread "ledger".* @ .*\bledger_entry_open',
        "thread_ignored_exit": r'thread "room".* @ .*\broom_open',
        "thread_loop": r'thread "feed".* @ .*\bfeed_poll',
        "thread_wait": r'thread "order".* @ .*\border_open',
    },
    "by the lab or a library": {
        "file_unclosed": r"\bprice_look_up.*\tlibrary libc\.",
        "ticker_many": r"\bgauge_start.*\tglobal table \(common/runtime/ticker\.c:",
        "ticker_unstopped": r"\bprogress_start.*\tglobal table \(common/runtime/tick",
    },
    "by nobody": {
        "cstring_argument": r"\bcstring_duplicate.*\bsetting_read",
        "database_statement": r"\border_look_up.*\border_tell",
        "finalizer_cycle": r"\bwidget_draw.*\bwindow_show",
        "http_body": r"\bbody_fetch.*\bdocument_tell",
        "slice_lost_pointers": r"\bframe_read.*\bclip_load",
    },
    "while a call lasts, or not at all": {
        "array_by_value": r"^0\n$",
        "buffer_churn": r"^0\n0\n$",
        "loop_defer": r"\bnote_(write|open).*\tlibrary libc\.",
    },
}

# Builds what is untouched, starts it as `start` does, calls it, and prints what the
# commands of the hint print: once more, for at most ten seconds, until that fits.
SHOW = """
import re, subprocess, sys, time
from learn.case import find
from learn.grade import Grading
from learn.place import write
from learn.practise import filled
from learn.server import Server
from learn.session import PROFILER, untouched
name, work, expected = sys.argv[1:]
case = find(name)
code = f"{work}/{name}.c"
write(code, untouched(case))
grading = Grading(case, code, work)
said = grading.build_plain()
if said is not None:
    sys.exit(said)
with Server(grading.program, *PROFILER) as server:
    server.call(name, 60, id="me", count=20)
    hint = filled(case.hints[2], case, server)
    commands = re.findall(r"^ {4}(\\S.*)", hint, re.MULTILINE)
    end = time.monotonic() + 10
    while True:
        done = subprocess.run(
            ("bash", "-c", "\\n".join(commands)), capture_output=True, text=True
        )
        if re.search(expected, done.stdout, re.DOTALL) or time.monotonic() > end:
            break
        time.sleep(0.1)
print("\\n".join(commands), done.stdout, sep="\\0", end="")
"""


def test_every_exercise_is_held_in_one_way():
    """No exercise's third hint goes without a look."""
    stems = sorted(stem for held in HELD.values() for stem in held)
    check(stems == sorted(case.stem for case in CASES.values()), stems)


def hints():
    """Of each way of being held, the seed chooses one exercise in a run."""
    names = {case.stem: case.name for case in CASES.values()}
    for way, held in HELD.items():
        for stem, expected in held.items():
            marks = pytest.mark.one_of(f"hint, held {way}", stem)
            yield pytest.param(names[stem], expected, id=stem, marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize("name, expected", hints())
def test_third_hint_says_who_holds_it(name, expected):
    """Its commands, as they are written, print the holder and who allocated."""
    copy = once("grading", copy_lab)
    with tempfile.TemporaryDirectory(
        prefix=f"{name}-", dir=os.path.join(copy, "build")
    ) as work:
        printed = python(copy, SHOW, name, os.path.relpath(work, copy), expected)
    commands, output = printed.split("\0")
    asked = re.findall(r"/debug/pprof/(?:retained|lost)\?debug=1", commands)
    check(asked, f"{name} asks no page: {commands}")
    found = re.search(expected, output, re.DOTALL)
    check(found, f"{commands}\n{output}\nnot {expected}")
    check(len(output.splitlines()) <= 3, f"it prints more than is told: {output}")
