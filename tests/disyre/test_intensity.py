"""The intensity rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disyre.errors import EmptyImage
from disyre.intensity import BRAIN_FLOOR, IntensityRule, measure_scale
from tests.builders import make_volume


def test_the_percentile_of_the_brain_becomes_1_and_0_stays_0() -> None:
    voxels = np.linspace(0, 100, 101, dtype=np.float32).reshape(101, 1, 1)
    mask = np.ones_like(voxels, dtype=bool)

    scale = measure_scale(voxels, mask, IntensityRule(percentile=90))
    normal = scale.normalize(voxels)

    assert normal.ravel()[[0, 45, 90, 100]] == pytest.approx([0, 0.5, 1, 1])


def test_only_the_background_becomes_exactly_0() -> None:
    voxels = np.array([[[0.0, 0.0, 50.0, 100.0]]], dtype=np.float32)
    mask = np.array([[[False, True, True, True]]])

    scale = measure_scale(voxels, mask, IntensityRule(percentile=100))

    normal = scale.normalize_brain(voxels, mask)
    assert normal.dtype == np.float32
    assert normal.ravel() == pytest.approx([0, BRAIN_FLOOR, 0.5, 1])


@given(gain=st.floats(0.01, 1000), pad=st.integers(0, 20))
def test_neither_the_unit_nor_the_field_of_view_changes_the_result(gain: float, pad: int) -> None:
    volume = make_volume()
    mask = volume.voxels > 0
    wide, wide_mask = np.pad(volume.voxels * np.float32(gain), pad), np.pad(mask, pad)

    one = measure_scale(volume.voxels, mask, IntensityRule()).normalize(volume.voxels)
    other = measure_scale(wide, wide_mask, IntensityRule()).normalize(wide)

    np.testing.assert_allclose(other[wide_mask], one[mask], rtol=1e-4)


def test_the_reference_rule_looks_at_the_whole_frame() -> None:
    voxels = np.zeros((10, 10, 10), np.float32)
    voxels[:5] = np.arange(500, dtype=np.float32).reshape(5, 10, 10)

    scale = measure_scale(voxels, voxels > 0, IntensityRule(over="frame", percentile=98))

    assert scale.white == pytest.approx(np.percentile(voxels, 98))


@given(white=st.floats(0.1, 1e4))
def test_intensities_come_back(white: float) -> None:
    voxels = np.linspace(0, white, 27, dtype=np.float32).reshape(3, 3, 3)
    scale = measure_scale(voxels, np.ones_like(voxels, dtype=bool), IntensityRule(percentile=100))

    np.testing.assert_allclose(scale.denormalize(scale.normalize(voxels)), voxels, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_a_dark_brain_is_refused(value: float) -> None:
    voxels = np.full((3, 3, 3), value, np.float32)

    with pytest.raises(EmptyImage, match="brighter than 0"):
        measure_scale(voxels, np.ones_like(voxels, dtype=bool), IntensityRule())


def test_a_mask_without_voxels_is_refused() -> None:
    voxels = np.ones((3, 3, 3), np.float32)

    with pytest.raises(EmptyImage):
        measure_scale(voxels, np.zeros_like(voxels, dtype=bool), IntensityRule())
