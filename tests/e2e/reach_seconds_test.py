"""What is lost and held, over seconds: two questions, of which the second one is asked
while the answer to the first one lies in the process."""

import pytest

from checks import equal
from reach_sums import reach_sums
from servers import Server


@pytest.mark.parametrize("name", ["lost", "retained"])
def test_what_was_lost_stays_lost(name):
    """The first answer holds none of the blocks that it names: what was lost before the
    seconds is lost after them, and nothing else has changed."""
    with Server("leaky", "--profile", "recorder") as leaky:
        for scenario in ("http-body", "database-statement", "finalizer-cycle"):
            leaky.leak(scenario, count=5)
        leaky.settle()
        leaky.get(f"/debug/pprof/{name}?debug=1", debug=True).expect(200)  # reads names
        profile = leaky.get(f"/debug/pprof/{name}?seconds=1", debug=True).expect(200)
    equal(reach_sums(profile.body.decode("latin-1")).lost, (0, 0), "lost meanwhile")
