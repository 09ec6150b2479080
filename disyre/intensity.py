"""Normalisation of intensities to [0, 1]; the same code in training and at inference."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from disyre.errors import EmptyImage
from disyre.types import Mask, Voxels

BRAIN_FLOOR: Final = 1 / 255
"""Normalised brain voxels are at least this: only background is exactly 0, and a network may rely on it."""


class IntensityRule(BaseModel):
    """How raw intensities become the network's: 0 stays 0, a percentile becomes 1, the rest is clipped.

    `brain` takes the percentile over brain voxels and so does not depend on the field of view.
    `frame` takes it over all voxels, background included, as the reference implementation does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    over: Literal["brain", "frame"] = "brain"
    """Which voxels count: those of the brain, or all."""
    percentile: float = Field(default=99.0, gt=0, le=100)
    """The one of them that becomes 1."""


@dataclass(frozen=True)
class IntensityScale:
    """A rule, applied to one volume."""

    white: float
    """Raw intensity that becomes 1."""

    def normalize(self, voxels: Voxels) -> Voxels:
        """Raw intensities to [0, 1]."""
        return np.asarray(np.clip(voxels / np.float32(self.white), 0.0, 1.0), dtype=np.float32)

    def normalize_brain(self, voxels: Voxels, brain_mask: Mask) -> Voxels:
        """Raw intensities to [BRAIN_FLOOR, 1] in the brain and 0 around it."""
        return np.where(
            brain_mask, np.maximum(self.normalize(voxels), np.float32(BRAIN_FLOOR)), np.float32(0)
        )

    def denormalize(self, voxels: Voxels) -> Voxels:
        """[0, 1] back to raw intensities."""
        return np.asarray(voxels * np.float32(self.white), dtype=np.float32)


def measure_scale(voxels: Voxels, brain_mask: Mask, rule: IntensityRule) -> IntensityScale:
    """Find the scale of one volume.

    Raises EmptyImage if the percentile is not above 0.
    """
    values = voxels[brain_mask] if rule.over == "brain" else np.maximum(voxels, 0)
    white = float(np.percentile(values, rule.percentile)) if values.size else 0.0
    if not white > 0:
        raise EmptyImage(
            f"expected brain voxels brighter than 0, got a {rule.percentile} percentile of {white:g}"
        )
    return IntensityScale(white)
