"""A job that is run, with scoring replaced by small functions."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.job_store import JobStore
from disyre.adapters.task_queue import InMemoryTaskQueue, TaskQueue
from disyre.job import Artifact, Job
from disyre.progress import OnProgress, Progress
from tests.builders import make_job
from worker.steps import StopRequest
from worker.tasks import Holds, JobRunner, OnChoice, OnScan, Outcome, Score

JOB_ID = make_job().id
LONG_S = 60.0
OUTCOME = Outcome(
    artifacts=(Artifact(name="map", kind="map", media_type="text/plain", size_bytes=1, sha256="0" * 64),),
    summary={"anomaly_score": 0.25},
    provider="CPUExecutionProvider",
)
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


def write_map(
    job: Job,
    folder: Path,
    on_progress: OnProgress,
    on_choice: OnChoice,
    on_scan: OnScan,
) -> Outcome:
    (folder / "map").write_text("x")
    on_progress(Progress(stage="restoring", step=1, steps=2, fraction=0.5))
    return OUTCOME


def raising(error: BaseException) -> Score:
    def score(
        job: Job,
        folder: Path,
        on_progress: OnProgress,
        on_choice: OnChoice,
        on_scan: OnScan,
    ) -> NoReturn:
        (folder / "map").write_text("half")
        raise error

    return score


def never(
    job: Job,
    folder: Path,
    on_progress: OnProgress,
    on_choice: OnChoice,
    on_scan: OnScan,
) -> NoReturn:
    raise AssertionError("the job was run")


def folders(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "jobs" / JOB_ID).glob("*")}
