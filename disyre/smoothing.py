"""Smoothing of an anomaly map across slices that were restored one by one, each with errors of its own."""

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from disyre.types import Slices


def smooth_across(residual: Slices, inside: Bool[np.ndarray, "slice i j"], sigma_slices: float) -> Slices:
    """Gaussian mean over neighbouring slices, of voxels in the brain alone; 0 outside of it."""
    weights = inside.astype(np.float32)
    total = ndimage.gaussian_filter1d(residual * weights, sigma_slices, axis=0, mode="constant")
    weight = ndimage.gaussian_filter1d(weights, sigma_slices, axis=0, mode="constant")
    return np.where(inside, total / np.maximum(weight, np.float32(1e-6)), np.float32(0))
