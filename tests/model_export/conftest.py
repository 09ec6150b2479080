"""Phantoms to train on, and one smoke run that several tests look at."""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from disyre.intensity import IntensityRule
from disyre.model_package import ModelPackage
from model_export import export, train
from model_export.config import TrainingConfig
from model_export.dataset import SliceBank
from model_export.phantom import make_phantom
from model_export.run_folder import RunFolder


@dataclass(frozen=True)
class SmokeRun:
    """What `disyre train --config smoke` and `disyre export` left behind."""

    folder: RunFolder
    package: ModelPackage


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> SmokeRun:
    """A copy of the one run that the first of several test processes makes for all."""
    place: Path = tmp_path_factory.mktemp("smoke")
    of_all = tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else place
    made = of_all / "smoke-run"
    with (of_all / "smoke-run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "models").exists():
            assert train.main(["--config", "smoke", "--out", str(made / "run")]) == 0
            assert export.main([str(made / "run"), "--to", str(made / "models/smoke/1")]) == 0
        for name in ("run", "models"):
            shutil.copytree(made / name, place / name)
    return SmokeRun(RunFolder(place / "run"), ModelPackage.read(place / "models/smoke/1"))


@pytest.fixture(scope="session")
def bank() -> SliceBank:
    """The slices of two phantoms."""
    return SliceBank.of(map(make_phantom, (1, 2)), IntensityRule(), min_frame_px=128)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


@pytest.fixture(scope="session")
def smoke_config() -> TrainingConfig:
    return TrainingConfig.read("smoke")
