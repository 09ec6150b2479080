"""The rank of a voxel's grey in its brain, as a weight of the anomaly map."""

from typing import Final

import numpy as np
from scipy import ndimage

from disyre.emphasis import Emphasis
from disyre.types import Slices

_GREYS: Final = 4096
"""Steps of [0, 1] that are ranked."""
_SMOOTH_PX: Final = 1.0
"""Standard deviation of the Gaussian that takes the noise out of the ranks, in a slice."""


def rank_weight(slices: Slices, emphasis: Emphasis) -> Slices:
    """The rank, to its power, of every voxel of a normalised brain; 0 around it.

    1 has the brightest voxel, or the darkest if that is how lesions look; equal greys have one rank.
    """
    inside = slices > 0
    grey = np.minimum(slices * _GREYS, _GREYS - 1).astype(np.intp)
    counts = np.bincount(grey[inside], minlength=_GREYS)
    ranks = ((np.cumsum(counts) - 0.5 * counts) / max(1, counts.sum())).astype(np.float32)
    rank = np.where(inside, ranks[grey] if emphasis.towards == "bright" else 1 - ranks[grey], np.float32(0))
    sigma = (0.0, _SMOOTH_PX, _SMOOTH_PX)
    near = ndimage.gaussian_filter(inside.astype(np.float32), sigma, mode="constant")
    smooth = ndimage.gaussian_filter(rank, sigma, mode="constant") / np.maximum(near, np.float32(1e-6))
    return np.where(inside, smooth ** np.float32(emphasis.rank_power), np.float32(0))
