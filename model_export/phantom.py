"""Head-like volumes made of a few formulas, so that the smoke run and the tests need no data."""

import numpy as np

from disyre.types import Mask, Voxels
from disyre.volume import Volume
from model_export.dataset import Scan

_SHAPE = (112, 136, 40)
"""Small: the smoke run is about the machinery."""


def make_phantom(seed: int) -> Scan:
    """A stripped brain of about 100 x 124 x 40 mm at 1 mm: CSF, folded cortex, white matter, ventricles."""
    rng = np.random.default_rng(seed)
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in _SHAPE), indexing="ij")
    angle = np.arctan2(j, i)
    radius = np.sqrt((i / rng.uniform(0.82, 0.9)) ** 2 + (j / rng.uniform(0.84, 0.92)) ** 2 + (0.35 * k) ** 2)
    folds = 0.03 * np.sin(rng.integers(12, 18) * angle + 4 * k + rng.uniform(0, 6))
    ventricle = np.hypot((np.abs(i) - 0.13) / 0.09, j / rng.uniform(0.25, 0.4)) < 1
    csf, grey, white = rng.uniform(0.1, 0.2), rng.uniform(0.45, 0.55), rng.uniform(0.8, 0.9)
    voxels = np.where(radius < 0.8 + 2 * folds, white, np.where(radius < 0.94 + folds, grey, csf))
    voxels = np.where(ventricle, csf, voxels) + rng.normal(0, 0.02, _SHAPE)
    mask = radius < 1
    return Scan(f"phantom-{seed}", Volume(_in_brain(voxels, mask), np.eye(4)), mask)


def _in_brain(voxels: Voxels, mask: Mask) -> Voxels:
    return np.where(mask, 1000 * np.clip(voxels, 0.01, 1), 0).astype(np.float32)
