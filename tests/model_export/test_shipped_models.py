"""The model packages in `models/`: whole, within their limits, and better than doing nothing."""

from pathlib import Path

import numpy as np
import pytest

from disyre import INTENDED_USE
from disyre.intensity import IntensityRule
from disyre.model_package import CARD_FILE, ModelPackage, ModelShelf
from disyre.types import Slices
from model_export.dataset import to_slices
from model_export.phantom import make_phantom
from worker.onnx_restorer import OnnxRestorer

MODELS = Path(__file__).parents[2] / "models"
SHIPPED = ModelShelf(MODELS).packages()


@pytest.fixture(params=SHIPPED, ids=lambda package: f"{package.manifest.name}-{package.manifest.version}")
def package(request: pytest.FixtureRequest) -> ModelPackage:
    shipped: ModelPackage = request.param
    return shipped


def test_a_model_is_shipped() -> None:
    assert ("t1w", "1") in [(package.manifest.name, package.manifest.version) for package in SHIPPED]


def test_a_shipped_model_is_where_it_says_and_within_its_limits(package: ModelPackage) -> None:
    manifest = package.manifest

    assert package.folder == MODELS / manifest.name / manifest.version
    assert manifest.gflop_per_patch <= 1.5
    assert manifest.n_parameters <= 6_000_000
    assert manifest.metrics["torch_onnx_difference"] <= 1e-4
    assert manifest.intended_use == INTENDED_USE
    assert package.verified_network()


def test_a_shipped_model_restores_better_than_copying_its_input(package: ModelPackage) -> None:
    assert package.manifest.metrics["dag_mse_ratio"] < 0.5


def test_the_card_of_a_shipped_model_is_of_this_model(package: ModelPackage) -> None:
    card = (package.folder / CARD_FILE).read_text()

    assert package.manifest.sha256 in card
    assert INTENDED_USE in card
    assert f"**{package.manifest.calibration.threshold:.4f}**" in card
    assert f"**{package.manifest.metrics['dag_mse_ratio']:.3f}**" in card


def test_a_shipped_model_does_not_see_background_that_is_4_strides_from_the_brain(
    package: ModelPackage,
) -> None:
    restorer = OnnxRestorer(package, device="cpu")
    slices: Slices = to_slices(make_phantom(5), IntensityRule())[::8].astype(np.float32) / 255
    stride = package.manifest.grid.stride
    short = [(0, -edge % stride) for edge in slices.shape[1:]]

    residuals = []
    for margin in (4 * stride, 7 * stride):
        edges = [(before + margin, after + margin) for before, after in short]
        frame = np.pad(slices, [(0, 0), *edges])[:, np.newaxis]
        residual = np.abs(frame - restorer(frame, 0.6))
        residuals.append(residual[:, 0, margin:-margin, margin:-margin])

    near, far = residuals
    assert far.max() > 0.01
    np.testing.assert_allclose(near, far, atol=1e-4, rtol=0)
