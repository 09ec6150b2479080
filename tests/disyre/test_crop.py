"""A box in a grid, cut out and put back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from disyre import geometry
from disyre.crop import Crop
from disyre.errors import EmptyImage
from disyre.intensity import IntensityRule
from disyre.preparation import Preparation
from disyre.types import Mask
from disyre.volume import Volume
from tests.builders import make_volume
from tests.strategies import axis_affines

masks = arrays(bool, (9, 7, 5)).filter(lambda mask: mask.any())


@given(mask=masks, margins=st.tuples(*[st.integers(0, 6)] * 3))
def test_a_crop_holds_the_mask_and_gives_every_voxel_of_it_back(
    mask: Mask, margins: tuple[int, int, int]
) -> None:
    voxels = np.where(mask, np.arange(mask.size).reshape(mask.shape) + 1, 0)
    crop = Crop.around(mask, margins=margins)

    np.testing.assert_array_equal(crop.paste(crop.cut(voxels)), voxels)
    assert crop.cut(mask).sum() == mask.sum()


@given(mask=masks, affine=axis_affines(spacing=st.floats(0.5, 3.0)))
def test_a_crop_of_a_volume_lies_where_it_was(mask: Mask, affine: np.ndarray) -> None:
    voxels = mask.astype(np.float32)

    part = Crop.around(mask, margins=(1, 2, 3)).volume(Volume(voxels, affine))

    found, expected = (
        geometry.apply_affine(each.affine, np.argwhere(each.voxels > 0).astype(np.float64))
        for each in (part, Volume(voxels, affine))
    )
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(mask=masks, pads=st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 3))
def test_planes_of_one_value_at_the_border_are_padding(mask: Mask, pads: tuple[tuple[int, int], ...]) -> None:
    voxels = np.where(mask, np.arange(mask.size).reshape(mask.shape) + 1, 0)
    padded = np.pad(voxels, pads)

    plain, found = Crop.without_padding(voxels), Crop.without_padding(padded)

    if any(before or after for before, after in pads):
        np.testing.assert_array_equal(found.cut(padded), Crop.around(mask).cut(voxels))
    if found.size == plain.size:
        np.testing.assert_array_equal(found.cut(padded), plain.cut(voxels))


def test_a_grid_of_one_value_is_no_padding() -> None:
    assert Crop.without_padding(np.zeros((4, 5, 6))).size == (4, 5, 6)


def test_what_is_to_be_kept_is_no_padding() -> None:
    keep = np.zeros((4, 5, 6), dtype=bool)
    keep[1:3, 0, 2] = True

    assert Crop.without_padding(np.zeros((4, 5, 6)), keep=keep).size == (2, 1, 1)


def test_an_empty_brain_cannot_be_prepared() -> None:
    volume = make_volume()

    with pytest.raises(EmptyImage, match="voxels in it"):
        Preparation.of(volume, np.zeros(volume.shape, dtype=bool), IntensityRule(), spacing_mm=1.0)
