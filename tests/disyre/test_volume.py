"""What can be a volume, and what cannot."""

import numpy as np
import pytest

from disyre.errors import NotThreeDimensional, UnsupportedGeometry
from disyre.volume import Volume


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 2), (4, 0, 4)])
def test_a_volume_has_three_axes_that_are_not_empty(shape: tuple[int, ...]) -> None:
    with pytest.raises(NotThreeDimensional, match="3 axes"):
        Volume(np.zeros(shape, np.float32), np.eye(4))


@pytest.mark.parametrize("affine", [np.eye(3), np.zeros((4, 4))])
def test_a_volume_has_a_place(affine: np.ndarray) -> None:
    with pytest.raises(UnsupportedGeometry):
        Volume(np.zeros((2, 2, 2), np.float32), affine)


def test_other_voxels_stand_in_the_same_place() -> None:
    volume = Volume(np.zeros((2, 3, 4), np.float32), np.diag([-1.0, -2.0, 3.0, 1.0]))

    other = volume.with_voxels(np.ones((2, 3, 4), np.float32))

    assert (other.shape, other.spacing_mm, other.orientation) == ((2, 3, 4), (1.0, 2.0, 3.0), "LPS")
    np.testing.assert_array_equal(other.affine, volume.affine)


def test_voxels_of_another_shape_do_not_fit() -> None:
    volume = Volume(np.zeros((2, 3, 4), np.float32), np.eye(4))

    with pytest.raises(ValueError, match="shape"):
        volume.with_voxels(np.zeros((4, 3, 2), np.float32))
