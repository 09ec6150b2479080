"""A broker, a folder of jobs, toy models, and workers on them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.live import LiveBroker, LiveWorker, live_broker
from tests.toy_model import make_two_models

StartWorker: TypeAlias = Callable[..., AbstractContextManager[LiveWorker]]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_two_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def shared_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBroker]:
    with live_broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[LiveBroker]:
    """One that a test may break."""
    with live_broker(tmp_path / "broker") as broker:
        yield broker
