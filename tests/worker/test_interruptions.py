"""Jobs that are canceled, given back or taken away while they run, and a broker that goes away meanwhile."""

from collections.abc import Callable
from pathlib import Path

import pytest

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_store import Change
from disyre.errors import (
    JobCanceled,
    StaleAttempt,
    Unavailable,
    Undecided,
)
from disyre.job import Job
from disyre.job_state import JobState
from disyre.progress import OnProgress
from tests.builders import NOON, make_job
from tests.worker.job_runs import JOB_ID, OUTCOME, Run, folders, make_runner, raising, write_map
from worker.steps import StopRequest, WorkerStopping
from worker.tasks import OnChoice, OnScan, Outcome


def test_a_job_that_is_canceled_while_it_runs_is_canceled(
    run: Run, jobs: InMemoryJobStore, tmp_path: Path
) -> None:
    def cancel_then_go_on(
        job: Job,
        folder: Path,
        on_progress: OnProgress,
        on_choice: OnChoice,
        on_scan: OnScan,
    ) -> Outcome:
        jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))
        return write_map(job, folder, on_progress, on_choice, on_scan)

    job = run(cancel_then_go_on)

    assert job.state is JobState.CANCELED
    assert folders(tmp_path) == set()


def test_a_job_that_is_canceled_as_its_results_are_written_is_canceled_and_leaves_none(
    run: Run, jobs: InMemoryJobStore, tmp_path: Path
) -> None:
    def cancel_at_the_end(
        job: Job,
        folder: Path,
        on_progress: OnProgress,
        on_choice: OnChoice,
        on_scan: OnScan,
    ) -> Outcome:
        outcome = write_map(job, folder, on_progress, on_choice, on_scan)
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
    def while_another_begins(
        job: Job,
        folder: Path,
        on_progress: OnProgress,
        on_choice: OnChoice,
        on_scan: OnScan,
    ) -> Outcome:
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
