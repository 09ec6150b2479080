"""An API whose jobs expire, and a client of it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.key_files import client_of, write_keys
from tests.service.live_api import LiveApi, live_api


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    """An API that asks for keys."""
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path), retention_s=2 * 86400) as api:
        yield api


@pytest.fixture
def pacs(api: LiveApi) -> Iterator[httpx.Client]:
    with client_of(api, "pacs") as client:
        yield client
