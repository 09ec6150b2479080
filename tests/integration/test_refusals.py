"""A worker that cannot do what it was told to does not start, and says why in one line."""

import shutil
from pathlib import Path

import pytest

from disyre.adapters.settings import EX_CONFIG
from disyre.model_package import NETWORK_FILE
from tests.integration.workplace import Workplace
from tests.live import LiveBroker
from tests.toy_model import SLOW_MODEL


@pytest.fixture
def workplace(shared_broker: LiveBroker, models: Path, tmp_path: Path) -> Workplace:
    own_models = tmp_path / "models"
    shutil.copytree(models, own_models)
    workplace = Workplace(shared_broker, own_models, tmp_path)
    workplace.client.flushall()  # others may have left workers in it
    return workplace


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


def damage(workplace: Workplace, model: str) -> None:
    network = workplace.models / model / "1" / NETWORK_FILE
    network.write_bytes(network.read_bytes()[:-1])


def test_a_damaged_network_of_the_default_model_is_refused(workplace: Workplace) -> None:
    damage(workplace, "t1w")

    assert_one_line(
        refusal(workplace), "t1w/1/model.onnx is not the network of its manifest: expected SHA-256 "
    )


def test_a_damaged_network_of_a_model_that_the_worker_is_for_is_refused(workplace: Workplace) -> None:
    damage(workplace, SLOW_MODEL)

    text = refusal(workplace, DISYRE_MODELS=f"t1w, {SLOW_MODEL}")

    assert_one_line(text, f"the model {SLOW_MODEL!r} cannot be held: ")
    assert "is not the network of its manifest" in text


def test_a_model_that_the_worker_is_for_and_that_is_missing_is_refused(workplace: Workplace) -> None:
    text = refusal(workplace, DISYRE_MODELS="t2w")

    assert_one_line(text, f"there is no model 't2w' in {workplace.models}")
