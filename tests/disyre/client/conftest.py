"""An API as it is, a client of it, and a scan."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from disyre.client import (
    Client,
)
from tests.builders import make_volume
from tests.service.conftest import make_mask, nifti_bytes
from tests.service.live_api import LiveApi, live_api


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    with live_api(tmp_path) as api:
        yield api


@pytest.fixture
def client(api: LiveApi) -> Iterator[Client]:
    with Client(str(api.client.base_url), retry_for_s=5) as client:
        yield client


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "ZZCANARY.nii.gz"
    path.write_bytes(nifti_bytes(tmp_path, make_volume()))
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    path = tmp_path / "mask.nii.gz"
    path.write_bytes(nifti_bytes(tmp_path, make_mask((40, 48, 36))))
    return path
