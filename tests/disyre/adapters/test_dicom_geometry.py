"""Two opinions on where a stack lies: what the sorter of images let through, highdicom may still refuse."""

from dataclasses import replace

import numpy as np
import pytest

from disyre import stacks
from disyre.adapters import dicom_geometry
from disyre.errors import IrregularSlices, UnsupportedGeometry
from tests.dicom_stacks import AXIAL, SAGITTAL, make_stack, moved


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL])
def test_an_even_stack_lies_where_its_positions_say(orientation: stacks.Vector) -> None:
    stack = make_stack(orientation=orientation, gap_mm=1.5, shape=(7, 9), spacing_mm=(0.8, 0.9))

    affine = dicom_geometry.affine(stack)

    np.testing.assert_allclose(affine @ [0, 0, 19, 1], [*stack[19].position, 1])
    np.testing.assert_allclose(affine[:3, 0], 0.9 * orientation[:3])
    np.testing.assert_allclose(affine[:3, 1], 0.8 * orientation[3:])


@pytest.mark.parametrize("shift_mm", [0.5, -0.5])
def test_a_stack_with_an_uneven_gap_is_refused(shift_mm: float) -> None:
    stack = make_stack()
    stack[7] = moved(stack[7], (0, 0, shift_mm))

    with pytest.raises(IrregularSlices, match="evenly spaced"):
        dicom_geometry.affine(stack)


def test_a_stack_in_another_order_is_refused() -> None:
    with pytest.raises(IrregularSlices, match="evenly spaced"):
        dicom_geometry.affine(make_stack()[::-1])


def test_a_stack_that_drifts_sideways_by_more_than_half_a_millimetre_is_refused() -> None:
    stack = [moved(image, (0.03 * k, 0, 0)) for k, image in enumerate(make_stack())]

    with pytest.raises(IrregularSlices, match=r"0\.57 mm"):
        dicom_geometry.affine(stack)


@pytest.mark.parametrize("cosines", [(1, 0, 0, 0.0009, 1, 0), (0.9995, 0, 0, 0, 1, 0.0004)])
def test_cosines_that_are_rounded_are_accepted(cosines: tuple[float, ...]) -> None:
    stack = make_stack(orientation=np.array(cosines, dtype=np.float64))
    stack = [replace(image, position=image.number * image.normal) for image in stack]

    np.testing.assert_allclose(dicom_geometry.affine(stack)[:3, 1], cosines[3:])


def test_voxels_without_a_size_are_refused() -> None:
    with pytest.raises(UnsupportedGeometry):
        dicom_geometry.affine(make_stack(spacing_mm=(0.0, 1.0)))


@pytest.mark.parametrize("spacing_mm", [(-1.5, 2.0), (1.5, -2.0)])
def test_what_highdicom_can_make_nothing_of_is_refused(spacing_mm: tuple[float, float]) -> None:
    with pytest.raises(UnsupportedGeometry, match="of which a volume can be made"):
        dicom_geometry.affine(make_stack(spacing_mm=spacing_mm))
