"""Restorers that are one line each."""

import numpy as np
from scipy import ndimage

from disyre.types import Batch


def smooth(x: Batch, severity: float) -> Batch:
    """A network that takes every detail for an anomaly."""
    return np.asarray(ndimage.gaussian_filter(x, (0, 0, 2, 2)), dtype=np.float32)


def darken(x: Batch, severity: float) -> Batch:
    return x * np.float32(0.5)
