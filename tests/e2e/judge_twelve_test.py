"""leakcheck --run says the right thing of twelve small servers, with its defaults: which
resource leaks, if any, and in which function and line. tests/bench/judged_runs.py does
that ten times in a row."""

import pytest

from judged import LIBRARY, TWELVE, judged, verdict_check
from turns import in_turns

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("server", in_turns("judged", (*TWELVE, LIBRARY), 4), ids=str)
def test_verdict_and_line(server):
    verdict_check(server, *judged(server)[:3])
