"""Shading as a factor: what is known is taken away, and nothing else."""

import numpy as np
import pytest

from disyre.bias_field import BiasField
from disyre.resampling import GridMap
from disyre.types import Mask, Voxels
from disyre.volume import Volume
from tests.builders import make_volume

SHAPE = (60, 72, 56)


def shading(shape: tuple[int, int, int]) -> Voxels:
    """A smooth factor of 0.7 to 1.5."""
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    return np.exp(0.2 * i - 0.15 * j * k).astype(np.float32)


def no_bias(voxels: Voxels, brain: Mask, spacing_mm: tuple[float, float, float]) -> Voxels:
    return np.zeros_like(voxels)


def measure(volume: Volume, log_factor: Voxels) -> BiasField:
    """The field of a scan for which the estimator knows the answer on the scan's grid."""

    def find_bias(voxels: Voxels, brain: Mask, spacing_mm: tuple[float, float, float]) -> Voxels:
        crop_mm = np.array(voxels.shape) * spacing_mm
        start = (np.array(volume.shape) * volume.spacing_mm - crop_mm) / 2 / volume.spacing_mm
        n = [round(mm / s) for mm, s in zip(crop_mm, volume.spacing_mm, strict=True)]
        first = [round(s) for s in start]
        padded = np.pad(log_factor, 40, mode="edge")
        box = padded[tuple(slice(40 + f, 40 + f + m) for f, m in zip(first, n, strict=True))]
        grid = GridMap.to_spacing(
            Volume(box, np.diag([*volume.spacing_mm, 1.0])), spacing_mm[0], exactly=True
        )
        return grid.to_model(box)[: voxels.shape[0], : voxels.shape[1], : voxels.shape[2]]

    return BiasField.measure(volume, volume.voxels > 0, 0.0, find_bias)


def test_a_shading_that_is_found_is_divided_by_on_the_scan_s_own_grid() -> None:
    clean = make_volume(SHAPE, np.diag([1.5, 1.5, 1.5, 1.0]))
    shaded = clean.with_voxels(clean.voxels * shading(SHAPE))

    field = measure(shaded, np.log(shading(SHAPE)))
    even = field.remove(shaded, 0.0)

    inside = clean.voxels > 0
    ratio = even.voxels[inside] / clean.voxels[inside]
    assert ratio.std() / ratio.mean() < 0.02
    assert np.log(field.factor[inside]).mean() == pytest.approx(0, abs=1e-5)
    assert field.range == pytest.approx((field.factor[inside].min(), field.factor[inside].max()))


def test_a_scan_in_which_no_shading_is_found_is_not_changed() -> None:
    volume = make_volume(SHAPE)

    field = BiasField.measure(volume, volume.voxels > 0, 0.0, no_bias)

    np.testing.assert_array_equal(field.remove(volume, 0.0).voxels, volume.voxels)
    assert field.range == (1, 1)


def test_only_the_brain_is_changed_and_the_background_keeps_its_value() -> None:
    volume = make_volume(SHAPE)
    shifted = volume.with_voxels(volume.voxels - np.float32(1000))
    brain = volume.voxels > 0

    def find_bias(voxels: Voxels, brain: Mask, spacing_mm: tuple[float, float, float]) -> Voxels:
        assert voxels[brain].min() > 0  # above the background, whatever that is
        assert not voxels[~brain].any()
        line = np.linspace(-1, 1, voxels.shape[0], dtype=np.float32)[:, np.newaxis, np.newaxis]
        return np.asarray(line + 0 * voxels)

    field = BiasField.measure(shifted, brain, -1000.0, find_bias)
    even = field.remove(shifted, -1000.0)

    np.testing.assert_array_equal(even.voxels[~brain], -1000)
    np.testing.assert_array_equal(field.factor[~brain], 1)
    np.testing.assert_allclose((even.voxels + 1000) * field.factor, volume.voxels, atol=0.01)


def test_in_a_piece_of_brain_that_is_too_small_there_is_no_shading() -> None:
    volume = make_volume((20, 20, 20))

    field = BiasField.measure(volume, volume.voxels > 0, 0.0, lambda *_: np.full((1, 1, 1), np.nan))

    assert field.range == (1, 1)
