"""Slices that do not lie evenly along their normal, without DICOM."""

from collections.abc import Sequence

import numpy as np
import pytest

from disyre import stacks
from disyre.errors import GantryTilt, IrregularSlices
from tests.dicom_stacks import find, make_stack, moved


@pytest.mark.parametrize("missing", [1, 10, 18])
def test_a_missing_slice_is_counted_and_its_place_named(missing: int) -> None:
    slices = make_stack(gap_mm=1.5)
    del slices[missing]

    with pytest.raises(IrregularSlices) as refused:
        find(slices)

    start, end = 1.5 * (missing - 1), 1.5 * (missing + 1)
    assert str(refused.value).startswith(
        f"expected a slice every 1.50 mm, but 1 slice is missing: 1 after slice {missing} of 19 (between "
        f"{start:.2f} and {end:.2f} mm from the first)"
    )


def test_a_missing_slice_is_seen_even_where_slices_are_thin() -> None:
    slices = make_stack(gap_mm=0.15)
    del slices[10]

    with pytest.raises(IrregularSlices):
        find(slices)


def test_many_missing_slices_are_counted_and_the_first_places_named() -> None:
    slices = make_stack(60)
    for k in (50, 40, 39, 30, 20, 10, 5):
        del slices[k]

    with pytest.raises(
        IrregularSlices, match=r"7 slices are missing: 1 after slice 5 of 53.*, and at 1 more places"
    ):
        find(slices)


def test_gaps_that_vary_are_named_with_the_one_that_differs_most() -> None:
    slices = [moved(image, (0, 0, 0.02 * k**2)) for k, image in enumerate(make_stack(12))]

    with pytest.raises(IrregularSlices, match=r"from 1\.02 to 1\.42 mm; the one .* after slice (1|11) of 12"):
        find(slices)


def test_growing_gaps_are_refused_even_if_each_grows_by_little() -> None:
    slices = [moved(image, (0, 0, 0.002 * k**2)) for k, image in enumerate(make_stack(60))]

    with pytest.raises(IrregularSlices):
        find(slices)


def test_positions_that_are_rounded_to_a_tenth_of_a_millimetre_are_accepted() -> None:
    slices = [moved(image, (0, 0, round(0.97 * k, 1) - k)) for k, image in enumerate(make_stack(60))]

    stack, _ = find(slices)

    assert stacks.affine(stack)[2, 2] == pytest.approx(0.97, abs=0.002)


@pytest.mark.parametrize(
    ("which", "number"),
    [([0], 1), ([1], 2), ([20], 21), ([24], 25), ([11, 12, 13], 12), ([47], 48), (range(24, 48), 25)],
    ids=str,
)
@pytest.mark.parametrize("aside_mm", [0.3, 5.0])
@pytest.mark.parametrize("tilt_mm", [0.0, 0.01])
def test_slices_that_are_moved_sideways_are_named_and_not_called_gaps(
    which: Sequence[int], number: int, aside_mm: float, tilt_mm: float
) -> None:
    slices = [moved(image, (0, tilt_mm * k, 0)) for k, image in enumerate(make_stack(48, gap_mm=3.0))]
    for k in which:
        slices[k] = moved(slices[k], (aside_mm, 0, 0))

    with pytest.raises(
        IrregularSlices, match=f"slice {number} of 48 lies {aside_mm} mm beside .*export .* dcm2niix"
    ):
        find(slices)


def test_of_a_stack_that_is_bent_sideways_the_slice_that_is_furthest_is_named() -> None:
    slices = [moved(image, (0.002 * (k - 20) ** 2, 0, 0)) for k, image in enumerate(make_stack(41))]

    with pytest.raises(IrregularSlices, match=r"slice 21 of 41 lies 0\.8 mm beside"):
        find(slices)


def test_thin_slices_are_told_how_little_they_are_moved() -> None:
    slices = make_stack(gap_mm=0.5)
    slices[7] = moved(slices[7], (0.07, 0, 0))

    with pytest.raises(IrregularSlices, match=r"slice 8 of 20 lies 0\.070 mm beside"):
        find(slices)


def test_a_missing_slice_is_called_missing_though_others_are_moved_sideways() -> None:
    slices = [moved(image, (5.0 * (k > 23), 0, 0)) for k, image in enumerate(make_stack(48, gap_mm=3.0))]
    del slices[23]

    with pytest.raises(IrregularSlices, match=r"a slice every 3\.00 mm, but 1 slice is missing"):
        find(slices)


def test_a_tilt_is_refused_and_its_angle_named() -> None:
    shift = np.tan(np.deg2rad(12.0))

    with pytest.raises(
        GantryTilt, match=r"a gantry tilt of 12\.0 degrees.*by 4\.0 mm over the stack; reformat"
    ):
        find([moved(image, (0, shift * k, 0)) for k, image in enumerate(make_stack())])


def test_a_small_tilt_over_a_long_way_is_refused() -> None:
    with pytest.raises(GantryTilt, match=r"0\.3 degrees"):
        find([moved(image, (0, 0.005 * k, 0)) for k, image in enumerate(make_stack(176))])
