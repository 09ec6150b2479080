"""Jobs whose scans and results are in a bucket: an outage costs time, never a job."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from disyre.adapters.bucket_artifact_store import BucketArtifactStore
from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.task_queue import InMemoryTaskQueue
from disyre.errors import ArtifactsAway, DamagedArtifact
from disyre.job import MAX_LOSSES, Job
from disyre.job_input import InputFile, JobInput
from disyre.job_state import JobState
from disyre.progress import OnProgress
from tests.builders import make_job
from tests.live_bucket import Line, LiveBucket, make_bucket
from tests.worker.job_runs import OUTCOME, write_map
from worker.steps import StopRequest
from worker.tasks import JobRunner, OnChoice, OnScan, Outcome, Score

SCAN = InputFile(name="000001", format="nifti", sha256="0" * 64, size_bytes=4)


@pytest.fixture
def bucket(s3: str, tmp_path: Path) -> LiveBucket:
    return make_bucket(s3, "jobs-" + tmp_path.name[-20:].strip("-_").replace("_", "-").lower())


@pytest.fixture
def line(bucket: LiveBucket) -> Iterator[Line]:
    line = Line(bucket.endpoint)
    yield line
    line.close()


@pytest.fixture
def store(bucket: LiveBucket, line: Line, tmp_path: Path) -> BucketArtifactStore:
    store = BucketArtifactStore(bucket.connect(line.address, timeout_s=2.0), tmp_path)
    store.prepare()
    with store.incoming() as folder:
        (folder / "000001").write_bytes(b"scan")
        store.accept(folder, make_job().id)
    return store


@pytest.fixture
def jobs() -> InMemoryJobStore:
    jobs = InMemoryJobStore()
    jobs.add(make_job())
    return jobs


def run(
    jobs: InMemoryJobStore,
    store: BucketArtifactStore | FolderArtifactStore,
    score: Score,
    stop: StopRequest | None = None,
) -> Job:
    job_id = make_job().id
    JobRunner(
        jobs,
        store,
        score,
        stop or StopRequest(grace_s=60),
        lease_s=60,
        time_limit_s=60,
        holds=lambda model: True,
        queue=InMemoryTaskQueue(),
    ).run_job(job_id)
    return jobs.get(job_id)


def test_a_job_goes_back_to_the_queue_as_long_as_its_bucket_is_away(
    jobs: InMemoryJobStore, store: BucketArtifactStore, line: Line, bucket: LiveBucket, tmp_path: Path
) -> None:
    line.is_cut = True
    line.drop()
    for attempt in range(1, MAX_LOSSES + 2):
        job = run(jobs, store, write_map)
        assert (job.state, job.attempt, job.n_losses) == (JobState.QUEUED, attempt, 0)
    line.is_cut = False

    job = run(jobs, store, write_map)

    assert job.state is JobState.SUCCEEDED
    assert set(bucket.objects()) == {f"disyre/jobs/{job.id}/attempt-{job.attempt}/map"}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_worker_that_has_to_end_puts_no_results_and_another_does_the_job(
    jobs: InMemoryJobStore, store: BucketArtifactStore, bucket: LiveBucket
) -> None:
    stop = StopRequest(grace_s=0)

    def write_and_hear_of_it(*given: Any) -> Outcome:
        stop.request()
        return write_map(*given)

    job = run(jobs, store, write_and_hear_of_it, stop)

    assert (job.state, job.attempt, job.n_losses) == (JobState.QUEUED, 1, 0)
    assert set(bucket.objects()) == {f"disyre/jobs/{job.id}/input.tar"}
    assert run(jobs, store, write_map).state is JobState.SUCCEEDED


def test_a_scan_that_is_not_the_one_that_was_uploaded_fails_its_job_after_three_looks(
    jobs: InMemoryJobStore, store: BucketArtifactStore
) -> None:
    def fetch(
        job: Job,
        folder: Path,
        on_progress: OnProgress,
        on_choice: OnChoice,
        on_scan: OnScan,
    ) -> Outcome:
        store.fetch(job.id, JobInput(files=(SCAN,)))
        return OUTCOME

    for _ in range(MAX_LOSSES):
        job = run(jobs, store, fetch)

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == DamagedArtifact.code


def test_a_result_that_is_stored_counts_though_the_bucket_is_away_by_then(
    jobs: InMemoryJobStore, tmp_path: Path
) -> None:
    class Away(FolderArtifactStore):
        def keep_only(self, job_id: str, attempt: int | None) -> None:
            raise ArtifactsAway("the bucket does not answer")

    store = Away(tmp_path / "data")
    store.prepare()
    (tmp_path / "data" / "jobs" / make_job().id).mkdir()

    assert run(jobs, store, write_map).state is JobState.SUCCEEDED
