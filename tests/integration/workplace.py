"""What the tests do around a worker: submit, wait, look at what is left."""

import hashlib
import os
import time
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from disyre.adapters.broker import connect
from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.nifti_write import write_nifti
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.task_queue import CeleryTaskQueue, make_celery
from disyre.adapters.worker_registry import RedisWorkerRegistry
from disyre.errors import Unavailable
from disyre.job import Job
from disyre.job_input import InputFile, JobInput
from disyre.job_model import JobModel
from disyre.job_params import JobParams
from disyre.job_state import JobState
from disyre.modality import Guess
from disyre.model_shelf import ModelShelf
from disyre.trace import Trace
from service.reaper import Reaper
from tests.builders import make_volume
from tests.live import LiveBroker, LiveWorker, live_worker, wait_for

LEASE_S: Final = 2.0
_FINISHED_WITHIN_S: Final = 60.0


@dataclass
class Workplace:
    """The API's side of the queue, and workers on the other."""

    broker: LiveBroker
    models: Path
    folder: Path

    def __post_init__(self) -> None:
        self.client = connect(self.broker.url, timeout_s=2)
        self.jobs = RedisJobStore(self.client)
        self.registry = RedisWorkerRegistry(self.client)
        celery = make_celery(self.broker.url, job_time_limit_s=60, timeout_s=2)
        self.queue = CeleryTaskQueue(celery, self.client)
        self.artifacts = FolderArtifactStore(self.folder / "data", records=self.jobs)
        self.reaper = Reaper(self.jobs, self.queue, self.artifacts, grace_s=0.5, settle_s=LEASE_S / 2)
        self.artifacts.prepare()

    def environment(self, **settings: str) -> dict[str, str]:
        """Of a worker."""
        return {
            "DISYRE_BROKER_URL": self.broker.url,
            "DISYRE_DATA_DIR": str(self.folder / "data"),
            "DISYRE_MODELS_DIR": str(self.models),
            "DISYRE_LEASE_S": str(LEASE_S),
            "DISYRE_THREADS": "1",
            **settings,
        }

    def worker(self, name: str = "worker", **settings: str) -> AbstractContextManager[LiveWorker]:
        """A worker for the length of a block; it may not be ready yet when the block begins."""
        return live_worker(self.environment(**settings), self.folder / f"{name}.log")

    def submit(
        self,
        *,
        model: str = "t1w",
        content: bytes | None = None,
        enqueue: bool = True,
        trace: Trace | None = None,
        modality: Guess | None = None,
        **params: Any,
    ) -> str:
        """Submit a scan, as the API does; without `enqueue` as an API does that dies in the middle.

        With a modality, the worker decides on the model.
        """
        job_id = _new_id()
        with self.artifacts.incoming() as folder:
            if content is None:
                write_nifti(folder / "000001", make_volume((96, 96, 60)))
            else:
                (folder / "000001").write_bytes(content)
            data = (folder / "000001").read_bytes()
            self.artifacts.accept(folder, job_id)
        file = InputFile(
            name="000001", format="nifti-gz", sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data)
        )
        job = Job.submit(
            job_id,
            model=None
            if modality
            else JobModel.of(ModelShelf(self.models).find(model, params.get("version")).manifest),
            modality=modality,
            input=JobInput(files=(file,)),
            params=JobParams(model=None if modality else model, **params),
            trace=trace,
            at=datetime.now(UTC),
        )
        self.jobs.add(job)
        if enqueue:
            self.queue.enqueue(job)
        return job_id

    def wait_until_restoring(self, job_id: str, *, attempt: int = 1) -> None:
        """Wait until a job is in the middle of its work."""

        def is_restoring() -> bool:
            self.reap()
            job = self.jobs.get(job_id)
            assert not job.state.is_finished, f"the job is {job.state} already"
            return job.attempt == attempt and job.progress is not None and job.progress.step > 0

        wait_for(is_restoring, f"attempt {attempt} is restoring")

    def wait_until_finished(self, job_id: str) -> Job:
        """Wait for the end of a job, with a reaper at work."""

        def finished() -> Job | None:
            self.reap()
            job = self.jobs.get(job_id)
            return job if job.state.is_finished else None

        return wait_for(finished, "the job is finished", within_s=_FINISHED_WITHIN_S)

    def reap(self) -> None:
        """What every API process does now and then."""
        try:
            self.reaper.reap_once()
        except Unavailable:
            time.sleep(0.1)

    def files(self, job_id: str) -> set[str]:
        """What a job has left in the artifact store, input excepted."""
        root = self.folder / "data" / "jobs" / job_id
        # Passes over what is removed meanwhile.
        found = {
            str((Path(folder) / n).relative_to(root)) for folder, _, names in os.walk(root) for n in names
        }
        return {name for name in found if not name.startswith("input/")}

    def assert_nothing_is_left(self, job_id: str) -> None:
        """A job has no files, at once or shortly after its end: they are removed when its state is stored."""
        wait_for(lambda: not self.files(job_id), "the files of the job are gone")

    def assert_one_whole_result(self, job: Job) -> None:
        """A job has succeeded, and its files are those of its last attempt, whole, and no others."""
        assert (job.state, job.error) == (JobState.SUCCEEDED, None)
        assert self.files(job.id) == {f"attempt-{job.attempt}/{artifact.name}" for artifact in job.artifacts}
        for artifact in job.artifacts:
            content = self.artifacts.result_file(job.id, job.attempt, artifact.name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == artifact.sha256


def _new_id() -> str:
    """A UUID of version 7."""
    bits = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10))
    return str(uuid.UUID(int=bits & ~(0xF << 76) & ~(0b11 << 62) | 7 << 76 | 0b10 << 62))
