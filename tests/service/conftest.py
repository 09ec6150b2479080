"""A running API, and bytes to send to it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from disyre.adapters.nifti_write import write_nifti
from disyre.volume import Volume
from tests.builders import make_volume
from tests.service.callbacks import Receiver, called
from tests.service.live_api import LiveApi, live_api


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    """The API with its default settings, one worker that is ready, and the toy model t1w/1."""
    with live_api(tmp_path) as api:
        yield api


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who is called."""
    with called() as receiver:
        yield receiver


@pytest.fixture
def scan(tmp_path: Path) -> bytes:
    """A scan as `.nii.gz`."""
    return nifti_bytes(tmp_path, make_volume())


@pytest.fixture
def mask(tmp_path: Path) -> bytes:
    """A mask for the scan as `.nii.gz`."""
    return nifti_bytes(tmp_path, make_mask((40, 48, 36)))


def make_mask(shape: tuple[int, int, int]) -> Volume:
    """A mask that is 1 everywhere."""
    return Volume(np.ones(shape, dtype=np.float32), np.eye(4))


def nifti_bytes(folder: Path, volume: Volume, *, name: str = "made.nii.gz") -> bytes:
    """A volume as NIfTI, gzipped unless the name ends in `.nii`."""
    path = folder / name
    write_nifti(path, volume)
    content = path.read_bytes()
    path.unlink()
    return content


@pytest.fixture(scope="module")
def shared_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    """One API for all tests in which nothing may be left behind anyway."""
    with live_api(tmp_path_factory.mktemp("api")) as api:
        yield api
