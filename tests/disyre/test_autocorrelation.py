"""Whether greys some mm apart have to do with one another."""

import numpy as np
import pytest
from scipy import ndimage

from disyre import autocorrelation
from disyre.types import Mask
from disyre.volume import Volume

SHAPES = [((96, 96, 96), (1.0, 1.0, 1.0)), ((128, 128, 8), (0.94, 0.94, 5.0)), ((8, 128, 128), (5, 1, 1))]


def volume_of(voxels: np.ndarray, spacing_mm: tuple[float, float, float]) -> tuple[Volume, Mask]:
    """A scan, and what lies 4 voxels from its edges within slices."""
    inside = np.ones(voxels.shape, dtype=bool)
    for axis, n in enumerate(voxels.shape):
        if n > 8:
            np.moveaxis(inside, axis, 0)[[0, 1, 2, 3, -1, -2, -3, -4]] = False
    return Volume(voxels.astype(np.float32), np.diag([*spacing_mm, 1.0])), inside


@pytest.mark.parametrize(("shape", "spacing_mm"), SHAPES)
@pytest.mark.parametrize("shading", [1.0, 5.0])
@pytest.mark.parametrize("sigma_px", [0.0, 0.6])
def test_noise_is_like_nothing_whatever_shades_it_and_though_a_scanner_interpolated_it(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], shading: float, sigma_px: float
) -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(0).rayleigh(60, shape), sigma_px)
    shaded = noise * np.linspace(1, shading, shape[1])[None, :, None]

    assert abs(autocorrelation.measure(*volume_of(shaded, spacing_mm))) < 0.03


@pytest.mark.parametrize(("shape", "spacing_mm"), SHAPES)
def test_what_changes_slowly_is_like_itself_nearby_at_any_spacing(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> None:
    blobs = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), 4 / np.array(spacing_mm))

    assert autocorrelation.measure(*volume_of(blobs, spacing_mm)) == pytest.approx(np.exp(-9 / 64), abs=0.1)


def test_one_grey_is_like_nothing() -> None:
    assert autocorrelation.measure(*volume_of(np.ones((20, 20, 20)), (1, 1, 1))) == 0


def test_the_order_of_axes_does_not_matter() -> None:
    blobs = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(40, 50, 8)), (2, 2, 0))
    volume, inside = volume_of(blobs, (1, 1, 5))
    turned = Volume(np.moveaxis(volume.voxels, 2, 0), np.diag([5.0, 1, 1, 1]))

    expected = autocorrelation.measure(volume, inside)
    assert autocorrelation.measure(turned, np.moveaxis(inside, 2, 0)) == pytest.approx(expected, abs=1e-9)
