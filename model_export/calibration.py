"""What the shipped scoring gives on healthy scans that were held back: where the threshold lies."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from disyre.model_package import Calibration, ModelManifest
from disyre.pipeline import score_volume
from disyre.restoration import Restorer
from disyre.scoring import anomaly_score
from model_export.dataset import Scan

HEALTHY_PERCENTILE = 99.5
"""Percentile of healthy brain voxels that become the threshold."""


@dataclass(frozen=True)
class HealthyScores:
    """Scores of healthy scans."""

    calibration: Calibration
    anomaly_scores: tuple[float, ...]
    """One a scan."""


def calibrate(scans: Iterable[Scan], restorer: Restorer, manifest: ModelManifest) -> HealthyScores:
    """Score healthy scans as a user's would be; `manifest.calibration` is not looked at."""
    values, scores = [], []
    for scan in scans:
        scored = score_volume(scan.volume, restorer, manifest, brain_mask=scan.brain_mask)
        values.append(scored.anomaly_map.voxels[scored.brain_mask])
        scores.append(anomaly_score(scored.anomaly_map, scored.brain_mask))
    threshold = float(np.percentile(np.concatenate(values), HEALTHY_PERCENTILE))
    calibration = Calibration(threshold=threshold, healthy_percentile=HEALTHY_PERCENTILE, n_scans=len(scores))
    return HealthyScores(calibration, tuple(scores))
