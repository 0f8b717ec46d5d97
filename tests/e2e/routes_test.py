"""The routes and the shapes of their replies; both halves reply alike."""

import os
import re
import socket
import urllib.parse

import pytest

from answers import ANSWERS
from checks import check, equal
from heap_profile import MIB, HeapProfile
from http_request import exchange, read_reply
from scenarios import scenario_names, small_bytes
from servers import Server
from tree import ROOT

KINDS = {"permanent", "temporary", "churn"}


@pytest.fixture(scope="module", autouse=True)
def started():
    """Both servers, for all tests here."""
    global leaky, fixed
    with Server("leaky") as leaky, Server("fixed") as fixed:
        yield


def keys(value, expected, what):
    """Checks that an object has exactly these members, in this order."""
    equal(list(value), expected.split(), what)


def test_leak_scenario_runs_it_and_says_what_is_declared():
    """/leak/<scenario> runs it and says what is declared, on both halves alike."""
    replies = []
    for server in (leaky, fixed):
        reply = server.leak("slice-prefix", id="x")
        keys(
            reply,
            "server scenario id count bytes declared answer elapsed_ms",
            "members",
        )
        keys(reply["declared"], "heap_bytes threads fds timers", "members of declared")
        equal(reply["server"], server.name, "server")
        check(0 <= reply["elapsed_ms"] < 60000, reply)
        replies.append(
            {k: v for k, v in reply.items() if k not in ("server", "elapsed_ms")}
        )
    equal(replies[0], replies[1], "what both halves say")
    equal(
        replies[0],
        {
            "scenario": "slice-prefix",
            "id": "x",
            "count": 1,
            "bytes": 10485760,
            "declared": {"heap_bytes": 10485760, "threads": 0, "fds": 0, "timers": 0},
            "answer": ANSWERS["slice-prefix"]("x", 10485760),
        },
        "reply",
    )


def test_count_and_bytes_are_taken():
    """Count and bytes are taken in, and change what is declared."""
    reply = leaky.leak("slice-prefix", count=3, bytes="8K")
    equal(reply["bytes"], 8192, "bytes")
    equal(reply["count"], 3, "count")
    equal(reply["declared"]["heap_bytes"], 3 * 8192, "declared")


def test_parameters_may_come_in_query_or_as_form_reply_is_same():
    """Parameters may come in the query or as a form; the reply is the same."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    posted = fixed.post("/leak/slice-prefix", "id=a+b%21&bytes=4096", headers=form)
    got = fixed.get("/leak/slice-prefix?id=a+b%21&bytes=4096")
    equal(posted.expect(200).json()["id"], "a b!", "id")
    equal(got.expect(200).json()["id"], "a b!", "id")


def test_leak_family_runs_each_scenario_of_family_once():
    """/leak/<family> runs each scenario of the family once."""
    with Server("leaky") as server:
        reply = server.leak("retained-slices", bytes=65536)
        names = [
            s["name"] for s in server.scenarios() if s["family"] == "retained-slices"
        ]
        equal([s["scenario"] for s in reply["scenarios"]], names, "scenarios")
        equal(
            reply["declared"]["heap_bytes"],
            sum(s["declared"]["heap_bytes"] for s in reply["scenarios"]),
            "sum of what is declared",
        )
        calls = server.status()["scenarios"]
        for name, counted in calls.items():
            equal(counted["calls"], 1 if name in names else 0, f"calls of {name}")


def test_leak_id_x_is_documents_request_thread_body_and_slice():
    """/leak?id=x is the documents' request: a thread, a body, and a slice."""
    with Server("leaky") as server:
        before = server.settle()
        reply = server.leak(id="x")
        names = ["thread-loop", "http-body", "slice-prefix"]
        equal([s["scenario"] for s in reply["scenarios"]], names, "scenarios")
        equal(reply["declared"]["threads"], 1, "declared threads")
        equal(reply["declared"]["fds"], 1, "declared descriptors")
        check(reply["declared"]["heap_bytes"] >= 10 * MIB, reply["declared"])
        after = server.settle()
        equal(after["threads"] - before["threads"], 1, "threads left")
        equal(after["fds"] - before["fds"], 1, "descriptors left")


def test_every_scenario_has_its_route_and_every_family_too():
    """Every scenario has its route, and every family too."""
    listed = fixed.scenarios()
    equal([s["name"] for s in listed], scenario_names(), "names")
    for scenario in listed:
        reply = fixed.leak(scenario["name"], bytes=small_bytes(scenario))
        equal(reply["scenario"], scenario["name"], "scenario")
    for family in {s["family"] for s in listed}:
        equal(fixed.leak(family)["scenario"], family, "scenario")


def test_scenarios_lists_each_scenario_whole():
    """/scenarios lists each scenario whole; answers come only when asked for."""
    members = "name family title kind leaves holds parameters story symptom"
    answers = "cause fix find_it files suspect"
    plain = leaky.get("/scenarios").expect(200).json()
    equal(plain, fixed.get("/scenarios").expect(200).json(), "both halves' lists")
    for scenario in plain:
        for member in members.split():
            check(member in scenario, f"{scenario['name']} has no {member}")
        for member in answers.split():
            check(member not in scenario, f"{member} is told unasked")
        check(scenario["kind"] in KINDS, scenario["kind"])
        for member in "title story symptom".split():
            check(len(scenario[member]) > 8, f"{scenario['name']}: {member} is empty")
    for scenario in leaky.scenarios():
        for member in (members + " " + answers).split():
            check(member in scenario, f"{scenario['name']} has no {member}")
        for member in "cause fix find_it".split():
            check(len(scenario[member]) > 8, f"{scenario['name']}: {member} is empty")
        for file in scenario["files"]:
            check(os.path.exists(os.path.join(ROOT, file)), f"{file} is not there")


def test_scenario_is_declared_as_its_family_and_kind_say():
    """A scenario is declared as its family and kind say."""
    for s in leaky.scenarios():
        left = [
            s["leaves"][part] for part in ("heap_bytes", "threads", "fds", "timers")
        ]
        held = [s["holds"][part] for part in ("heap_bytes", "threads", "fds", "timers")]
        if s["kind"] == "permanent":
            check(any(left), f"{s['name']} is permanent and leaves nothing")
        else:
            check(not any(left), f"{s['name']} is {s['kind']} and leaves {left}")
        if s["kind"] == "temporary":
            check(
                any(held) or s["holds"].get("stack_bytes"), f"{s['name']} holds nothing"
            )


def test_status_has_every_figure_and_they_are_plausible():
    """/status has every figure, and they are plausible."""
    for server in (leaky, fixed):
        status = server.status()
        keys(
            status,
            "server version pid uptime_seconds profile age_ms memory threads fds "
            "sockets timers mappings children requests_total scenarios limits",
            "members",
        )
        keys(
            status["memory"],
            "alloc_bytes total_alloc_bytes mallocs frees live_objects heap_sys_bytes "
            "heap_free_bytes rss_bytes peak_rss_bytes",
            "members of memory",
        )
        keys(status["limits"], "heap_bytes threads fds timers", "members of limits")
        equal(status["server"], server.name, "server")
        equal(status["pid"], server.pid, "pid")
        equal(status["profile"], "exact", "profile")
        equal(list(status["scenarios"]), scenario_names(), "scenarios")
        memory = status["memory"]
        equal(
            memory["live_objects"], memory["mallocs"] - memory["frees"], "live objects"
        )
        check(memory["total_alloc_bytes"] >= memory["alloc_bytes"] > 0, memory)
        check(memory["peak_rss_bytes"] >= memory["rss_bytes"] > MIB, memory)
        check(memory["heap_sys_bytes"] >= memory["alloc_bytes"], memory)
        check(status["mappings"] > 50, status["mappings"])
        equal(status["children"], 1, "children: the upstream")
        check(0 <= status["age_ms"] <= 20, f"age_ms {status['age_ms']}")
        check(status["uptime_seconds"] > 0, status["uptime_seconds"])


def test_status_agrees_with_proc_on_threads_descriptors():
    """/status agrees with /proc on threads, descriptors, timers and memory."""
    with Server("leaky") as server:
        server.leak("lock-deadlock")
        server.leak("ticker-many")
        server.leak("file-unclosed", count=5)
        sample = server.settle()
        status = server.status()
        equal(status["threads"], sample["threads"], "threads")
        equal(status["timers"], sample["timers"], "timers")
        # The connection that asks is a descriptor more.
        check(0 <= status["fds"] - sample["fds"] <= 2, (status["fds"], sample["fds"]))
        check(abs(status["memory"]["rss_bytes"] - server.rss()) < 4 * MIB, "rss")


def test_status_counts_calls_and_what_is_held():
    """/status counts calls and what is held."""
    with Server("leaky") as server:
        server.leak("global-list", count=4, bytes=1024)
        counted = server.status()["scenarios"]["global-list"]
        equal(counted, {"calls": 4, "held": 4}, "global-list")


def test_head_is_answered_like_get_without_body():
    """HEAD is answered like GET, without a body."""
    for path in ("/healthz", "/status", "/metrics", "/scenarios"):
        head = exchange(
            leaky.port,
            f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n".encode()
            + b"Connection: close\r\n\r\n",
        )
        equal(head.status, 200, path)
        equal(head.body, b"", f"body of HEAD {path}")
        length = len(leaky.get(path).body)
        check(abs(int(head.headers["content-length"]) - length) < 64, head.headers)


def test_connection_is_used_again():
    """A connection is used again."""
    lines = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", leaky.port)) as client:
        for _ in range(20):
            client.sendall(lines)
            equal(read_reply(client).status, 200, "status")


def test_json_replies_say_their_type_and_are_not_to_be_stored():
    """JSON replies say their type and are not to be stored or sniffed."""
    for path in ("/status", "/scenarios", "/leak/slice-prefix?bytes=1024"):
        reply = leaky.get(path).expect(200)
        check(
            reply.headers["content-type"].startswith("application/json"), reply.headers
        )
        equal(reply.headers.get("x-content-type-options"), "nosniff", "sniffing")
        check("no-store" in reply.headers.get("cache-control", ""), reply.headers)


def test_id_of_every_printable_character_comes_back_as_it_was():
    """An id of every printable character comes back as it was."""
    everything = "".join(chr(c) for c in range(32, 127)) + "x" * 33
    equal(len(everything), 128, "length")
    query = urllib.parse.urlencode({"id": everything, "bytes": 1024})
    equal(leaky.get(f"/leak/slice-prefix?{query}").json()["id"], everything, "id")


def test_dump_is_heap_profile_that_says_what_reply_says():
    """A dump is a heap profile that says what the reply says, and they are numbered."""
    with Server("leaky") as server:
        server.leak("slice-prefix")
        for number in (1, 2, 3):
            reply = server.post("/debug/heap/dump?reason=x").expect(200).json()
            keys(reply, "path in_use_bytes", "members")
            check(reply["path"].endswith(f"leaky.{number:04d}.heap"), reply["path"])
            with open(os.path.join(server.directory, reply["path"])) as file:
                profile = HeapProfile(file.read())
            equal(reply["in_use_bytes"], profile.bytes, "bytes in use")
            check(profile.bytes > 10 * MIB, profile.bytes)


def test_names_of_scenarios_and_families_are_made_for_routes():
    """Names of scenarios and families are made for routes; there are 29 or more."""
    listed = leaky.scenarios()
    check(len(listed) >= 29, f"{len(listed)} scenarios")
    for scenario in listed:
        check(re.fullmatch(r"[a-z]+(-[a-z]+)*", scenario["name"]), scenario["name"])
        check(re.fullmatch(r"[a-z]+(-[a-z]+)*", scenario["family"]), scenario["family"])


def test_json_is_indented_and_ends_with_a_newline():
    """JSON is indented and ends with a newline: people read it with curl."""
    for path in ("/status", "/scenarios", "/leak/slice-prefix?bytes=1024", "/nothing"):
        text = leaky.get(path).text
        check(text.endswith("\n") and not text.endswith("\n\n"), repr(text[-9:]))
        check(re.match(r"\{\n\t\"|\[\{\n\t\t\"", text), repr(text[:20]))
        check(max(map(len, text.splitlines())) < 700, f"{path} has a line without end")
