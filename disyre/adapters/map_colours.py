"""Which grey and which colour a value has in pictures of a scored scan (Matplotlib)."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap, Normalize

from disyre.types import Mask, Voxels

MOST: Final = 4
"""Multiple of the threshold from which on the colour stays the same."""
COLOURS: Final = ListedColormap(colormaps["plasma"](np.linspace(0.2, 1, 256)))
"""Without the darkest, which would be lost on dark tissue."""
WINDOW: Final = (1.0, 99.8)
"""Percentiles of the scan's brain that are black and white: the few brightest voxels are vessels and rims."""


@dataclass(frozen=True)
class MapColours:
    """Greys of a scan, and colours of a map above a threshold."""

    grey: Normalize
    colour: Normalize
    threshold: float

    @classmethod
    def of(cls, scan: Voxels, brain: Mask, threshold: float) -> Self:
        """Those of a scan with its brain mask, on one grid."""
        black, white = np.percentile(scan[brain], WINDOW)
        return cls(Normalize(black, white), Normalize(threshold, MOST * threshold), threshold)
