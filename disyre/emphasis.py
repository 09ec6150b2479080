"""What a map makes of a change: all alike, as in the papers, or more of what lesions look like in a modality.

A network changes more than lesions: in T2w and FLAIR it fills dark clefts and smooths edges. Lesions are
bright there, so what is darker than expected counts less, and the more so the darker it is in its brain.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from disyre.frozen import Frozen
from disyre.types import Batch


class Emphasis(Frozen):
    """How lesions look beside what the network expects in their place, and how much the rest counts."""

    towards: Literal["bright", "dark"]
    """What lesions are beside what is expected in their place."""
    other: float = Field(default=0.25, ge=0, le=1)
    """Weight of changes in the other direction; those in this one have a weight of 1."""
    rank_power: float = Field(default=0.0, ge=0, le=8)
    """The map is multiplied with the voxel's rank in the brain to this power; 0: not at all."""

    def size(self, change: Batch) -> Batch:
        """The size of changes `x - x0`, all at least 0: of the wrong direction, a share of it."""
        wrong = change < 0 if self.towards == "bright" else change > 0
        return np.asarray(np.abs(change) * np.where(wrong, np.float32(self.other), np.float32(1)))
