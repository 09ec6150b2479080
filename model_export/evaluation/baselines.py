"""What a model has to beat: methods that were not trained to find lesions.

Intensity after histogram equalisation is that of Meissen, Kaissis and Rueckert (2021), who found it ahead of
most learnt methods on bright lesions.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import ndimage, stats

from disyre.intensity import IntensityRule
from disyre.modality import Modality
from disyre.preparation import Preparation
from disyre.types import Voxels
from model_export.evaluation.cases import Case
from model_export.evaluation.method import Method

_MEDIAN_SPACING_MM: Final = 2.0
_MEDIAN_VOXELS: Final = 7
"""Edge of the cube of the median filter: 14 mm, so that small lesions are taken out whole."""


def baselines(modality: Modality) -> list[Method]:
    """Those that need no data."""
    equalised = "intensity, equalised" if modality != "T1w" else "darkness, equalised"
    return [Method(equalised, equalised_intensity(modality)), Method("|x − median(x)|", median_residual)]


def equalised_intensity(modality: Modality) -> Callable[[Case], Voxels]:
    """The rank of each brain voxel, in (0, 1]: of the brightest, or in T1w of the darkest, it is 1."""
    sign = -1.0 if modality == "T1w" else 1.0

    def rank(case: Case) -> Voxels:
        values = case.volume.voxels[case.brain_mask]
        ranks = stats.rankdata(sign * values, method="average") / values.size
        anomaly_map = np.zeros(case.volume.shape, dtype=np.float32)
        anomaly_map[case.brain_mask] = ranks
        return anomaly_map

    return rank


def median_residual(case: Case) -> Voxels:
    """|x − median(x)| over cubes of 14 mm, in units of the scan's white."""
    prepared = Preparation.of(case.volume, case.brain_mask, IntensityRule(), spacing_mm=_MEDIAN_SPACING_MM)
    inside, voxels = prepared.mask, prepared.voxels
    # Around the brain the nearest brain goes on, or its edge would differ from what is around it.
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    smooth = ndimage.median_filter(voxels[tuple(nearest)], size=_MEDIAN_VOXELS)
    expected = prepared.to_scan(np.where(inside, smooth, np.float32(0)))
    found = prepared.scale.normalize(case.volume.voxels - np.float32(prepared.black))
    return np.where(prepared.seen, np.abs(found - expected), np.float32(0))
