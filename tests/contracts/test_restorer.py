"""What every restorer must do, whatever it runs the network with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from disyre.restoration import Restorer
from disyre.types import Batch
from model_export.config import NetworkConfig
from model_export.network import RestorationNet
from model_export.onnx_graph import to_onnx
from model_export.torch_restorer import TorchRestorer
from model_export.verify import ExportedRestorer
from tests.toy_model import make_toy_model
from worker.onnx_restorer import OnnxRestorer

NETWORK = NetworkConfig(widths=(8, 16), encoder_blocks=(1,), middle_blocks=1, decoder_blocks=(1,))


def _network() -> RestorationNet:
    """A network that changes what it sees."""
    torch.manual_seed(0)
    network = RestorationNet(NETWORK)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def _of_the_worker(folder: Path) -> Restorer:
    exported = to_onnx(_network(), name="toy")
    return OnnxRestorer(make_toy_model(folder, onnx_bytes=exported, stride=4), device="cpu")


RESTORERS: dict[str, Callable[[Path], Restorer]] = {
    "torch": lambda folder: TorchRestorer(_network()),
    "exported": lambda folder: ExportedRestorer(to_onnx(_network(), name="toy")),
    "of the worker": _of_the_worker,
}


@pytest.fixture(params=RESTORERS)
def restorer(request: pytest.FixtureRequest, tmp_path: Path) -> Restorer:
    return RESTORERS[request.param](tmp_path)


@pytest.fixture
def x() -> Batch:
    """Three images with some background."""
    images = np.random.default_rng(0).uniform(0.1, 1, (3, 1, 16, 24)).astype(np.float32)
    images[:, :, :, :5] = 0
    return images


def test_a_batch_comes_back_in_its_shape_and_is_not_written_to(restorer: Restorer, x: Batch) -> None:
    before = x.copy()

    restored = restorer(x, 0.5)

    assert restored.shape == x.shape
    assert restored.dtype == np.float32
    assert np.abs(restored - x).max() > 0.01
    np.testing.assert_array_equal(x, before)


def test_background_stays_background(restorer: Restorer, x: Batch) -> None:
    np.testing.assert_array_equal(restorer(x, 0.5)[x == 0], 0)


def test_each_image_is_restored_by_itself(restorer: Restorer, x: Batch) -> None:
    together = restorer(x, 0.5)

    for n in range(len(x)):
        np.testing.assert_allclose(restorer(x[n : n + 1], 0.5), together[n : n + 1], atol=1e-6)


def test_the_severity_matters(restorer: Restorer, x: Batch) -> None:
    assert np.abs(restorer(x, 1.0) - restorer(x, 0.1)).max() > 1e-4


def test_all_of_them_restore_alike(restorer: Restorer, x: Batch) -> None:
    expected = TorchRestorer(_network())(x, 0.3)

    np.testing.assert_allclose(restorer(x, 0.3), expected, atol=1e-5)
