"""Normalisation of intensities to [0, 1]; the same code in training and at inference."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from disyre.errors import EmptyImage
from disyre.types import Mask, Voxels


class IntensityRule(BaseModel):
    """How raw intensities become the network's: 0 stays 0, a percentile becomes 1, the rest is clipped.

    `brain` takes the percentile over brain voxels and so does not depend on the field of view.
    `frame` takes it over all voxels, background included, as the reference implementation does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    over: Literal["brain", "frame"] = "brain"
    percentile: float = Field(default=99.0, gt=0, le=100)


@dataclass(frozen=True)
class IntensityScale:
    """A rule, applied to one volume."""

    white: float
    """Raw intensity that becomes 1."""

    def normalize(self, voxels: Voxels) -> Voxels:
        """Raw intensities to [0, 1]."""
        return np.asarray(np.clip(voxels / np.float32(self.white), 0.0, 1.0), dtype=np.float32)

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
