"""What the shipped scoring gives on healthy scans that were held back: where the threshold lies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from disyre.model_package import Calibration, ModelManifest
from disyre.pipeline import score_volume
from disyre.restoration import Restorer
from disyre.scoring import anomaly_score
from model_export.dataset import Scan

HEALTHY_PERCENTILE = 99.5
"""Percentile of healthy brain voxels that become the threshold."""


@dataclass(frozen=True)
class HealthyScan:
    """What a healthy scan gets."""

    name: str
    anomaly_score: float
    share_above: float
    """Of the brain above a threshold that was set on the other scans alone; NaN if there are none."""


@dataclass(frozen=True)
class HealthyScores:
    """Scores of healthy scans, and the threshold from all of them."""

    calibration: Calibration
    scans: tuple[HealthyScan, ...]


def calibrate(scans: Iterable[Scan], restorer: Restorer, manifest: ModelManifest) -> HealthyScores:
    """Score healthy scans as a user's would be; `manifest.calibration` is not looked at."""
    values, names, scores = [], [], []
    for scan in scans:
        scored = score_volume(scan.volume, restorer, manifest, brain_mask=scan.brain_mask)
        values.append(scored.anomaly_map.voxels[scored.brain_mask])
        names.append(scan.name)
        scores.append(anomaly_score(scored.anomaly_map, scored.brain_mask))
    calibration = Calibration(
        threshold=_threshold(values), healthy_percentile=HEALTHY_PERCENTILE, n_scans=len(scores)
    )
    shares = [float(np.mean(own > _threshold(values[:n] + values[n + 1 :]))) for n, own in enumerate(values)]
    healthy = map(HealthyScan, names, scores, shares)
    return HealthyScores(calibration, tuple(healthy))


def _threshold(values: Sequence[Float32[np.ndarray, " voxels"]]) -> float:
    return float(np.percentile(np.concatenate(values), HEALTHY_PERCENTILE)) if values else float("nan")
