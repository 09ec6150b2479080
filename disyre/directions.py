"""The directions of rows and columns that an image states (ImageOrientationPatient): whether they can be."""

from typing import Final

import numpy as np
import numpy.typing as npt

from disyre.errors import UnsupportedGeometry

_TOLERANCE: Final = 1e-3
"""How far two directions may be from length 1, and their cosine from that of a right angle."""


def check_directions(orientation: npt.NDArray[np.float64]) -> None:
    """Raise UnsupportedGeometry if 6 cosines are not two directions of unit length at a right angle."""
    axes = orientation.reshape(2, 3)
    lengths = np.linalg.norm(axes, axis=1)
    if np.abs(lengths - 1.0).max() > _TOLERANCE:
        raise UnsupportedGeometry(
            "expected directions of rows and columns of unit length (ImageOrientationPatient), got lengths "
            f"of {lengths[0]:.4g} and {lengths[1]:.4g}"
        )
    cosine = float(axes[0] @ axes[1])
    if abs(cosine) > _TOLERANCE:
        angle_deg = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
        raise UnsupportedGeometry(
            "expected rows and columns at a right angle (ImageOrientationPatient), got an angle of "
            f"{angle_deg:.4g} degrees"
        )
