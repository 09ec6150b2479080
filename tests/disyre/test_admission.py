"""What every scan must be, whatever format it comes in."""

import numpy as np
import pytest

from disyre import admission
from disyre.errors import NonFiniteVoxels, TooLarge, UnsupportedGeometry


def test_a_volume_of_as_many_voxels_as_may_be_is_let_in() -> None:
    admission.check_size((10, 10, 10), max_voxels=1000)


def test_a_larger_volume_is_not() -> None:
    with pytest.raises(TooLarge, match=r"at most 1000 voxels, got 1100; resample .* \(DISYRE_MAX_VOXELS\)"):
        admission.check_size((10, 10, 11), max_voxels=1000)


def test_sizes_are_not_computed_with_numbers_that_overflow() -> None:
    with pytest.raises(TooLarge):
        admission.check_size((2**32, 2**32, 1))


def test_an_axis_that_no_result_could_have_is_refused() -> None:
    with pytest.raises(TooLarge, match="at most 32767 voxels along an axis, got 32768"):
        admission.check_size((1, 32768, 1))


@pytest.mark.parametrize("spacing", [0.05, 25.0])
def test_a_spacing_that_no_scan_of_a_head_has_is_refused(spacing: float) -> None:
    with pytest.raises(UnsupportedGeometry, match=rf"0\.1 to 20 mm, got 1 x {spacing:g} x 1 mm"):
        admission.check_grid(np.diag([1.0, spacing, 1.0, 1.0]))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_grid_without_three_finite_axes_is_refused(value: float) -> None:
    with pytest.raises(UnsupportedGeometry):
        admission.check_grid(np.diag([1.0, value, 1.0, 1.0]))


def test_a_few_voxels_that_are_no_numbers_become_0_with_a_warning() -> None:
    voxels = np.ones((10, 10, 10), dtype=np.float32)
    voxels[0, 0, :3] = np.nan, np.inf, -np.inf
    warnings: list[str] = []

    admission.fill_non_finite(voxels, warnings.append)

    assert voxels.sum() == 997
    assert warnings == ["3 voxels set to 0, as NaN or infinite"]


def test_more_than_one_in_a_hundred_are_refused() -> None:
    voxels = np.ones((10, 10, 10), dtype=np.float32)
    voxels[0, :2, :] = np.nan

    with pytest.raises(
        NonFiniteVoxels, match=r"got 2\.0 %; if NaN stands for the background, replace it by 0"
    ):
        admission.fill_non_finite(voxels, admission.ignore)


def test_what_is_infinite_is_not_taken_for_background() -> None:
    voxels = np.full((4, 4, 4), np.inf, dtype=np.float32)

    with pytest.raises(NonFiniteVoxels, match=r"got 100\.0 %$"):
        admission.fill_non_finite(voxels, admission.ignore)


def test_finite_voxels_are_left_alone() -> None:
    voxels = np.full((2, 2, 2), np.finfo(np.float32).max)
    warnings: list[str] = []

    admission.fill_non_finite(voxels, warnings.append)

    assert warnings == []
    assert (voxels == np.finfo(np.float32).max).all()


@pytest.mark.parametrize(
    ("n_too_large", "told"),
    [
        (0, ["4 voxels set to 0, as NaN or infinite"]),
        (
            3,
            ["1 voxel set to 0, as NaN or infinite", "3 voxels set to 0, as too large for floats of 32 bits"],
        ),
        (4, ["4 voxels set to 0, as too large for floats of 32 bits"]),
    ],
)
def test_voxels_that_are_too_large_are_told_from_others(n_too_large: int, told: list[str]) -> None:
    voxels = np.zeros((10, 10, 10), np.float32)
    voxels[0, 0, :4] = np.inf
    warnings: list[str] = []

    admission.fill_non_finite(voxels, warnings.append, n_too_large=n_too_large)

    assert warnings == told
    assert not voxels.any()
