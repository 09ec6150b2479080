"""A scorer of scans with a toy network in a real session, the folders around it, and a job to run."""

from pathlib import Path

import pytest

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.job import Job
from disyre.model_package import ModelPackage
from disyre.model_shelf import ModelShelf
from tests.builders import make_job
from tests.toy_model import make_toy_model
from tests.worker import job_runs
from tests.worker.job_runs import Run, make_runner
from tests.worker.scan_jobs import JOB_ID
from worker.chooser import Chooser
from worker.holdings import Holdings
from worker.onnx_restorer import OnnxRestorer
from worker.restorers import Restorers
from worker.scan_scorer import ScanScorer
from worker.steps import StopRequest
from worker.tasks import Score


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    return make_toy_model(tmp_path / "models")


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """The folder that holds a job's input."""
    folder = tmp_path / "data" / "jobs" / JOB_ID / "input"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def scorer(tmp_path: Path, package: ModelPackage) -> ScanScorer:
    restorers = Restorers(
        Holdings(tmp_path / "models"),
        lambda package: OnnxRestorer(package, device="cpu", threads=1),
        most=1,
    )
    artifacts = FolderArtifactStore(tmp_path / "data")
    chooser = Chooser(ModelShelf(tmp_path / "models"), default="t1w")
    return ScanScorer(artifacts.input_file, restorers, batch_size=8, max_voxels=250_000, chooser=chooser)


@pytest.fixture
def jobs() -> InMemoryJobStore:
    jobs = InMemoryJobStore()
    jobs.add(make_job())
    return jobs


@pytest.fixture
def artifacts(tmp_path: Path) -> FolderArtifactStore:
    artifacts = FolderArtifactStore(tmp_path)
    artifacts.prepare()
    (tmp_path / "jobs" / job_runs.JOB_ID).mkdir()
    return artifacts


@pytest.fixture
def run(jobs: InMemoryJobStore, artifacts: FolderArtifactStore) -> Run:
    def run(score: Score, *, stop: StopRequest | None = None) -> Job:
        make_runner(jobs, artifacts, score, stop).run_job(job_runs.JOB_ID)
        return jobs.get(job_runs.JOB_ID)

    return run
