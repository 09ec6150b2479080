"""A running API that has more than one model to choose from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.live_api import LiveApi, live_api
from tests.toy_model import make_toy_model


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    """The API with toy models of two modalities."""
    make_toy_model(tmp_path / "models")
    make_toy_model(tmp_path / "models", name="t2w", modality="T2w")
    with live_api(tmp_path) as api:
        yield api
