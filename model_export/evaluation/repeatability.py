"""Whether two scans of the same person get the same score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from disyre import scoring
from model_export.dataset import Scan
from model_export.evaluation import detection
from model_export.evaluation.cases import Case
from model_export.evaluation.method import Method


@dataclass(frozen=True)
class Pair:
    """What two scans of one healthy person got."""

    scans: tuple[str, str]
    anomaly_scores: tuple[float, float]
    reported_ml: tuple[float, float]
    """Above the threshold."""

    @property
    def relative_difference(self) -> float:
        """Of the anomaly scores, relative to their mean."""
        one, other = self.anomaly_scores
        return abs(one - other) / ((one + other) / 2)


@dataclass(frozen=True)
class Repeatability:
    """Pairs, and how far persons are apart."""

    method: str
    pairs: tuple[Pair, ...]
    within_sd: float
    """Of the anomaly score, between scans of a person."""
    between_sd: float
    """Of the anomaly score, between persons: of the pairs' means."""


def measure_repeatability(
    method: Method, pairs: Sequence[tuple[Scan, Scan]], threshold: float
) -> Repeatability:
    """Score pairs of scans, each of one person."""
    measured = tuple(_pair(method, pair, threshold) for pair in pairs)
    scores = np.array([pair.anomaly_scores for pair in measured])
    within = float(np.sqrt(np.mean(np.square(scores[:, 0] - scores[:, 1]) / 2)))
    between = float(np.std(scores.mean(axis=1), ddof=1)) if len(scores) > 1 else float("nan")
    return Repeatability(method.name, measured, within, between)


def _pair(method: Method, pair: tuple[Scan, Scan], threshold: float) -> Pair:
    scores, volumes = [], []
    for scan in pair:
        found = method.map_of(Case.healthy(scan))
        scores.append(scoring.anomaly_score(scan.volume.with_voxels(found), scan.brain_mask))
        volumes.append(detection.reported_ml(found, scan.brain_mask, scan.volume.affine, threshold))
    one, other = pair
    return Pair((one.name, other.name), (scores[0], scores[1]), (volumes[0], volumes[1]))
