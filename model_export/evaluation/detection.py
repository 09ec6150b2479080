"""Which lesions are found, slices with and without lesion, and what is reported where there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from scipy import ndimage

from disyre import geometry, scoring
from disyre.types import Affine, Mask, Voxels
from model_export.evaluation.metrics import Labels, Scores, Separation

SIZE_BINS_ML: Final = (0.01, 0.1, 1.0, 5.0, 20.0, float("inf"))
"""Edges of the sizes that sensitivity is told for; what is smaller than the first is not counted."""
LEAST_FOUND: Final = 0.1
"""A lesion is found if so much of it is above the threshold."""
TOP_PIXELS: Final = 100
"""Of a slice; their mean is a slice's score, as the papers take it."""


@dataclass(frozen=True)
class Lesion:
    """One connected piece of a lesion mask."""

    volume_ml: float
    share_found: float
    """Of its voxels, above the threshold."""

    @property
    def is_found(self) -> bool:
        """Whether enough of it is above the threshold."""
        return self.share_found >= LEAST_FOUND


@dataclass(frozen=True)
class Sensitivity:
    """Of lesions of one size."""

    smallest_ml: float
    largest_ml: float
    n_lesions: int
    n_found: int


def find_lesions(anomaly_map: Voxels, lesion: Mask, affine: Affine, threshold: float) -> tuple[Lesion, ...]:
    """The pieces (26 neighbours) of a lesion of at least the smallest size, and how much of each is found."""
    labels, n = ndimage.label(lesion, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels[lesion], minlength=n + 1)[1:]
    found = np.bincount(labels[lesion & (anomaly_map > threshold)], minlength=n + 1)[1:]
    voxel_ml = geometry.voxel_volume_ml(affine)
    return tuple(
        Lesion(float(size * voxel_ml), float(hit / size))
        for size, hit in zip(sizes, found, strict=True)
        if size * voxel_ml >= SIZE_BINS_ML[0]
    )


def sensitivities(lesions: Sequence[Lesion]) -> tuple[Sensitivity, ...]:
    """How many lesions of each size are found."""
    bins = []
    for low, high in pairwise(SIZE_BINS_ML):
        those = [lesion for lesion in lesions if low <= lesion.volume_ml < high]
        bins.append(Sensitivity(low, high, len(those), sum(lesion.is_found for lesion in those)))
    return tuple(bins)


@dataclass(frozen=True, eq=False)
class SliceScores:
    """One score for each axial slice that has brain, by three rules, and whether it has lesion."""

    mean: Scores
    max: Scores
    top: Scores
    """Mean of the 100 highest pixels."""
    has_lesion: Labels

    def by_rule(self) -> dict[str, Separation]:
        """Slices with and without lesion, by the rule that scores them."""
        rules = {"mean": self.mean, "max": self.max, "top": self.top}
        return {rule: Separation.of(scores, self.has_lesion) for rule, scores in rules.items()}


def score_slices(anomaly_map: Voxels, lesion: Mask, brain_mask: Mask, affine: Affine) -> SliceScores:
    """Score the slices across the axis that runs nearest to foot and head."""
    axis = geometry.axes_to_ras(affine)[0][2]
    brain, scores, labels = (np.moveaxis(a, axis, 0) for a in (brain_mask, anomaly_map, lesion))
    with_brain = brain.any(axis=(1, 2))
    flat = scores[with_brain].reshape(np.count_nonzero(with_brain), -1)
    n_top = min(TOP_PIXELS, flat.shape[1])
    top = np.partition(flat, flat.shape[1] - n_top, axis=1)[:, -n_top:]
    has_lesion = np.asarray(labels[with_brain].any(axis=(1, 2)))
    return SliceScores(flat.mean(axis=1), flat.max(axis=1), top.mean(axis=1), has_lesion)


def reported_ml(anomaly_map: Voxels, brain_mask: Mask, affine: Affine, threshold: float) -> float:
    """Volume of brain above a threshold, in mL: in a healthy scan, all of it is false."""
    return scoring.mask_volume_ml((anomaly_map > threshold) & brain_mask, affine)
