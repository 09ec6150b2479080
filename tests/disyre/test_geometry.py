"""Affines: checked against nibabel."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from disyre import geometry
from disyre.errors import UnsupportedGeometry
from disyre.types import Affine, Points
from tests.strategies import affines

coordinates = st.floats(-100, 100)


@given(affine=affines(), points=arrays(np.float64, (5, 3), elements=coordinates))
def test_an_affine_and_its_inverse_undo_each_other(affine: Affine, points: Points) -> None:
    there = geometry.apply_affine(affine, points)

    np.testing.assert_allclose(geometry.apply_affine(np.linalg.inv(affine), there), points, atol=1e-6)


@given(affine=affines())
def test_spacing_is_what_nibabel_says(affine: Affine) -> None:
    np.testing.assert_allclose(geometry.spacing_mm(affine), nib.affines.voxel_sizes(affine))


@given(affine=affines())
def test_a_volume_of_voxels_is_their_number_times_the_volume_of_one(affine: Affine) -> None:
    expected = np.prod(nib.affines.voxel_sizes(affine)) / 1000

    assert geometry.voxel_volume_ml(affine) == pytest.approx(expected)


def test_every_axis_orientation_has_the_name_that_nibabel_gives_it() -> None:
    codes = ["".join(c) for c in _all_axis_codes()]

    found = [geometry.orientation(_affine_of(code)) for code in codes]

    assert len(set(codes)) == 48
    assert found == codes == ["".join(nib.aff2axcodes(_affine_of(code))) for code in codes]


@given(affine=affines())
def test_axes_to_ras_makes_the_diagonal_of_the_cosines_positive(affine: Affine) -> None:
    axes, signs = geometry.axes_to_ras(affine)

    reordered = affine[:3, list(axes)] * np.array(signs)
    assert np.all(np.diag(reordered) >= 0)
    assert sorted(axes) == [0, 1, 2]


@given(affine=affines())
def test_changing_the_world_to_lps_twice_changes_nothing(affine: Affine) -> None:
    np.testing.assert_array_equal(geometry.ras_to_lps(geometry.ras_to_lps(affine)), affine)


@pytest.mark.parametrize(
    "affine",
    [np.zeros((4, 4)), np.diag([1.0, 0.0, 1.0, 1.0]), np.diag([np.nan, 1.0, 1.0, 1.0]), np.ones((4, 4))],
)
def test_an_affine_that_is_no_grid_is_refused(affine: Affine) -> None:
    with pytest.raises(UnsupportedGeometry, match="expected"):
        geometry.axes_to_ras(affine)


def _all_axis_codes() -> list[tuple[str, ...]]:
    pairs = [("L", "R"), ("P", "A"), ("I", "S")]
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    return [
        tuple(pairs[axis][flip >> n & 1] for n, axis in enumerate(order))
        for order in orders
        for flip in range(8)
    ]


def _affine_of(code: str) -> Affine:
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, letter in enumerate(code):
        affine["RLAPSI".index(letter) // 2, axis] = 1.0 if letter in "RAS" else -1.0
    return affine
