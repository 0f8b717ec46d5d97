"""What the work of a call came to: every scenario's answer on both servers is the one
that support/answers.py computes from the request, for any id and size, however many
clients call at once; null where the leaky half gets stuck, and nowhere else."""

import concurrent.futures
import random
import string

import pytest

from answers import ANSWERS, HALVED, UNFINISHED
from checks import check, equal
from scenarios import scenario_names
from servers import Server

# One worker: both servers are those of all tests here.
pytestmark = pytest.mark.xdist_group("answers")

CLIENTS = 16
ID_MAX = 128
PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " "
IDS = ("x", "demo", "y" * ID_MAX, "%s%n\"'\\ &=+#", "y" * (ID_MAX - 1) + "z")

# What leaks in these tests must not reach a guard rail.
LIMITS = ("--max-timers", "20000", "--max-threads", "4000", "--max-heap", "4G")
LIMITS += ("--max-fds", "8000")


@pytest.fixture(scope="module", autouse=True)
def started():
    """Both servers, and the sizes of each scenario: least and most."""
    global leaky, fixed, sizes
    with Server("leaky", *LIMITS) as leaky, Server("fixed", *LIMITS) as fixed:
        sizes = {}
        for one in fixed.scenarios():
            bounds = next(p for p in one["parameters"] if p["name"] == "bytes")
            sizes[one["name"]] = (bounds["min"], bounds["max"])
        yield


@pytest.fixture(name="some")
def numbers(request):
    """Random numbers of the run's seed."""
    return random.Random(f"{request.config.option.seed} {request.node.name}")


def random_id(some):
    return "".join(some.choices(PRINTABLE, k=some.randint(1, ID_MAX)))


def small_size(some, name):
    """A size that keeps a test quick."""
    least, most = sizes[name]
    return some.randint(least, min(most, 2 * least + 4096))


def expected(server, name, id_, size, count=1):
    """The answer that a server must give."""
    if server is leaky and name in UNFINISHED:
        return None
    text = ANSWERS[name](id_, size)
    return text if count == 1 else f"{count} x {text}"


def check_answer(server, name, id_, size=None, count=1):
    """Calls a scenario, and checks its answer. Without a size it is the default."""
    parameters = {"id": id_} | ({} if size is None else {"bytes": size})
    parameters |= {} if count == 1 else {"count": count}
    reply = server.leak(name, **parameters)
    wanted = expected(server, name, id_, reply["bytes"], count)
    equal(reply["answer"], wanted, f"{server.name}, {name}, {parameters}")
    return reply["answer"]


def test_every_scenario_is_known():
    """The answers of all scenarios are known to the tests, and those of no other."""
    names = set(scenario_names())
    equal(set(ANSWERS), names, "in ANSWERS")
    equal(set(HALVED), names, "in HALVED")
    check(names >= UNFINISHED, f"in UNFINISHED: {UNFINISHED - names}")


@pytest.mark.parametrize("name", scenario_names())
def test_answer_is_right(name, some):
    """Both halves give the right answer for plain, odd and random ids, with the
    default, the least and an odd size, once and with a count; and again after all
    these."""
    least, _ = sizes[name]
    odd = least + least // 2 + 1
    for server in (fixed, leaky):
        check_answer(server, name, "demo")
        for id_ in IDS:
            check_answer(server, name, id_, least)
        for _ in range(2):
            size = small_size(some, name)
            check_answer(server, name, random_id(some), size)
        check_answer(server, name, "demo", odd, count=3)
        check_answer(server, name, "x", least)


@pytest.mark.parametrize("name", scenario_names())
def test_answer_depends_on_the_request(name):
    """Another id, also one whose last character alone differs, and another size make
    another answer; with the least size, too."""
    least, _ = sizes[name]
    answers = [check_answer(fixed, name, id_, least) for id_ in IDS]
    answers += [check_answer(fixed, name, IDS[0], least + more) for more in (1, 2)]
    equal(len(set(answers)), len(answers), f"different answers of {answers}")


@pytest.mark.slow
@pytest.mark.parametrize("name", scenario_names())
def test_clients_at_once_get_their_own_answers(name, some):
    """Many clients at once get the right answer each, with ids that differ and with one
    id."""
    least, _ = sizes[name]
    same = random_id(some)
    calls = [(same, least)] * (CLIENTS // 2)
    calls += [(random_id(some), small_size(some, name)) for _ in calls]
    some.shuffle(calls)
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for server in (fixed, leaky):
            for done in [
                pool.submit(check_answer, server, name, id_, size)
                for id_, size in calls
            ]:
                done.result()


def test_families_have_an_answer_of_each(some):
    """The reply of a family, and of the combined request, has the answer of each
    scenario."""
    families = {}
    for one in fixed.scenarios():
        families.setdefault(one["family"], []).append(one["name"])
    id_ = random_id(some)
    for server in (fixed, leaky):
        combined = server.leak("", id=id_)
        check(len(combined["scenarios"]) > 1, combined)
        check_items(server, combined, id_)
        for family, names in families.items():
            reply = server.leak(family, id=id_, count=2)
            if family in scenario_names():
                continue  # the scenario of that name runs instead
            equal([each["scenario"] for each in reply["scenarios"]], names, family)
            check_items(server, reply, id_, count=2)


def check_items(server, reply, id_, count=1):
    check("answer" not in reply, f"one answer of several: {reply}")
    for each in reply["scenarios"]:
        wanted = expected(server, each["scenario"], id_, each["bytes"], count)
        equal(each["answer"], wanted, f"{server.name}, {each['scenario']}")
