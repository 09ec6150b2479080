"""An archive, and a running API that knows it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.live_api import LiveApi, live_api
from tests.service.pulls.archive import Archive, archive


@pytest.fixture
def pacs() -> Iterator[Archive]:
    """An archive with a series of 6 images."""
    with archive() as made:
        yield made


@pytest.fixture
def api(tmp_path: Path, pacs: Archive) -> Iterator[LiveApi]:
    """The API; the archive may be silent for a second."""
    with live_api(tmp_path, pacs_file=pacs.file(tmp_path, timeout_s=1.0), max_files=20) as api:
        yield api
