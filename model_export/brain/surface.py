"""How well two brain masks agree: Dice's coefficient and the distance of their surfaces."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Agreement:
    """Of a mask with a reference."""

    dice: float
    hd95_mm: float
    """95th percentile of the distances from the surface of either to that of the other."""

    @classmethod
    def of(cls, mask: Mask, reference: Mask, spacing_mm: tuple[float, float, float]) -> Self:
        """Compare two masks of one shape. Raises ValueError if one is empty."""
        if not mask.any() or not reference.any():
            raise ValueError("expected two masks with voxels in them")
        both = np.count_nonzero(mask & reference)
        dice = 2 * both / (np.count_nonzero(mask) + np.count_nonzero(reference))
        mine, theirs = _surface(mask), _surface(reference)
        away = [
            np.asarray(ndimage.distance_transform_edt(~b, sampling=spacing_mm))[a]
            for a, b in ((mine, theirs), (theirs, mine))
        ]
        return cls(float(dice), float(np.percentile(np.concatenate(away), 95)))


def _surface(mask: Mask) -> Mask:
    """The voxels of a mask that have a neighbour outside it; the border of the image is outside."""
    return np.asarray(mask & ~ndimage.binary_erosion(mask))
