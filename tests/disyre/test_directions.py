"""Directions of images that differ by noise."""

import numpy as np
import pytest

from disyre import stacks
from disyre.kinds import split
from tests.dicom_stacks import AXIAL, find, make_stack, moved


@pytest.mark.parametrize("shape", [(8, 9), (256, 256)])
def test_noise_in_the_directions_makes_no_volumes(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(5)
    slices = [
        moved(image, (0, 0, 0), orientation=AXIAL + noise.uniform(-5e-5, 5e-5, 6))
        for image in make_stack(60, shape=shape)
    ]

    stack, warnings = find(slices)
    affine = stacks.affine(stack)

    assert (len(stack), warnings) == (60, [])
    assert affine[:3, 0] @ affine[:3, 1] == pytest.approx(0.0, abs=1e-12)
    assert np.linalg.norm(affine[:3, :2], axis=0) == pytest.approx([1.0, 1.0], abs=1e-12)
    assert affine[:3, :2] == pytest.approx(np.eye(3)[:, :2], abs=3e-5)


def test_larger_noise_is_borne_by_images_whose_pixels_it_does_not_move() -> None:
    noise = np.random.default_rng(5)
    turned = [AXIAL + noise.uniform(-5e-4, 5e-4, 6) for _ in range(20)]

    for n, is_one in ((16, True), (512, False)):
        slices = [
            moved(image, (0, 0, 0), orientation=orientation)
            for image, orientation in zip(make_stack(20, shape=(n, n)), turned, strict=True)
        ]
        assert (len(split(slices, most=100)) == 1) == is_one


def test_equal_directions_are_those_of_the_volume_to_the_last_bit() -> None:
    oblique = np.array([0.8137976813, 0.4698463103, 0.3420201433, -0.559624631, 0.7922556403, 0.2432103468])

    affine = stacks.affine(make_stack(orientation=oblique))

    assert (affine[:3, :2].T.ravel() == oblique).all()
