"""Lost jobs come back, and others are left alone."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.task_queue import InMemoryTaskQueue
from disyre.errors import ArtifactsAway
from disyre.job import MAX_LOSSES, WORKER_LOST, Job
from disyre.job_state import JobState
from service.reaper import Reaper
from tests.builders import NOON, make_job

IDS = [f"019b7a00-0000-7000-8000-00000000000{n}" for n in (1, 2)]
LONG_S = 60.0
MUCH_LATER = NOON + timedelta(hours=1)
NO_FILES = FolderArtifactStore(Path("nothing-is-here"))


@pytest.fixture
def jobs() -> InMemoryJobStore:
    return InMemoryJobStore()


@pytest.fixture
def queue() -> InMemoryTaskQueue:
    return InMemoryTaskQueue()


def reap(jobs: InMemoryJobStore, queue: InMemoryTaskQueue, *, at: datetime = MUCH_LATER) -> None:
    jobs.clock = lambda: at
    Reaper(jobs, queue, NO_FILES, grace_s=10, settle_s=0).reap_once()


def start(jobs: InMemoryJobStore, job: Job, *, times: int = 1) -> None:
    jobs.add(job)
    jobs.update(job.id, lambda job: job.start(at=NOON))
    for _ in range(times - 1):
        jobs.update(job.id, lambda job: job.lose_worker(at=NOON).start(at=NOON))


def test_a_running_job_without_a_lease_is_sent_again(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue
) -> None:
    start(jobs, make_job())

    reap(jobs, queue)

    assert jobs.get(make_job().id).state is JobState.QUEUED
    assert queue.job_ids == [make_job().id]


def test_a_running_job_with_a_lease_is_left_alone(jobs: InMemoryJobStore, queue: InMemoryTaskQueue) -> None:
    start(jobs, make_job())
    jobs.claim(make_job().id, "worker", lease_s=LONG_S)

    reap(jobs, queue)

    assert jobs.get(make_job().id).state is JobState.RUNNING
    assert queue.job_ids == []


def test_a_worker_that_takes_its_lease_again_after_an_outage_is_not_lost(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue
) -> None:
    start(jobs, make_job())
    clock_s = [0.0]
    jobs.clock_s = lambda: clock_s[0]
    reaper = Reaper(jobs, queue, NO_FILES, settle_s=4)

    reaper.reap_once()
    jobs.claim(make_job().id, "worker", lease_s=LONG_S)
    clock_s[0] = 5
    reaper.reap_once()
    assert jobs.get(make_job().id).state is JobState.RUNNING

    jobs.release(make_job().id, "worker")
    for clock_s[0] in (6.0, 9.9):
        reaper.reap_once()
        assert jobs.get(make_job().id).state is JobState.RUNNING
    clock_s[0] = 10
    reaper.reap_once()
    assert jobs.get(make_job().id).state is JobState.QUEUED
    assert queue.job_ids == [make_job().id]


def test_a_reaper_goes_on_where_one_that_was_killed_had_seen_a_job_without_a_lease(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue
) -> None:
    start(jobs, make_job())
    clock_s = [0.0]
    jobs.clock_s = lambda: clock_s[0]

    for clock_s[0] in (0.0, 4.0):
        Reaper(jobs, queue, NO_FILES, settle_s=4).reap_once()

    assert jobs.get(make_job().id).state is JobState.QUEUED


def test_a_job_that_cannot_be_looked_after_is_told_of_once_and_keeps_no_other_waiting(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    for job_id in IDS:
        start(jobs, make_job(job_id))
    jobs.clock = lambda: MUCH_LATER
    reaper = Reaper(jobs, queue, NO_FILES, settle_s=0)
    read = jobs.get

    def get(job_id: str) -> Job:
        if job_id == IDS[0]:
            raise ValueError("this is no job")
        return read(job_id)

    jobs.get = get  # type: ignore[method-assign]
    for _ in range(2):
        reaper.reap_once()

    assert (read(IDS[0]).state, read(IDS[1]).state) == (JobState.RUNNING, JobState.QUEUED)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        f"job {IDS[0]} cannot be looked after"
    ]


def test_a_job_that_has_lost_too_many_workers_fails(jobs: InMemoryJobStore, queue: InMemoryTaskQueue) -> None:
    start(jobs, make_job(), times=MAX_LOSSES)

    reap(jobs, queue)

    job = jobs.get(make_job().id)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == WORKER_LOST
    assert queue.job_ids == []


def test_nothing_stays_of_what_the_attempts_of_a_job_had_written_that_lost_too_many_workers(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue, tmp_path: Path
) -> None:
    start(jobs, make_job(), times=MAX_LOSSES)
    left = tmp_path / "jobs" / make_job().id / f"attempt-{MAX_LOSSES}.partial"
    left.mkdir(parents=True)

    Reaper(jobs, queue, FolderArtifactStore(tmp_path), settle_s=0).reap_once()

    assert jobs.get(make_job().id).state is JobState.FAILED
    assert not left.exists()


def test_a_store_that_is_away_keeps_no_other_lost_job_waiting(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue, tmp_path: Path
) -> None:
    class Away(FolderArtifactStore):
        def keep_only(self, job_id: str, attempt: int | None) -> None:
            raise ArtifactsAway("away")

    start(jobs, make_job(IDS[0]), times=MAX_LOSSES)
    start(jobs, make_job(IDS[1]))

    Reaper(jobs, queue, Away(tmp_path), settle_s=0).reap_once()

    assert [jobs.get(job_id).state for job_id in IDS] == [JobState.FAILED, JobState.QUEUED]


def test_a_job_whose_worker_died_while_it_was_canceled_is_canceled(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue
) -> None:
    start(jobs, make_job())
    jobs.update(make_job().id, lambda job: job.request_cancel(at=NOON))

    reap(jobs, queue)

    assert jobs.get(make_job().id).state is JobState.CANCELED
    assert queue.job_ids == []


def test_a_queued_job_without_a_message_is_sent_again(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue
) -> None:
    jobs.add(make_job())

    reap(jobs, queue)

    assert queue.job_ids == [make_job().id]


def test_a_queued_job_is_sent_again_only_after_a_grace(
    jobs: InMemoryJobStore, queue: InMemoryTaskQueue
) -> None:
    jobs.add(make_job())

    reap(jobs, queue, at=NOON + timedelta(seconds=9))

    assert queue.job_ids == []


def test_a_queued_job_with_a_message_is_left_alone(jobs: InMemoryJobStore, queue: InMemoryTaskQueue) -> None:
    jobs.add(make_job())
    queue.enqueue(make_job())

    reap(jobs, queue)

    assert queue.job_ids == [make_job().id]


def test_finished_jobs_are_left_alone(jobs: InMemoryJobStore, queue: InMemoryTaskQueue) -> None:
    jobs.add(make_job())
    jobs.update(make_job().id, lambda job: job.request_cancel(at=NOON))

    reap(jobs, queue)

    assert jobs.get(make_job().id).state is JobState.CANCELED
    assert queue.job_ids == []


def test_one_reaper_works_at_a_time(jobs: InMemoryJobStore, queue: InMemoryTaskQueue) -> None:
    jobs.add(make_job())
    jobs.claim("reaper", "another", lease_s=LONG_S)

    reap(jobs, queue)
    assert queue.job_ids == []

    jobs.release("reaper", "another")
    reap(jobs, queue)
    assert queue.job_ids == [make_job().id]


def test_a_reaper_that_another_has_taken_over_from_stops(queue: InMemoryTaskQueue) -> None:
    class SlowLook(InMemoryJobStore):
        """The first look at a job takes so long that the lock is lost."""

        def is_leased(self, job_id: str) -> bool:
            if job_id != "reaper":
                self._leases["reaper"] = ("another", self.clock_s() + LONG_S)
            return super().is_leased(job_id)

    jobs = SlowLook()
    for job_id in IDS:
        start(jobs, make_job(job_id))

    reap(jobs, queue)

    assert [jobs.get(job_id).state for job_id in IDS] == [JobState.QUEUED, JobState.RUNNING]
    assert queue.job_ids == IDS[:1]


class TakenOver(InMemoryJobStore):
    """Another worker takes the job while the reaper looks at its lease."""

    def is_leased(self, job_id: str) -> bool:
        self.update(job_id, lambda job: job.lose_worker(at=NOON).start(at=NOON))
        return False


def test_a_job_that_another_worker_just_took_is_left_to_it(queue: InMemoryTaskQueue) -> None:
    jobs = InMemoryJobStore()
    start(jobs, make_job())
    taken_over = TakenOver()
    taken_over.add(jobs.get(make_job().id))

    reaper = Reaper(taken_over, queue, NO_FILES, settle_s=0)
    reaper._return_if_lost(make_job().id)

    job = taken_over.get(make_job().id)
    assert (job.state, job.attempt) == (JobState.RUNNING, 2)
    assert queue.job_ids == []
