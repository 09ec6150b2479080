"""Cutting and pasting, whole slices and windows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from disyre.types import Mask, Slices, Voxels
from disyre.windows import BrainBox, WindowGrid, blending_weights

masks = arrays(bool, (9, 7, 5)).filter(lambda mask: mask.any())


@given(mask=masks, stride=st.sampled_from([1, 4, 16]), least=st.sampled_from([1, 8]))
def test_a_box_holds_the_brain_and_gives_every_voxel_of_it_back(mask: Mask, stride: int, least: int) -> None:
    voxels: Voxels = np.where(mask, np.arange(mask.size).reshape(mask.shape) + 1, 0).astype(np.float32)
    box = BrainBox.around(mask, stride=stride, least=least)

    slices = box.cut(voxels)

    assert slices.shape[1] % stride == slices.shape[2] % stride == 0
    assert min(slices.shape[1:]) >= least
    np.testing.assert_array_equal(box.paste(slices), voxels)


def test_a_box_is_no_larger_than_it_must_be() -> None:
    mask = np.zeros((100, 100, 100), dtype=bool)
    mask[10:42, 20:53, 30:40] = True

    box = BrainBox.around(mask, stride=16)

    assert (box.crop.start, box.crop.size) == ((10, 13, 30), (32, 48, 10))


@given(
    slices=arrays(np.float32, (2, 24, 32), elements=st.floats(0, 1, width=32)),
    stride=st.sampled_from([4, 8, 16]),
)
def test_windows_that_nobody_has_changed_blend_back_to_the_slices(slices: Slices, stride: int) -> None:
    grid = WindowGrid.over((32, 32), window=16, stride=stride)
    square = np.pad(slices, ((0, 0), (4, 4), (0, 0)))

    np.testing.assert_allclose(grid.blend(grid.cut(square)), square, atol=1e-5)


def test_windows_are_at_every_multiple_of_the_stride() -> None:
    grid = WindowGrid.over((160, 192), window=128, stride=32)

    assert grid.corners == ((0, 0), (0, 32), (0, 64), (32, 0), (32, 32), (32, 64))


def test_a_voxel_near_a_windows_centre_counts_more_than_one_at_its_edge() -> None:
    grid = WindowGrid.over((16, 24), window=16, stride=8)
    batch = np.stack([np.zeros((1, 16, 16)), np.ones((1, 16, 16))]).astype(np.float32)

    blended = grid.blend(batch)[0]

    assert blended[8, 8] < 0.1
    assert blended[8, 15] > 0.9


def test_the_weights_are_the_published_gaussian() -> None:
    weights = blending_weights(128)

    assert weights.max() == 1
    assert weights.min() == pytest.approx(1e-3)
    assert weights[64, 64 + 16] / weights[64, 64] == pytest.approx(
        np.exp(-(16.5**2 - 0.5**2) / 2 / 16**2), rel=1e-5
    )
    assert np.mean(weights == weights.min()) == pytest.approx(0.32, abs=0.02)


@pytest.mark.parametrize("shape", [(100, 128), (128, 130)])
def test_windows_end_at_the_edge_of_a_slice(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        WindowGrid.over(shape, window=128, stride=32)
