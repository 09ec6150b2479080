"""A worker that cannot do what it was told to does not start, and says why in one line."""

import shutil
from pathlib import Path

import pytest

from disyre.adapters.settings import EX_CONFIG
from disyre.model_package import NETWORK_FILE
from tests.integration.workplace import Workplace
from tests.live import LiveBroker


@pytest.fixture
def workplace(shared_broker: LiveBroker, models: Path, tmp_path: Path) -> Workplace:
    own_models = tmp_path / "models"
    shutil.copytree(models, own_models)
    return Workplace(shared_broker, own_models, tmp_path)


def refusal(workplace: Workplace, **settings: str) -> str:
    """All that a worker writes which does not start."""
    with workplace.worker(**settings) as worker:
        assert worker.process.wait(60) == EX_CONFIG
    assert workplace.registry.workers() == []
    return worker.text()


def assert_one_line(text: str, reason: str) -> None:
    assert text.startswith("disyre worker: cannot start: ")
    assert text.count("\n") == 1
    assert reason in text


def test_a_provider_that_is_not_there_is_refused_before_anything_starts(workplace: Workplace) -> None:
    text = refusal(workplace, DISYRE_PROVIDER="cuda")

    assert_one_line(text, "CUDAExecutionProvider is not in this ONNX Runtime, which has ")


def test_a_provider_that_nobody_knows_is_refused(workplace: Workplace) -> None:
    text = refusal(workplace, DISYRE_PROVIDER="abacus")

    assert_one_line(text, "wrong setting DISYRE_PROVIDER: expected one of 'cpu', 'cuda' or 'tensorrt'")


def test_a_setting_that_nobody_knows_is_refused(workplace: Workplace) -> None:
    text = refusal(workplace, DISYRE_THREAD="1")

    assert_one_line(text, "unknown setting DISYRE_THREAD; the nearest known one is DISYRE_THREADS")


def test_a_missing_model_is_refused_with_the_folder_that_was_looked_into(workplace: Workplace) -> None:
    text = refusal(workplace, DISYRE_DEFAULT_MODEL="t2w")

    assert_one_line(
        text, f"there is no model 't2w' in {workplace.models}: expected one of the installed models"
    )


def test_a_damaged_network_is_refused_by_the_process_that_loads_it(workplace: Workplace) -> None:
    network = workplace.models / "t1w" / "1" / NETWORK_FILE
    network.write_bytes(network.read_bytes()[:-1])

    text = refusal(workplace)

    (line,) = [line for line in text.splitlines() if line.startswith("disyre worker:")]
    assert "is not the network of its manifest" in line
