"""From a delivered id to a finished job, with scoring replaced by small functions."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from disyre.adapters.artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_store import Change, JobStore
from disyre.adapters.task_queue import InMemoryTaskQueue, TaskQueue
from disyre.errors import (
    JobCanceled,
    MaskMismatch,
    Misconfigured,
    NoModelForModality,
    OutOfMemory,
    StaleAttempt,
    TimedOut,
    Unavailable,
    Undecided,
)
from disyre.job import MAX_LOSSES, WORKER_LOST, Artifact, Choice, Job, JobModel, JobState
from disyre.modality import Guess
from disyre.progress import OnProgress, Progress
from tests.builders import NOON, make_job
from worker.steps import StopRequest, WorkerStopping
from worker.tasks import Holds, JobRunner, NotHeld, OnChoice, Outcome, Score

JOB_ID = make_job().id
LONG_S = 60.0
OUTCOME = Outcome(
    artifacts=(Artifact(name="map", kind="map", media_type="text/plain", size_bytes=1, sha256="0" * 64),),
    summary={"anomaly_score": 0.25},
    provider="CPUExecutionProvider",
)


@pytest.fixture
def jobs() -> InMemoryJobStore:
    jobs = InMemoryJobStore()
    jobs.add(make_job())
    return jobs


@pytest.fixture
def artifacts(tmp_path: Path) -> FolderArtifactStore:
    artifacts = FolderArtifactStore(tmp_path)
    artifacts.prepare()
    (tmp_path / "jobs" / JOB_ID).mkdir()
    return artifacts


Run = Callable[..., Job]


def make_runner(
    jobs: JobStore,
    artifacts: FolderArtifactStore,
    score: Score,
    stop: StopRequest | None = None,
    *,
    holds: Holds = lambda model: True,
    queue: TaskQueue | None = None,
) -> JobRunner:
    """A worker that holds everything."""
    stop, queue = stop or StopRequest(grace_s=LONG_S), queue or InMemoryTaskQueue()
    return JobRunner(
        jobs, artifacts, score, stop, lease_s=LONG_S, time_limit_s=LONG_S, holds=holds, queue=queue
    )


@pytest.fixture
def run(jobs: InMemoryJobStore, artifacts: FolderArtifactStore) -> Run:
    def run(score: Score, *, stop: StopRequest | None = None) -> Job:
        make_runner(jobs, artifacts, score, stop).run_job(JOB_ID)
        return jobs.get(JOB_ID)

    return run


def write_map(job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice) -> Outcome:
    (folder / "map").write_text("x")
    on_progress(Progress(stage="restoring", step=1, steps=2, fraction=0.5))
    return OUTCOME


def raising(error: BaseException) -> Score:
    def score(job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice) -> NoReturn:
        (folder / "map").write_text("half")
        raise error

    return score


def never(job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice) -> NoReturn:
    raise AssertionError("the job was run")


def folders(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "jobs" / JOB_ID).glob("*")}


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

    def decide(job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice) -> Outcome:
        return replace(write_map(job, folder, on_progress, on_choice), choice=choice)

    job = run(decide)

    assert (job.state, job.modality, job.model) == (JobState.SUCCEEDED, choice.modality, choice.model)


def test_a_job_that_is_refused_for_what_it_is_says_what_that_is(run: Run, tmp_path: Path) -> None:
    dwi = Guess(name="dwi", source="header", reason="b-value")

    def refuse(job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice) -> Outcome:
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


def test_a_job_that_has_lost_too_many_workers_is_not_run(run: Run, jobs: InMemoryJobStore) -> None:
    for _ in range(MAX_LOSSES - 1):
        jobs.update(JOB_ID, lambda job: job.start(at=NOON).lose_worker(at=NOON))
    jobs.update(JOB_ID, lambda job: job.start(at=NOON))

    job = run(never)

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == WORKER_LOST


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


def test_what_is_wrong_with_an_input_is_told(run: Run) -> None:
    job = run(raising(MaskMismatch("expected a mask, got a hat")))

    assert job.error is not None
    assert job.error.detail == "expected a mask, got a hat"


@pytest.mark.parametrize("error", [Unavailable("away"), OSError(errno.ENOSPC, "No space left")])
def test_a_job_that_nobody_is_to_blame_for_goes_back_to_the_queue(
    run: Run, jobs: InMemoryJobStore, error: Exception
) -> None:
    job = run(raising(error))

    assert (job.state, job.attempt) == (JobState.QUEUED, 1)
    assert not jobs.is_leased(JOB_ID)


def test_a_full_disk_fails_the_last_attempt(run: Run) -> None:
    for _ in range(MAX_LOSSES):
        job = run(raising(OSError(errno.ENOSPC, "No space left")))

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "storage-full"


def test_a_job_that_is_canceled_while_it_runs_is_canceled(
    run: Run, jobs: InMemoryJobStore, tmp_path: Path
) -> None:
    def cancel_then_go_on(job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice) -> Outcome:
        jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))
        return write_map(job, folder, on_progress, on_choice)

    job = run(cancel_then_go_on)

    assert job.state is JobState.CANCELED
    assert folders(tmp_path) == set()


def test_a_job_that_is_canceled_as_its_results_are_written_is_canceled_and_leaves_none(
    run: Run, jobs: InMemoryJobStore, tmp_path: Path
) -> None:
    def cancel_at_the_end(job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice) -> Outcome:
        outcome = write_map(job, folder, on_progress, on_choice)
        jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))
        return outcome

    job = run(cancel_at_the_end)

    assert (job.state, job.artifacts, job.summary) == (JobState.CANCELED, (), None)
    assert folders(tmp_path) == set()


def test_a_job_that_is_canceled_once_its_results_are_in_place_is_canceled_and_leaves_none(
    jobs: InMemoryJobStore, artifacts: FolderArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = jobs.update

    def cancel_before_the_end(job_id: str, change: Change) -> Job:
        if "attempt-1" in folders(tmp_path):
            store(job_id, lambda job: job.request_cancel(at=NOON))
        return store(job_id, change)

    monkeypatch.setattr(jobs, "update", cancel_before_the_end)
    make_runner(jobs, artifacts, write_map).run_job(JOB_ID)

    assert jobs.get(JOB_ID).state is JobState.CANCELED
    assert folders(tmp_path) == set()


def test_a_worker_that_shuts_down_gives_its_job_back(
    run: Run, jobs: InMemoryJobStore, tmp_path: Path
) -> None:
    stop = StopRequest(grace_s=0)
    stop.request()

    job = run(write_map, stop=stop)

    assert (job.state, job.attempt) == (JobState.QUEUED, 1)
    assert not jobs.is_leased(JOB_ID)
    assert folders(tmp_path) == set()


@pytest.mark.parametrize("error", [None, JobCanceled(), WorkerStopping(), ValueError(), Unavailable("away")])
def test_a_worker_that_was_believed_dead_changes_nothing(
    run: Run, jobs: InMemoryJobStore, error: BaseException | None
) -> None:
    def while_another_begins(job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice) -> Outcome:
        jobs.update(JOB_ID, lambda job: job.lose_worker(at=NOON).start(at=NOON))
        if error is not None:
            raise error
        return OUTCOME

    job = run(while_another_begins)

    assert (job.state, job.attempt) == (JobState.RUNNING, 2)


def test_a_worker_that_lost_its_lease_leaves_no_results(run: Run, tmp_path: Path) -> None:
    job = run(raising(StaleAttempt("the lease on the job was lost")))

    assert job.state is JobState.RUNNING
    assert folders(tmp_path) == set()


class BrieflyAway(InMemoryJobStore):
    """A store that is away when the end of a job is to be stored."""

    away = 2

    def update(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        changed = change(self.get(job_id))
        if changed.state is JobState.SUCCEEDED and self.away:
            self.away -= 1
            raise Unavailable("away")
        return super().update(job_id, change)


def test_the_end_of_a_job_is_stored_when_the_broker_is_back(artifacts: FolderArtifactStore) -> None:
    jobs = BrieflyAway()
    jobs.add(make_job())

    make_runner(jobs, artifacts, write_map).run_job(JOB_ID)

    assert jobs.get(JOB_ID).state is JobState.SUCCEEDED


class Unanswering(InMemoryJobStore):
    """Stores, or not, and does not answer, for the first two changes."""

    def __init__(self, *, stores: bool) -> None:
        super().__init__()
        self.stores = stores
        self.n_changes = 0

    def update(self, job_id: str, change: Change) -> Job:
        self.n_changes += 1
        if self.stores or self.n_changes > 2:
            job = super().update(job_id, change)
        if self.n_changes <= 2:
            raise Undecided("the broker does not answer")
        return job


@pytest.mark.parametrize("stores", [True, False])
def test_a_job_that_begins_as_the_broker_goes_away_is_run_in_its_first_attempt(
    artifacts: FolderArtifactStore, stores: bool
) -> None:
    jobs = Unanswering(stores=stores)
    jobs.add(make_job())

    make_runner(jobs, artifacts, write_map).run_job(JOB_ID)

    job = jobs.get(JOB_ID)
    assert (job.state, job.attempt, job.n_losses) == (JobState.SUCCEEDED, 1, 0)
    assert [entry.state for entry in job.history] == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]


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

    def decide(job: Job, folder: Path, on_progress: OnProgress, on_choice: OnChoice) -> NoReturn:
        on_choice(Choice(modality=Guess(name="T2w", source="image", reason="so"), model=t2w))
        raise NotHeld("this worker is not for the model t2w")

    queue = InMemoryTaskQueue()

    make_runner(jobs, artifacts, decide, queue=queue).run_job(JOB_ID)

    job = jobs.get(JOB_ID)
    assert (job.state, job.attempt, job.n_losses, job.queue) == (JobState.QUEUED, 1, 0, "t2w")
    assert (queue.job_ids, folders(tmp_path)) == ([JOB_ID], set())


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
