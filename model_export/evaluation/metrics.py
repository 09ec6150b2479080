"""How well scores tell lesions from the rest: average precision, best Dice, AUROC. Exact, ties included.

DISYRE (ISBI 2024; MICCAI 2024), experiments: average precision and the best Dice over all thresholds, ⌈Dice⌉,
of the voxels of all cases together; the same over axial slices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from disyre.crop import Crop
from disyre.errors import InvalidInput
from disyre.types import Mask, Voxels

Scores: TypeAlias = Float32[np.ndarray, " items"]
Labels: TypeAlias = Bool[np.ndarray, " items"]
Counts: TypeAlias = Int64[np.ndarray, " thresholds"]

REFERENCE_SAMPLES: Final = 10_000
REFERENCE_THRESHOLDS: Final = 200
REFERENCE_SEED: Final = 0
"""Of the voxels that are drawn as the reference implementation draws them."""


@dataclass(frozen=True, eq=False)
class Separation:
    """The scores of what is lesion and of what is not, each in rising order."""

    lesion: Scores
    healthy: Scores

    @classmethod
    def of(cls, scores: Scores, is_lesion: Labels) -> Self:
        """Sort scores by their labels."""
        return cls(np.sort(scores[is_lesion]), np.sort(scores[~is_lesion]))

    def kept(self, path: Path) -> "Separation":
        """The same scores, in two files (`path` is what their names begin with) instead of in memory."""
        files = [path.with_name(f"{path.name}-{kind}.npy") for kind in ("lesion", "healthy")]
        for file, scores in zip(files, (self.lesion, self.healthy), strict=True):
            np.save(file, scores)
        lesion, healthy = (np.load(f, mmap_mode="r" if f.stat().st_size > 2**16 else None) for f in files)
        return Separation(lesion, healthy)

    def at_least(self, thresholds: Scores) -> tuple[Counts, Counts]:
        """How many of each are at or above each threshold."""
        lesion = self.lesion.size - np.searchsorted(self.lesion, thresholds, side="left")
        healthy = self.healthy.size - np.searchsorted(self.healthy, thresholds, side="left")
        return lesion.astype(np.int64), healthy.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Curve:
    """Counts at thresholds that fall: the precision-recall curve."""

    thresholds: Scores
    true_positives: Counts
    false_positives: Counts
    n_lesion: int

    @property
    def recall(self) -> Float64[np.ndarray, " thresholds"]:
        """Share of the lesion that is at or above each threshold."""
        return np.asarray(self.true_positives / self.n_lesion)

    @property
    def precision(self) -> Float64[np.ndarray, " thresholds"]:
        """Share of what is at or above each threshold that is lesion."""
        return np.asarray(self.true_positives / (self.true_positives + self.false_positives))

    @property
    def dice(self) -> Float64[np.ndarray, " thresholds"]:
        """Overlap of the lesion and what is at or above each threshold."""
        return np.asarray(
            2 * self.true_positives / (self.n_lesion + self.true_positives + self.false_positives)
        )

    @property
    def average_precision(self) -> float:
        """Mean of the precision, weighted with the recall that each threshold adds; not interpolated."""
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))

    @property
    def best_dice(self) -> float:
        """The best Dice over all thresholds, ⌈Dice⌉."""
        return float(self.dice.max())

    @property
    def best_threshold(self) -> float:
        """Where the Dice is best."""
        return float(self.thresholds[self.dice.argmax()])


def curve(cases: Sequence[Separation]) -> Curve:
    """The exact curve of all cases together.

    The scores of the lesions are all the thresholds that matter: lowering one to a score that no lesion has
    adds no recall and loses precision. Raises InvalidInput if nothing is lesion.
    """
    thresholds = np.unique(np.concatenate([case.lesion for case in cases]))[::-1]
    return curve_at(cases, thresholds)


def curve_at(cases: Sequence[Separation], thresholds: Scores) -> Curve:
    """The curve of all cases together at thresholds that fall. Raises InvalidInput if nothing is lesion."""
    n_lesion = sum(case.lesion.size for case in cases)
    if not n_lesion:
        raise InvalidInput("expected cases with a lesion, got none")
    counts = [case.at_least(thresholds) for case in cases]
    return Curve(thresholds, sum_of([tp for tp, _ in counts]), sum_of([fp for _, fp in counts]), n_lesion)


def sum_of(counts: Sequence[Counts]) -> Counts:
    """Counts of several cases together."""
    return np.asarray(np.sum(counts, axis=0))


def auroc(separation: Separation) -> float:
    """The chance that a lesion scores higher than what is healthy, ties counting half; NaN without both."""
    lesion, healthy = separation.lesion, separation.healthy
    if not lesion.size or not healthy.size:
        return float("nan")
    lower = np.searchsorted(healthy, lesion, side="left").sum(dtype=np.int64)
    not_higher = np.searchsorted(healthy, lesion, side="right").sum(dtype=np.int64)
    return float((lower + not_higher) / 2 / lesion.size / healthy.size)


def separate(anomaly_map: Voxels, lesion: Mask, brain_mask: Mask) -> Separation:
    """The voxels of one case: all of the brain, and lesion that is not in the brain mask."""
    counted = brain_mask | lesion
    return Separation.of(anomaly_map[counted], lesion[counted])


def separate_as_reference(
    anomaly_map: Voxels, lesion: Mask, brain_mask: Mask, rng: np.random.Generator
) -> Separation:
    """What the reference implementation looks at: 10,000 voxels of the brain's box, drawn with replacement.

    Lesion outside the box is not seen; background inside it is, and counts as healthy.
    """
    crop = Crop.around(brain_mask)
    scores, labels = crop.cut(anomaly_map).ravel(), crop.cut(lesion).ravel()
    drawn = rng.integers(scores.size, size=REFERENCE_SAMPLES)
    return Separation.of(scores[drawn], labels[drawn])


def reference_dice(cases: Sequence[Separation]) -> float:
    """Best Dice over 200 thresholds: evenly from the lowest score to 1, each to be exceeded."""
    lowest = min(float(part.min()) for case in cases for part in (case.lesion, case.healthy) if part.size)
    grid = np.linspace(lowest, 1.0, REFERENCE_THRESHOLDS, dtype=np.float32)
    above = np.nextafter(grid, np.float32(np.inf))[::-1]
    return curve_at(cases, above).best_dice
