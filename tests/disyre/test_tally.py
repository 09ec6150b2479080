"""What is counted of jobs, from how they change."""

from datetime import timedelta

import pytest

from disyre.job import Job, JobProblem
from disyre.tally import tally_of_change
from tests.builders import NOON, make_job

LATER = NOON + timedelta(hours=9)
WAITING = make_job()
RUNNING = WAITING.start(at=NOON)
LOST_TWICE = RUNNING.model_copy(update={"n_losses": 2})


@pytest.mark.parametrize(
    ("before", "after", "entered"),
    [
        (WAITING, WAITING.request_cancel(at=NOON), ["jobs canceled "]),
        (RUNNING, RUNNING.request_cancel(at=NOON), ["jobs canceling "]),
        (RUNNING, RUNNING.give_back(attempt=1, at=NOON), ["jobs queued given-back"]),
        (RUNNING, RUNNING.lose_worker(at=NOON), ["jobs queued worker-lost"]),
        (LOST_TWICE, LOST_TWICE.lose_worker(at=NOON), ["jobs failed worker-lost"]),
        (
            RUNNING,
            RUNNING.fail(JobProblem(code="not-3d", detail=""), attempt=1, at=NOON),
            ["jobs failed not-3d"],
        ),
        (
            RUNNING,
            RUNNING.lose_worker(at=NOON).start(at=NOON),
            ["jobs queued worker-lost", "jobs running "],
        ),
    ],
)
def test_each_state_that_a_job_entered_is_counted_with_its_reason(
    before: Job, after: Job, entered: list[str]
) -> None:
    tally = tally_of_change(before, after)

    assert [name for name in tally if name.startswith("jobs ")] == entered
    assert {tally[name] for name in entered} == {1}


def test_a_job_that_was_queued_again_by_request_is_told_apart() -> None:
    failed = RUNNING.fail(JobProblem(code="timeout", detail=""), attempt=1, at=NOON)
    retried = failed.model_copy(update={"history": RUNNING.give_back(attempt=1, at=NOON).history})
    again = retried.model_copy(update={"history": (*failed.history, retried.history[-1])})

    assert tally_of_change(failed, again) == {"jobs queued retried": 1}


def test_a_wait_that_is_longer_than_any_bound_is_counted() -> None:
    tally = tally_of_change(WAITING, WAITING.start(at=LATER))

    assert (tally["wait inf"], tally["wait sum"]) == (1, 9 * 3600)


def test_stages_are_counted_when_a_job_has_succeeded_and_their_sum_is_not() -> None:
    done = RUNNING.succeed(
        attempt=1, artifacts=(), summary={}, provider="", at=LATER, timings_s={"reading": 0.5, "total": 0.5}
    )

    tally = tally_of_change(RUNNING, done)
    assert tally == {"jobs succeeded ": 1, "stage reading 0.5": 1, "stage reading sum": 0.5}
    assert tally_of_change(done, done) == {}
