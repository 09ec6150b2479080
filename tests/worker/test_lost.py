"""A child that has died has its job given back by its parent, and nobody else's."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_store import Change
from disyre.adapters.task_queue import InMemoryTaskQueue
from disyre.adapters.worker_registry import worker_prefix
from disyre.errors import ArtifactsAway, Unavailable
from disyre.job import MAX_LOSSES, Job
from disyre.job_state import JobState
from tests.builders import NOON, make_job
from worker.lost import child_prefix, give_back, give_back_soon

JOB_ID = make_job().id
LONG_S = 60.0

OpenArtifacts: TypeAlias = Callable[[], ArtifactStore]


@pytest.fixture
def jobs() -> InMemoryJobStore:
    jobs = InMemoryJobStore()
    jobs.add(make_job().start(at=NOON))
    return jobs


@pytest.fixture
def queue() -> InMemoryTaskQueue:
    return InMemoryTaskQueue()


@pytest.fixture
def dead() -> str:
    """The holder of the lease of a child of this process that is no more."""
    program = "from worker.lost import child_prefix; print(child_prefix())"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    return f"{done.stdout.strip()}token"


@pytest.fixture
def artifacts(tmp_path: Path) -> OpenArtifacts:
    return lambda: FolderArtifactStore(tmp_path)


def test_the_job_of_a_child_that_died_is_back_in_the_queue_at_once(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue, dead: str, artifacts: OpenArtifacts
) -> None:
    jobs.claim(JOB_ID, dead, lease_s=LONG_S)

    give_back_soon(JOB_ID, jobs, queue, artifacts).join()

    job = jobs.get(JOB_ID)
    assert (job.state, job.n_losses, queue.job_ids) == (JobState.QUEUED, 1, [JOB_ID])
    assert not jobs.is_leased(JOB_ID)


def test_a_job_that_was_canceled_ends_with_its_child(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue, dead: str, artifacts: OpenArtifacts
) -> None:
    jobs.claim(JOB_ID, dead, lease_s=LONG_S)
    jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))

    give_back(JOB_ID, jobs, queue, artifacts)

    assert (jobs.get(JOB_ID).state, queue.job_ids) == (JobState.CANCELED, [])


def test_nothing_stays_of_what_the_attempts_of_a_job_had_written_that_ends_with_its_child(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue, dead: str, artifacts: OpenArtifacts, tmp_path: Path
) -> None:
    for _ in range(MAX_LOSSES - 1):
        jobs.update(JOB_ID, lambda job: job.lose_worker(at=NOON).start(at=NOON))
    jobs.claim(JOB_ID, dead, lease_s=LONG_S)
    for attempt in (1, MAX_LOSSES):
        (tmp_path / "jobs" / JOB_ID / f"attempt-{attempt}.partial").mkdir(parents=True)

    give_back(JOB_ID, jobs, queue, artifacts)

    assert jobs.get(JOB_ID).state is JobState.FAILED
    assert list((tmp_path / "jobs" / JOB_ID).iterdir()) == []


def test_a_store_that_is_away_keeps_no_job_from_ending_with_its_child(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue, dead: str, tmp_path: Path
) -> None:
    class Away(FolderArtifactStore):
        def keep_only(self, job_id: str, attempt: int | None) -> None:
            raise ArtifactsAway("away")

    jobs.claim(JOB_ID, dead, lease_s=LONG_S)
    jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))

    give_back(JOB_ID, jobs, queue, lambda: Away(tmp_path))

    assert jobs.get(JOB_ID).state is JobState.CANCELED
    assert not jobs.is_leased(JOB_ID)


def test_a_job_that_others_hold_or_nobody_is_left_as_it_is(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue, artifacts: OpenArtifacts
) -> None:
    running = jobs.get(JOB_ID)
    give_back(JOB_ID, jobs, queue, artifacts)
    for holder in ("another-host-1/2:x", f"{worker_prefix()}{os.getpid()}/no-number:x", child_prefix()):
        jobs.claim(JOB_ID, holder, lease_s=LONG_S)
        give_back(JOB_ID, jobs, queue, artifacts)
        assert jobs.is_leased(JOB_ID)
        jobs.release(JOB_ID, holder)

    assert (jobs.get(JOB_ID), queue.job_ids) == (running, [])


def test_another_attempt_that_has_begun_meanwhile_goes_on(
    queue: InMemoryTaskQueue, dead: str, artifacts: OpenArtifacts
) -> None:
    class QuickOthers(InMemoryJobStore):
        def update(self, job_id: str, change: Change) -> Job:
            super().update(job_id, lambda job: job.lose_worker(at=NOON).start(at=NOON))
            return super().update(job_id, change)

    jobs = QuickOthers()
    jobs.add(make_job().start(at=NOON))
    jobs.claim(JOB_ID, dead, lease_s=LONG_S)

    give_back(JOB_ID, jobs, queue, artifacts)

    job = jobs.get(JOB_ID)
    assert (job.state, job.attempt, job.n_losses, queue.job_ids) == (JobState.RUNNING, 2, 1, [])


def test_another_attempt_that_begins_while_the_holder_is_looked_up_goes_on(
    queue: InMemoryTaskQueue, dead: str, artifacts: OpenArtifacts
) -> None:
    class QuickOthers(InMemoryJobStore):
        def holder(self, job_id: str) -> str | None:
            held_by = super().holder(job_id)
            self.update(job_id, lambda job: job.lose_worker(at=NOON).start(at=NOON))
            return held_by

    jobs = QuickOthers()
    jobs.add(make_job().start(at=NOON))
    jobs.claim(JOB_ID, dead, lease_s=LONG_S)

    give_back(JOB_ID, jobs, queue, artifacts)

    job = jobs.get(JOB_ID)
    assert (job.state, job.attempt, job.n_losses, queue.job_ids) == (JobState.RUNNING, 2, 1, [])


def test_a_broker_that_is_away_leaves_the_job_to_the_reaper(
    queue: InMemoryTaskQueue, artifacts: OpenArtifacts
) -> None:
    class Away(InMemoryJobStore):
        def holder(self, job_id: str) -> str | None:
            raise Unavailable("away")

    jobs = Away()
    jobs.add(make_job().start(at=NOON))

    give_back(JOB_ID, jobs, queue, artifacts)

    assert (jobs.get(JOB_ID).state, queue.job_ids) == (JobState.RUNNING, [])
