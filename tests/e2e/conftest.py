"""A stack on the command line, with toy models."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Serve, serving
from tests.toy_model import make_two_models


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_two_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="package")
def serve(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Serve]:
    """A stack that is ready, for all tests that leave it running."""
    with serving(tmp_path_factory.mktemp("data"), models) as serve:
        assert "disyre is ready" in serve.wait_until_ready()
        yield serve
