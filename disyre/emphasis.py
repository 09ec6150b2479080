"""What a map makes of a change: all alike, as in the papers, or more of what lesions look like in a modality.

A network changes more than lesions: in T2w and FLAIR it fills dark clefts and smooths edges. Lesions are
bright there, so what is darker than expected counts less, and the more so the darker it is in its brain.
"""

from typing import Final, Literal

import numpy as np
from pydantic import Field
from scipy import ndimage

from disyre.frozen import Frozen
from disyre.types import Batch, Slices

_GREYS: Final = 4096
"""Steps of [0, 1] that are ranked."""
_SMOOTH_PX: Final = 1.0
"""Standard deviation of the Gaussian that takes the noise out of the ranks, in a slice."""


class Emphasis(Frozen):
    """How lesions look beside what the network expects in their place, and how much the rest counts."""

    towards: Literal["bright", "dark"]
    other: float = Field(default=0.25, ge=0, le=1)
    """Weight of changes in the other direction; those in this one have a weight of 1."""
    rank_power: float = Field(default=0.0, ge=0, le=8)
    """The map is multiplied with the voxel's rank in the brain to this power; 0: not at all."""

    def size(self, change: Batch) -> Batch:
        """The size of changes `x - x0`, all at least 0: of the wrong direction, a share of it."""
        wrong = change < 0 if self.towards == "bright" else change > 0
        return np.asarray(np.abs(change) * np.where(wrong, np.float32(self.other), np.float32(1)))

    def weight(self, slices: Slices) -> Slices:
        """The rank (to its power) of every voxel of a normalised brain, 0 around it.

        1 has the brightest voxel, or the darkest if that is how lesions look; equal greys have one rank.
        """
        inside = slices > 0
        grey = np.minimum(slices * _GREYS, _GREYS - 1).astype(np.intp)
        counts = np.bincount(grey[inside], minlength=_GREYS)
        ranks = ((np.cumsum(counts) - 0.5 * counts) / max(1, counts.sum())).astype(np.float32)
        rank = np.where(inside, ranks[grey] if self.towards == "bright" else 1 - ranks[grey], np.float32(0))
        sigma = (0.0, _SMOOTH_PX, _SMOOTH_PX)
        near = ndimage.gaussian_filter(inside.astype(np.float32), sigma, mode="constant")
        smooth = ndimage.gaussian_filter(rank, sigma, mode="constant") / np.maximum(near, np.float32(1e-6))
        return np.where(inside, smooth ** np.float32(self.rank_power), np.float32(0))
