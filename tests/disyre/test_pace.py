"""How long the stages of jobs took lately."""

import pytest

from disyre.job_params import JobParams
from disyre.pace import Kind, Pace

PLAIN = Kind("t1w", False, JobParams())


@pytest.mark.parametrize(
    ("kind", "restoring_s"),
    [
        (PLAIN, 10),
        (Kind("t1w", False, JobParams(mode="stepwise")), 30),
        (Kind("t1w", True, JobParams()), 20),
        (Kind("t2w", False, JobParams()), 40),
        (Kind(None, False, JobParams()), 30),
    ],
    ids=["known", "other options", "other options and a mask", "another model", "no model yet"],
)
def test_a_job_takes_as_long_as_those_that_are_most_alike(kind: Kind, restoring_s: float) -> None:
    pace = Pace()
    pace.learn(PLAIN, {"restoring": 10.0, "total": 12.0})
    pace.learn(Kind("t1w", False, JobParams(mode="stepwise")), {"restoring": 30.0})
    pace.learn(Kind("t2w", True, JobParams()), {"restoring": 40.0})

    usual_s = pace.usual_s(kind)

    assert usual_s["restoring"] == restoring_s
    assert usual_s["writing"] == 0


def test_only_the_newest_count_and_one_that_is_odd_changes_nothing() -> None:
    pace = Pace()
    for took_s in (1.0, 1.0, 1.0, 3.0, 3.0, 90.0, 3.0, 3.0):
        pace.learn(PLAIN, {"scoring": took_s})

    assert pace.usual_s(PLAIN)["scoring"] == 3


def test_before_the_first_job_nothing_is_known() -> None:
    assert Pace().usual_s(PLAIN) == {}
