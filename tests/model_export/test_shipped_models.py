"""The model packages in `models/`: whole, within their limits, and better than doing nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch

from disyre import INTENDED_USE
from disyre.grey_rank import rank_weight
from disyre.modality import MODALITIES
from disyre.model_package import CARD_FILE, ModelPackage
from disyre.model_shelf import ModelShelf
from disyre.restoration import restore_ensemble
from model_export.config import CorruptionConfig, PublishedKind
from model_export.corruption import nearest_condition
from model_export.dataset import SliceBank, measure_codebook
from model_export.training_set import recoloured
from model_export.validation import ValidationSet
from model_export.verify import ExportedRestorer
from worker.onnx_restorer import OnnxRestorer

MODELS = Path(__file__).parents[2] / "models"
SHIPPED = ModelShelf(MODELS).packages()


@pytest.fixture(params=SHIPPED, ids=lambda package: f"{package.manifest.name}-{package.manifest.version}")
def package(request: pytest.FixtureRequest) -> ModelPackage:
    shipped: ModelPackage = request.param
    return shipped


@pytest.fixture
def held_back(package: ModelPackage) -> SliceBank:
    """Slices of T1w scans that were not trained on, recoloured for a model of another modality.

    tests/data has the script that made them.
    """
    bank = SliceBank.load(Path(__file__).parents[1] / "data" / "held_back_slices.npz")
    modality = package.manifest.modality
    return bank if modality == "T1w" else recoloured(bank, modality, seed=1)


def test_there_is_a_model_for_every_modality_and_none_is_larger_than_12_mb() -> None:
    assert {package.manifest.modality for package in SHIPPED} == set(MODALITIES)
    for package in SHIPPED:
        assert len(package.verified_network()) <= 12_000_000


def test_a_shipped_model_is_where_it_says_and_within_its_limits(package: ModelPackage) -> None:
    manifest = package.manifest

    assert package.folder == MODELS / manifest.name / manifest.version
    assert manifest.gflop_per_patch <= 1.5
    assert manifest.n_parameters <= 6_000_000
    assert manifest.metrics["torch_onnx_difference"] <= 1e-4
    assert manifest.intended_use == INTENDED_USE
    assert package.verified_network()


def test_the_card_of_a_shipped_model_credits_the_data_that_its_threshold_was_set_with(
    package: ModelPackage,
) -> None:
    card = (package.folder / CARD_FILE).read_text(encoding="utf-8")
    names = {brain.name for brain in package.manifest.calibration.healthy}

    assert ("credit: OASIS and Neuromorphometrics" in card) == any(n.startswith("sub-1") for n in names)
    assert ("Kirby21" in card) == ("healthy_kirby113" in names)
    assert ("ds002748 (CC0-1.0)" in card) == ("sub-52" in names)


def test_a_shipped_model_restores_better_than_copying_its_input(package: ModelPackage) -> None:
    assert package.manifest.metrics["dag_mse_ratio"] < 0.5


def test_the_card_of_a_shipped_model_is_of_this_model(package: ModelPackage) -> None:
    card = (package.folder / CARD_FILE).read_text()

    assert package.manifest.sha256 in card
    assert INTENDED_USE in card
    assert f"**{package.manifest.calibration.threshold:.4f}**" in card
    assert f"**{package.manifest.metrics['dag_mse_ratio']:.3f}**" in card


@pytest.mark.parametrize(("kind", "card"), [("dag", "dag_mse_ratio"), ("fpi", "fpi_mse_ratio")])
def test_a_shipped_model_restores_held_back_slices_about_as_its_manifest_says(
    package: ModelPackage, held_back: SliceBank, kind: PublishedKind, card: str
) -> None:
    config = CorruptionConfig(codebook=measure_codebook(held_back.coded[::3], 5))
    slices = ValidationSet.of(held_back, len(held_back.coded), config)
    corruption, healthy = slices.corrupted[kind], slices.healthy.numpy()

    told = nearest_condition(corruption.severity).numpy()
    restored = ExportedRestorer(package.verified_network()).run(corruption.patches.numpy(), told)

    nothing = np.square(corruption.patches.numpy() - healthy).mean()
    ratio = float(np.square(restored - healthy).mean() / nothing)
    on_card = package.manifest.metrics[card]
    assert on_card / 2 < ratio < 2 * on_card  # other slices, of which a few strong anomalies decide


def test_hardly_anything_of_healthy_slices_is_above_the_threshold(
    package: ModelPackage, held_back: SliceBank
) -> None:
    x, inside = (frames.numpy() for frames in held_back.frames(torch.arange(len(held_back.coded))))

    scan, restorer = package.manifest.scan, ExportedRestorer(package.verified_network())
    assert scan.emphasis is not None

    done = restore_ensemble(restorer, x, scan.severities, size_of=scan.emphasis.size)

    map_values = (done.residual[:, 0] * rank_weight(x[:, 0], scan.emphasis))[inside[:, 0]]
    assert (map_values > package.manifest.calibration.threshold).mean() < 0.02
    assert map_values.mean() > 1e-5


@pytest.mark.parametrize("strides", [(1, 0, 0, 1), (4, 4, 2, 6)])
def test_empty_space_around_the_brain_does_not_change_what_a_shipped_model_does(
    package: ModelPackage, held_back: SliceBank, strides: tuple[int, int, int, int]
) -> None:
    restorer = OnnxRestorer(package, device="cpu")
    stride = package.manifest.grid.stride
    above, below, left, right = (stride * n for n in strides)
    for coded in held_back.coded[::6].numpy():
        tight = _tight(coded / np.float32(255), stride)[np.newaxis, np.newaxis]
        wide = np.pad(tight, [(0, 0), (0, 0), (above, below), (left, right)])

        expected = np.pad(restorer(tight, 0.6), [(0, 0), (0, 0), (above, below), (left, right)])

        assert np.abs(expected - wide).max() > 0.01
        np.testing.assert_allclose(restorer(wide, 0.6), expected, atol=1e-5, rtol=0)


def _tight(image: np.ndarray, stride: int) -> np.ndarray:
    """The brain's box, with edges that are multiples of the stride."""
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.pad(box, [(0, -edge % stride) for edge in box.shape])
