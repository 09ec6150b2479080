"""A real stack, for tests of the receiver that need one."""

from collections.abc import Iterator

import pytest

from tests.e2e.stack import Serve, serving
from tests.toy_model import make_two_models


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    models = make_two_models(tmp_path_factory.mktemp("models"))
    with serving(tmp_path_factory.mktemp("data"), models) as serve:
        assert "disyre is ready" in serve.wait_until_ready()
        yield serve
