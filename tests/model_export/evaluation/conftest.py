"""Lesion shapes that no patient had."""

from pathlib import Path

import numpy as np
import pytest

from disyre.adapters.nifti_write import write_nifti
from disyre.volume import Volume

MNI_AFFINE = np.array(
    [[-1.0, 0.0, 0.0, 78.0], [0.0, 1.0, 0.0, -112.0], [0.0, 0.0, 1.0, -50.0], [0.0, 0.0, 0.0, 1.0]]
)


def make_ball(radius_mm: float, *, at_mm: tuple[float, float, float] = (20.0, -20.0, 60.0)) -> Volume:
    """A round lesion in MNI space, on a grid of 157 x 189 x 136 mm."""
    i, j, k = np.ogrid[:157, :189, :136]
    x, y, z = 78.0 - i - at_mm[0], j - 112.0 - at_mm[1], k - 50.0 - at_mm[2]
    inside = x**2 + y**2 + z**2 <= radius_mm**2
    return Volume(inside.astype(np.float32), MNI_AFFINE)


@pytest.fixture(scope="session")
def shapes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One ball of each size that semi-synthetic cases have."""
    folder = tmp_path_factory.mktemp("shapes")
    for radius_mm in (4.5, 8.0, 13.0, 18.0):
        ball = make_ball(radius_mm)
        write_nifti(folder / f"ball{radius_mm:.0f}_lesion.nii.gz", ball, dtype=np.uint8)
    return folder
