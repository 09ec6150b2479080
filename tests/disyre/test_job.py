"""The states of a job, and what may follow what."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disyre.errors import IllegalTransition, StaleAttempt
from disyre.job import MAX_LOSSES, Artifact, Job, JobProblem
from disyre.job_input import InputFile, JobInput
from disyre.job_model import Choice, JobModel
from disyre.job_state import JobState, Transition
from disyre.modality import Guess
from disyre.progress import Progress
from disyre.scan_facts import ScanFacts
from tests.builders import NOON, make_job

LATER = NOON + timedelta(minutes=1)
PROBLEM = JobProblem(code="empty-image", detail="nothing there")
HALF = Progress(stage="restoring", step=1, steps=2, fraction=0.5)
MAP = Artifact(
    name="anomaly.nii.gz", kind="anomaly-map", media_type="application/gzip", size_bytes=1, sha256="0" * 64
)


def running() -> Job:
    return make_job().start(at=NOON)


def succeed(job: Job) -> Job:
    return job.succeed(
        attempt=job.attempt, artifacts=(MAP,), summary={"anomaly_score": 0.1}, provider="CPU", at=NOON
    )


def finished() -> dict[JobState, Job]:
    return {
        JobState.SUCCEEDED: succeed(running()),
        JobState.FAILED: running().fail(PROBLEM, attempt=1, at=NOON),
        JobState.CANCELED: make_job().request_cancel(at=NOON),
    }


CHOICE = Choice(
    modality=Guess(name="T2w", source="image", reason="it looks so"),
    model=JobModel(name="t2w", version="1", sha256="0" * 64),
)
MOVES: dict[str, Callable[[Job], Job]] = {
    "start": lambda job: job.start(at=NOON),
    "report": lambda job: job.report(HALF, attempt=job.attempt),
    "decide": lambda job: job.decide(CHOICE, attempt=job.attempt),
    "succeed": succeed,
    "fail": lambda job: job.fail(PROBLEM, attempt=job.attempt, at=NOON),
    "cancel": lambda job: job.cancel(attempt=job.attempt, at=NOON),
    "request_cancel": lambda job: job.request_cancel(at=NOON),
    "lose_worker": lambda job: job.lose_worker(at=NOON),
    "give_back": lambda job: job.give_back(attempt=job.attempt, at=NOON),
}


def test_a_job_that_runs_through_has_said_when() -> None:
    job = succeed(running().report(HALF, attempt=1))

    assert [t.state for t in job.history] == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]
    assert (job.started_at, job.finished_at, job.progress) == (NOON, NOON, None)
    assert job.artifacts == (MAP,)


@pytest.mark.parametrize("state", finished())
@pytest.mark.parametrize("move", MOVES)
def test_a_finished_job_never_changes(state: JobState, move: str) -> None:
    job = finished()[state]

    assert job.state is state
    assert job.state.is_finished
    with pytest.raises(IllegalTransition):
        MOVES[move](job)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELED])
def test_a_job_without_a_result_may_be_tried_again_as_if_it_were_new(state: JobState) -> None:
    lost = running().lose_worker(at=NOON).start(at=NOON)
    ended = {
        JobState.FAILED: lost.fail(PROBLEM, attempt=2, at=NOON),
        JobState.CANCELED: lost.request_cancel(at=NOON).cancel(attempt=2, at=NOON),
    }[state]

    job = ended.retry(at=LATER)

    assert (job.state, job.revision) == (JobState.QUEUED, ended.revision + 1)
    assert (job.error, job.started_at, job.finished_at, job.n_losses) == (None, None, None, 0)
    assert job.history[-2:] == (ended.history[-1], Transition(state=JobState.QUEUED, at=LATER))
    assert job.start(at=LATER).attempt == 3
    with pytest.raises(IllegalTransition):
        job.succeed(attempt=2, artifacts=(MAP,), summary={}, provider="CPU", at=LATER)


@pytest.mark.parametrize("job", [make_job(), running(), succeed(running())])
def test_a_job_that_may_still_have_or_has_a_result_is_not_tried_again(job: Job) -> None:
    with pytest.raises(IllegalTransition, match=f"failed or was canceled, got one that is {job.state}"):
        job.retry(at=LATER)


@pytest.mark.parametrize(
    "move", ["report", "decide", "succeed", "fail", "cancel", "lose_worker", "give_back"]
)
def test_a_waiting_job_has_no_worker_that_could_speak_for_it(move: str) -> None:
    with pytest.raises(IllegalTransition):
        MOVES[move](make_job())


def test_a_running_job_is_not_started_again() -> None:
    with pytest.raises(IllegalTransition, match=r"\(running\) cannot become running"):
        running().start(at=NOON)


def test_a_job_whose_worker_died_is_queued_and_its_next_attempt_has_a_new_number() -> None:
    job = running().report(HALF, attempt=1).lose_worker(at=NOON)

    assert (job.state, job.progress) == (JobState.QUEUED, None)
    assert job.start(at=NOON).attempt == 2


def test_a_worker_that_was_believed_dead_is_not_listened_to() -> None:
    job = running().lose_worker(at=NOON).start(at=NOON)

    for late in (lambda: job.report(HALF, attempt=1), lambda: job.fail(PROBLEM, attempt=1, at=NOON)):
        with pytest.raises(StaleAttempt, match="attempt 2 has begun"):
            late()


def test_a_job_that_kills_every_worker_fails_in_the_end() -> None:
    job = make_job()

    for _ in range(MAX_LOSSES):
        job = job.start(at=NOON).lose_worker(at=NOON)

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "worker-lost"


def test_a_job_that_is_given_back_often_is_not_blamed() -> None:
    job = make_job()

    for attempt in range(1, 2 * MAX_LOSSES):
        job = job.start(at=NOON).give_back(attempt=attempt, at=NOON)

    assert (job.state, job.n_losses) == (JobState.QUEUED, 0)


def test_a_canceled_job_that_is_given_back_is_not_run_again() -> None:
    assert running().request_cancel(at=NOON).give_back(attempt=1, at=NOON).state is JobState.CANCELED


def test_what_a_worker_decides_on_stays_with_the_job() -> None:
    job = running().decide(CHOICE, attempt=1)

    assert (job.model, job.modality, job.revision) == (CHOICE.model, CHOICE.modality, 3)
    assert job.decide(CHOICE, attempt=1) is job
    assert job.lose_worker(at=NOON).start(at=NOON).model == CHOICE.model


def test_what_a_worker_has_read_of_a_scan_stays_with_the_job() -> None:
    facts = ScanFacts(shape=(2, 3, 4), spacing_mm=(1, 1, 1.23456789), orientation="LPS", warnings=("odd",))
    running = make_job().start(at=NOON)

    described = running.describe(facts, attempt=1)

    assert (described.scan, described.revision) == (facts, running.revision + 1)
    stored = Job.model_validate_json(described.model_dump_json())
    assert stored.describe(facts, attempt=1) == stored
    with pytest.raises(StaleAttempt):
        described.describe(facts, attempt=2)


def test_a_job_that_was_stored_before_scans_were_recognised_is_read() -> None:
    stored = make_job().model_dump(mode="json")
    del stored["modality"], stored["params"]["modality"]

    job = Job.model_validate(stored)

    assert (job.modality, job.params.modality, job.model) == (None, None, make_job().model)


def test_canceling_a_running_job_waits_for_the_worker() -> None:
    asked = running().request_cancel(at=NOON)

    assert asked.state is JobState.CANCELING
    assert asked.request_cancel(at=NOON) is asked
    assert asked.cancel(attempt=1, at=NOON).state is JobState.CANCELED


def test_a_job_that_somebody_no_longer_wants_does_not_succeed() -> None:
    with pytest.raises(IllegalTransition, match=r"\(canceling\) cannot become succeeded"):
        succeed(running().request_cancel(at=NOON))


def test_a_canceled_job_whose_worker_died_is_not_run_again() -> None:
    assert running().request_cancel(at=NOON).lose_worker(at=NOON).state is JobState.CANCELED


@given(moves=st.lists(st.sampled_from(sorted(MOVES)), max_size=12))
def test_every_change_has_a_new_revision_and_survives_json(moves: list[str]) -> None:
    job = make_job()
    for move in moves:
        try:
            after = MOVES[move](job)
        except IllegalTransition:
            continue
        assert after is job or after.revision == job.revision + 1
        assert Job.model_validate_json(after.model_dump_json()) == after
        assert after.state.is_finished == (after.finished_at is not None)
        job = after


def test_the_size_of_an_input_counts_the_mask() -> None:
    file = InputFile(name="000001", format="nifti", sha256="0" * 64, size_bytes=5)

    assert JobInput(files=(file, file)).size_bytes == 10
    assert JobInput(files=(file,), mask=file).size_bytes == 10


def test_the_progress_of_a_job_is_told_with_four_digits() -> None:
    assert Progress(stage="restoring", fraction=0.46249999999999997).fraction == 0.4625


@pytest.mark.parametrize("retention_s", [999_999_999_999, 99_999_999_999_999])
def test_a_job_that_is_kept_beyond_all_dates_ends_and_never_expires(retention_s: int) -> None:
    job = make_job().model_copy(update={"retention_s": retention_s})

    assert job.request_cancel(at=NOON).expires_at is None
