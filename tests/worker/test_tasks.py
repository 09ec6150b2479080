"""From a delivered id to a finished job, with scoring replaced by small functions."""

import errno
import logging
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.task_queue import InMemoryTaskQueue
from disyre.errors import (
    MaskMismatch,
    Misconfigured,
    NoModelForModality,
    NotBrainMr,
    OutOfMemory,
    TimedOut,
    Unavailable,
)
from disyre.job import MAX_LOSSES, WORKER_LOST, Job
from disyre.job_model import Choice, JobModel
from disyre.job_state import JobState
from disyre.modality import Guess
from disyre.progress import OnProgress
from disyre.scan_facts import ScanFacts
from tests.builders import NOON, make_job
from tests.worker.job_runs import (
    JOB_ID,
    LONG_S,
    OUTCOME,
    Run,
    folders,
    make_runner,
    never,
    raising,
    write_map,
)
from worker.steps import StopRequest, WorkerStopping
from worker.tasks import NotHeld, OnChoice, OnScan, Outcome


def test_a_job_is_scored_and_its_results_are_in_place(run: Run, tmp_path: Path) -> None:
    job = run(write_map)

    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)
    assert (job.artifacts, job.summary, job.provider) == (
        OUTCOME.artifacts,
        OUTCOME.summary,
        OUTCOME.provider,
    )
    assert (tmp_path / "jobs" / JOB_ID / "attempt-1" / "map").read_text() == "x"


def test_what_was_decided_while_the_broker_was_away_is_stored_in_the_end(run: Run) -> None:
    choice = Choice(modality=Guess(name="T2w", source="image", reason="so"), model=make_job().model)

    def decide(
        job: Job,
        folder: Path,
        on_progress: OnProgress,
        on_choice: OnChoice,
        on_scan: OnScan,
    ) -> Outcome:
        return replace(write_map(job, folder, on_progress, on_choice, on_scan), choice=choice)

    job = run(decide)

    assert (job.state, job.modality, job.model) == (JobState.SUCCEEDED, choice.modality, choice.model)


def test_what_a_worker_has_read_of_a_scan_is_stored_also_of_a_job_that_fails(run: Run) -> None:
    facts = ScanFacts(shape=(2, 3, 4), spacing_mm=(1, 1, 2), orientation="LPS", warnings=("odd",))

    def refuse(
        job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice, on_scan: OnScan
    ) -> NoReturn:
        on_scan(facts)
        raise NotBrainMr("expected a brain")

    job = run(refuse)

    assert (job.state, job.scan) == (JobState.FAILED, facts)


def test_a_job_that_is_refused_for_what_it_is_says_what_that_is(run: Run, tmp_path: Path) -> None:
    dwi = Guess(name="dwi", source="header", reason="b-value")

    def refuse(
        job: Job,
        folder: Path,
        on_progress: OnProgress,
        on_choice: OnChoice,
        on_scan: OnScan,
    ) -> Outcome:
        on_choice(Choice(modality=dwi, model=None))
        raise NoModelForModality("expected another")

    job = run(refuse)

    assert job.error is not None
    assert (job.state, job.error.code, job.modality) == (JobState.FAILED, "no-model-for-modality", dwi)
    assert not (tmp_path / "jobs" / JOB_ID).exists()


def test_delivering_a_job_twice_does_no_harm(run: Run) -> None:
    first = run(write_map)

    assert run(never) == first


def test_a_job_that_was_canceled_in_the_queue_is_not_run(run: Run, jobs: InMemoryJobStore) -> None:
    jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))

    assert run(never).state is JobState.CANCELED


def test_a_job_that_fails_after_it_was_canceled_is_canceled(run: Run, jobs: InMemoryJobStore) -> None:
    def fail(
        job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice, on_scan: OnScan
    ) -> NoReturn:
        jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))
        raise MaskMismatch("expected another mask")

    job = run(fail)

    assert (job.state, job.error) == (JobState.CANCELED, None)


def test_a_job_that_was_deleted_is_not_run(jobs: InMemoryJobStore, artifacts: FolderArtifactStore) -> None:
    jobs.remove(JOB_ID)
    runner = make_runner(jobs, artifacts, never)

    runner.run_job(JOB_ID)

    assert not jobs.is_leased(JOB_ID)


def test_a_job_that_another_worker_holds_is_left_to_it(run: Run, jobs: InMemoryJobStore) -> None:
    jobs.claim(JOB_ID, "another", lease_s=LONG_S)

    assert run(never) == make_job()


def test_a_job_whose_worker_died_is_run_again(run: Run, jobs: InMemoryJobStore, tmp_path: Path) -> None:
    jobs.update(JOB_ID, lambda job: job.start(at=NOON))
    (tmp_path / "jobs" / JOB_ID / "attempt-1.partial").mkdir()

    job = run(write_map)

    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2)
    assert [entry.state for entry in job.history] == ["queued", "running", "queued", "running", "succeeded"]
    assert folders(tmp_path) == {"attempt-2"}


def test_a_job_that_has_lost_too_many_workers_is_not_run_and_keeps_nothing_of_what_they_wrote(
    run: Run, jobs: InMemoryJobStore, tmp_path: Path
) -> None:
    (tmp_path / "jobs" / JOB_ID / "attempt-1.partial").mkdir()
    for _ in range(MAX_LOSSES - 1):
        jobs.update(JOB_ID, lambda job: job.start(at=NOON).lose_worker(at=NOON))
    jobs.update(JOB_ID, lambda job: job.start(at=NOON))

    job = run(never)

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == WORKER_LOST
    assert folders(tmp_path) == set()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MaskMismatch("expected a mask, got a hat"), "mask-mismatch"),
        (TimedOut("expected less"), "timeout"),
        (OutOfMemory("no room"), "out-of-memory"),
        (MemoryError(), "out-of-memory"),
        (Misconfigured("no model at /srv/models"), "misconfigured"),
        (ZeroDivisionError("Jane Doe"), "internal"),
        (OSError(errno.EIO, "I/O error", "/srv/data"), "internal"),
    ],
)
def test_an_error_fails_the_job_with_its_code(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, code: str
) -> None:
    job = run(raising(error))

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == code
    assert not any(word in f"{job.error.detail} {caplog.text}" for word in ("Jane Doe", "/srv"))
    assert folders(tmp_path) == set()


@pytest.mark.parametrize(("error", "left"), [(MaskMismatch("a hat"), False), (ZeroDivisionError(), True)])
def test_a_scan_that_would_be_refused_again_is_not_kept(
    run: Run, tmp_path: Path, error: Exception, left: bool
) -> None:
    scan = tmp_path / "jobs" / JOB_ID / "input" / "000001"
    scan.parent.mkdir(parents=True, exist_ok=True)
    scan.touch()

    run(raising(error))

    assert scan.exists() is left


def test_the_scan_of_a_job_that_has_succeeded_is_not_kept(run: Run, tmp_path: Path) -> None:
    scan = tmp_path / "jobs" / JOB_ID / "input" / "000001"
    scan.parent.mkdir(parents=True, exist_ok=True)
    scan.touch()

    assert run(write_map).state is JobState.SUCCEEDED

    assert folders(tmp_path) == {"attempt-1"}


def test_what_is_wrong_with_an_input_is_told(run: Run) -> None:
    job = run(raising(MaskMismatch("expected a mask, got a hat")))

    assert job.error is not None
    assert job.error.detail == "expected a mask, got a hat"


@pytest.mark.parametrize(
    "error",
    [Unavailable("away"), OSError(errno.ENOSPC, "No space left"), OSError(errno.EDQUOT, "Quota exceeded")],
)
def test_a_job_that_nobody_is_to_blame_for_goes_back_to_the_queue(
    run: Run, jobs: InMemoryJobStore, error: Exception
) -> None:
    job = run(raising(error))

    assert (job.state, job.attempt) == (JobState.QUEUED, 1)
    assert not jobs.is_leased(JOB_ID)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_fails_the_last_attempt(run: Run, number: int) -> None:
    for _ in range(MAX_LOSSES):
        job = run(raising(OSError(number, "full")))

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "storage-full"


@pytest.mark.parametrize(("came_by", "sent"), [("", [JOB_ID]), ("toy", [])])
def test_a_job_for_a_model_that_is_not_held_waits_for_another_worker(
    jobs: InMemoryJobStore, artifacts: FolderArtifactStore, came_by: str, sent: list[str]
) -> None:
    queue = InMemoryTaskQueue()
    runner = make_runner(jobs, artifacts, never, holds=lambda model: False, queue=queue)

    runner.run_job(JOB_ID, queue=came_by)

    assert jobs.get(JOB_ID) == make_job()  # not even an attempt
    assert queue.job_ids == sent  # from its own queue it would come back at once
    assert not jobs.is_leased(JOB_ID)


def test_a_job_whose_image_decides_for_a_model_that_is_not_held_is_sent_on(
    jobs: InMemoryJobStore, artifacts: FolderArtifactStore, tmp_path: Path
) -> None:
    t2w = JobModel(name="t2w", version="1", sha256="2" * 64)

    def decide(
        job: Job,
        folder: Path,
        on_progress: OnProgress,
        on_choice: OnChoice,
        on_scan: OnScan,
    ) -> NoReturn:
        on_choice(Choice(modality=Guess(name="T2w", source="image", reason="so"), model=t2w))
        raise NotHeld("this worker is not for the model t2w")

    queue = InMemoryTaskQueue()

    make_runner(jobs, artifacts, decide, queue=queue).run_job(JOB_ID)

    job = jobs.get(JOB_ID)
    assert (job.state, job.attempt, job.n_losses, job.queue) == (JobState.QUEUED, 1, 0, "t2w")
    assert (queue.job_ids, folders(tmp_path)) == ([JOB_ID], set())


@pytest.mark.parametrize(
    ("error", "grace_s", "is_held", "reason"),
    [
        (WorkerStopping(), 0.0, True, "this worker was told to stop"),
        (OSError(errno.ENOSPC, "No space left"), LONG_S, True, "attempt 1 came to nothing"),
        (
            NotHeld("this worker is not for the model t1w"),
            LONG_S,
            False,
            "this worker does not have the model",
        ),
    ],
)
def test_the_log_says_why_a_job_goes_back_to_the_queue_of_its_model(
    artifacts: FolderArtifactStore,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
    grace_s: float,
    is_held: bool,
    reason: str,
) -> None:
    jobs = InMemoryJobStore()
    jobs.add(make_job().model_copy(update={"model": None}))
    stop = StopRequest(grace_s=grace_s)
    t1w = JobModel(name="t1w", version="1", sha256="1" * 64)

    def decide(
        job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice, on_scan: OnScan
    ) -> NoReturn:
        on_choice(Choice(modality=Guess(name="T1w", source="image", reason="so"), model=t1w))
        stop.request()
        raise error

    with caplog.at_level(logging.INFO, logger="worker.tasks"):
        make_runner(jobs, artifacts, decide, stop, holds=lambda model: is_held).run_job(JOB_ID)

    assert f"job {JOB_ID} goes back to the queue of t1w: {reason}" in caplog.messages


class SilentQueue(InMemoryTaskQueue):
    """Takes nothing."""

    def enqueue(self, job: Job) -> None:
        raise Unavailable("away")


def test_a_job_that_cannot_be_sent_on_is_left_to_the_reaper(
    jobs: InMemoryJobStore, artifacts: FolderArtifactStore
) -> None:
    runner = make_runner(jobs, artifacts, never, holds=lambda model: False, queue=SilentQueue())

    runner.run_job(JOB_ID)

    assert jobs.get(JOB_ID) == make_job()
