"""N4 on real brains: a shading that was put in is taken out again."""

from pathlib import Path

import numpy as np
import pytest

from disyre import brain
from disyre.adapters.n4 import find_bias
from disyre.adapters.nifti import read_nifti
from disyre.bias_field import BiasField
from disyre.types import Mask
from disyre.volume import Volume

EXAMPLE = Path(__file__).parents[3] / "examples" / "t1w.nii.gz"


@pytest.fixture(scope="module")
def scan() -> tuple[Volume, Mask]:
    """The example, every second voxel of it."""
    volume = read_nifti(EXAMPLE)
    small = Volume(
        np.ascontiguousarray(volume.voxels[::2, ::2, ::2]), volume.affine @ np.diag([2, 2, 2, 1.0])
    )
    return small, brain.stripped_mask(small)


@pytest.fixture(scope="module")
def even(scan: tuple[Volume, Mask]) -> Volume:
    """The example without the shading that it has of its own."""
    volume, mask = scan
    return BiasField.measure(volume, mask, 0.0, find_bias).remove(volume, 0.0)


def spread(factor: np.ndarray) -> float:
    return float(np.log(factor).std())


def test_most_of_a_known_shading_is_taken_away(scan: tuple[Volume, Mask], even: Volume) -> None:
    """Measured: of a logarithm with a standard deviation of 0.14, about a tenth is left."""
    volume, mask = scan
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, n) for n in volume.shape), indexing="ij")
    shading = np.exp(0.3 * i - 0.25 * j * k + 0.2 * k**2).astype(np.float32)

    shaded = volume.with_voxels(volume.voxels * shading)
    found = BiasField.measure(shaded, mask, 0.0, find_bias).remove(shaded, 0.0)

    inside = mask & (volume.voxels > 0)
    left = spread(found.voxels[inside] / even.voxels[inside])
    assert left < 0.2 * spread(shading[inside])


def test_a_scan_without_shading_is_hardly_changed(scan: tuple[Volume, Mask], even: Volume) -> None:
    _, mask = scan

    again = BiasField.measure(even, mask, 0.0, find_bias)

    assert spread(again.factor[mask]) < 0.02


def test_the_same_scan_gives_the_same_field(scan: tuple[Volume, Mask]) -> None:
    volume, mask = scan

    one, other = (BiasField.measure(volume, mask, 0.0, find_bias) for _ in range(2))

    np.testing.assert_array_equal(one.factor, other.factor)
