"""The example's brain in three contrasts, on half its grid: a real T1w scan, its greys in another order."""

from functools import cache
from typing import Final

import numpy as np

from disyre.adapters.nifti import read_nifti
from disyre.types import Voxels
from disyre.volume import Volume
from tests.live import ROOT

_CURVES: Final = {
    "T1w": ([0.0, 1.0], [0.0, 1.0]),
    "T2w": ([0.0, 0.25, 0.5, 0.8, 1.0], [1.0, 0.9, 0.5, 0.33, 0.3]),
    "FLAIR": ([0.0, 0.2, 0.35, 0.5, 0.8, 1.0], [0.05, 0.1, 0.45, 0.62, 0.5, 0.48]),
}
"""Grey of the T1w scan, from fluid to white matter, and what becomes of it."""


@cache
def make_real_brain(modality: str) -> Volume:
    """A skull-stripped scan of voxels of about 2 mm, 0 around the brain."""
    scan = read_nifti(ROOT / "examples" / "t1w.nii.gz")
    inside = _halved((scan.voxels != 0).astype(np.float32)) > 0.5
    voxels = np.where(inside, _halved(scan.voxels), 0)
    grey = np.clip(voxels / np.percentile(voxels[inside], 99), 0, 1)
    affine = scan.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    painted = np.where(inside, 1000 * np.interp(grey, *_CURVES[modality]) + 1, 0)
    return Volume(painted.astype(np.float32), affine)


def _halved(voxels: Voxels) -> Voxels:
    x, y, z = (n // 2 for n in voxels.shape)
    return np.asarray(voxels[: 2 * x, : 2 * y, : 2 * z].reshape(x, 2, y, 2, z, 2).mean((1, 3, 5)))
