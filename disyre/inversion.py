"""Negative slopes in headers: whether they turn a scan's bright and dark over."""

import numpy as np

from disyre.admission import OnWarning
from disyre.crop import faces_of
from disyre.errors import UnusableVolume
from disyre.types import Voxels


def check_slope(voxels: Voxels, slope: float, on_warning: OnWarning) -> None:
    """Raise UnusableVolume if the least slope that was applied to a scan is negative, and inverted it.

    Any other negative slope is told to `on_warning`.
    """
    if slope > 0:
        return
    if is_inverted(voxels):
        raise UnusableVolume(
            f"expected a header whose slope (RescaleSlope, scl_slope) is above 0, got {slope:g}, which makes "
            "the surroundings brighter than the head; send the intensities that the scanner gave"
        )
    on_warning(f"the header's slope (RescaleSlope, scl_slope) is negative: {slope:g}")


def is_inverted(voxels: Voxels) -> bool:
    """Whether a scan is brighter on its faces, which mostly are air, than in the middle half of each axis.

    >>> is_inverted(np.pad(np.zeros((6, 6, 6), np.float32), 2, constant_values=1.0))
    True
    """
    faces = [face.ravel() for face in faces_of(voxels)]
    middle = voxels[tuple(slice(n // 4, n - n // 4) for n in voxels.shape)]
    return float(np.median(np.concatenate(faces))) > float(np.median(middle))
