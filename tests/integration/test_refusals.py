"""A worker that cannot do what it was told to does not start, and says why in one line."""

import shutil
from pathlib import Path

import pytest

from disyre.model_package import NETWORK_FILE
from tests.integration.workplace import Workplace
from tests.live import LiveBroker

EX_CONFIG = 78


@pytest.fixture
def workplace(shared_broker: LiveBroker, models: Path, tmp_path: Path) -> Workplace:
    own_models = tmp_path / "models"
    shutil.copytree(models, own_models)
    return Workplace(shared_broker, own_models, tmp_path)


def assert_refuses(workplace: Workplace, reason: str, **settings: str) -> None:
    with workplace.worker(**settings) as worker:
        assert worker.process.wait(60) == EX_CONFIG
    (line,) = [line for line in worker.text().splitlines() if line.startswith("disyre worker:")]
    assert reason in line
    assert workplace.registry.workers() == []


def test_a_provider_that_is_not_there_is_refused(workplace: Workplace) -> None:
    assert_refuses(workplace, "CUDAExecutionProvider is not in this", DISYRE_PROVIDER="cuda")


def test_a_provider_that_nobody_knows_is_refused(workplace: Workplace) -> None:
    assert_refuses(workplace, "provider", DISYRE_PROVIDER="abacus")


def test_a_damaged_network_is_refused(workplace: Workplace) -> None:
    network = workplace.models / "t1w" / "1" / NETWORK_FILE
    network.write_bytes(network.read_bytes()[:-1])

    assert_refuses(workplace, "is not the network of its manifest")


def test_a_missing_model_is_refused(workplace: Workplace) -> None:
    assert_refuses(workplace, "expected one of the installed models", DISYRE_DEFAULT_MODEL="t2w")
