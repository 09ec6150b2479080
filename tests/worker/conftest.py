"""A scorer of scans with a toy network in a real session, and the folders around it."""

from pathlib import Path

import pytest

from disyre.adapters.artifact_store import FolderArtifactStore
from disyre.model_package import ModelPackage, ModelShelf
from tests.toy_model import make_toy_model
from tests.worker.scan_jobs import JOB_ID
from worker.chooser import Chooser
from worker.holdings import Holdings
from worker.onnx_restorer import OnnxRestorer
from worker.restorers import Restorers
from worker.scan_scorer import ScanScorer


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
