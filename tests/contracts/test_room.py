"""How much may wait, in every job store."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from disyre.adapters.job_store import JobStore
from disyre.errors import QueueFull
from disyre.job import Job, JobProblem
from disyre.queue_limits import QueueLimits
from tests.builders import make_job
from tests.contracts.stores import IDS, LATER, start


def test_jobs_are_added_together_or_not_at_all(jobs: JobStore) -> None:
    jobs.add(make_job(IDS[1]))

    with pytest.raises(ValueError, match="already"):
        jobs.add(make_job(IDS[0]), make_job(IDS[1]))
    with pytest.raises(QueueFull, match="fewer than 2 waiting jobs"):
        jobs.add(make_job(IDS[0]), make_job(IDS[2]), limits=QueueLimits(most_waiting=2))
    assert jobs.waiting() == [IDS[1]]

    jobs.add(make_job(IDS[0]), make_job(IDS[2]), limits=QueueLimits(most_waiting=3))
    assert jobs.waiting() == [IDS[1], IDS[0], IDS[2]]
    assert jobs.n_waiting() == 3


def test_jobs_that_are_added_at_once_do_not_overfill_the_queue(jobs: JobStore) -> None:
    together = threading.Barrier(20)

    def add(n: int) -> bool:
        together.wait()
        try:
            jobs.add(
                make_job(f"019b7a00-0000-7000-8000-0000000001{n:02d}"), limits=QueueLimits(most_waiting=5)
            )
        except QueueFull:
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        added = list(threads.map(add, range(20)))

    assert (sum(added), jobs.n_waiting(), len(jobs.list(limit=20))) == (5, 5, 5)


def test_the_voxels_of_jobs_that_wait_or_run_are_known(jobs: JobStore) -> None:
    def scan(job_id: str, n_voxels: int | None) -> Job:
        job = make_job(job_id, labels={'a "n_voxels":7': '"n_voxels":7', "n_voxels": "7"})
        return job.model_copy(update={"input": job.input.model_copy(update={"n_voxels": n_voxels})})

    assert jobs.n_voxels() == 0
    jobs.add(scan(IDS[0], 90_000_000), scan(IDS[1], 3_000_000_000))
    jobs.add(scan(IDS[2], None))
    assert jobs.n_voxels() == 3_090_000_000

    jobs.update(IDS[1], start)
    assert jobs.n_voxels() == 3_090_000_000
    failed = JobProblem(code="not-3d", detail="")
    jobs.update(IDS[1], lambda job: job.fail(failed, attempt=1, at=LATER))
    assert jobs.n_voxels() == 90_000_000
    jobs.update(IDS[1], lambda job: job.retry(at=LATER))
    assert jobs.n_voxels() == 3_090_000_000
    jobs.remove(IDS[1])
    assert jobs.n_voxels() == 90_000_000


def scan_of(job_id: str, n_voxels: int) -> Job:
    job = make_job(job_id)
    return job.model_copy(update={"input": job.input.model_copy(update={"n_voxels": n_voxels})})


def test_scans_that_are_added_at_once_have_no_more_voxels_than_may_wait(jobs: JobStore) -> None:
    together = threading.Barrier(20)

    def add(n: int) -> bool:
        together.wait()
        job = scan_of(f"019b7a00-0000-7000-8000-0000000001{n:02d}", 3_000_000_000)
        try:
            jobs.add(job, limits=QueueLimits(most_voxels=10_000_000_000))
        except QueueFull:
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        added = list(threads.map(add, range(20)))

    assert (sum(added), jobs.n_waiting(), jobs.n_voxels()) == (3, 3, 9_000_000_000)


def test_one_call_is_taken_whatever_voxels_it_has_while_there_are_no_others(jobs: JobStore) -> None:
    jobs.add(scan_of(IDS[0], 60), scan_of(IDS[1], 60), limits=QueueLimits(most_voxels=100))

    with pytest.raises(QueueFull, match=r"expected at most 100 voxels .* got 120 and 1 more"):
        jobs.add(scan_of(IDS[2], 1), limits=QueueLimits(most_voxels=100))
    assert jobs.n_waiting() == 2
