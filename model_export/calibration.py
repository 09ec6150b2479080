"""What the shipped scoring gives on healthy scans that were held back: where the threshold lies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float32

from disyre.geometry import voxel_volume_ml
from disyre.model_manifest import Calibration, HealthyBrain, ModelManifest
from disyre.pipeline import score_volume
from disyre.restoration import Restorer
from disyre.scoring import anomaly_score
from model_export.dataset import Scan
from model_export.figure import rounded

HEALTHY_PERCENTILE = 99.5
"""Percentile of healthy brain voxels that become the threshold."""


@dataclass(frozen=True, eq=False)
class _Scored:
    """The map of a healthy scan, in its brain."""

    name: str
    values: Float32[np.ndarray, " voxels"]
    anomaly_score: float
    voxel_ml: float

    @classmethod
    def of(cls, scan: Scan, restorer: Restorer, manifest: ModelManifest) -> Self:
        scored = score_volume(scan.volume, restorer, manifest, brain_mask=scan.brain_mask)
        score = anomaly_score(scored.anomaly_map, scored.brain_mask)
        values = scored.anomaly_map.voxels[scored.brain_mask]
        return cls(scan.name, values, score, voxel_volume_ml(scan.volume.affine))

    def above_ml(self, threshold: float) -> float:
        return float(np.count_nonzero(self.values > threshold) * self.voxel_ml)


def calibrate(scans: Iterable[Scan], restorer: Restorer, manifest: ModelManifest) -> Calibration:
    """Score healthy scans as a user's would be; `manifest.calibration` is not looked at."""
    scored = [_Scored.of(scan, restorer, manifest) for scan in scans]
    threshold = _threshold(scored)
    brains = []
    for n, own in enumerate(scored):
        others = scored[:n] + scored[n + 1 :]
        above_ml = own.above_ml(_threshold(others) if others else threshold)
        brain = HealthyBrain(
            name=own.name, anomaly_score=rounded(own.anomaly_score), above_threshold_ml=rounded(above_ml)
        )
        brains.append(brain)
    return Calibration(
        threshold=threshold,
        healthy_percentile=HEALTHY_PERCENTILE,
        n_scans=len(scored),
        false_positive_ml=rounded(float(np.mean([own.above_ml(threshold) for own in scored]))),
        healthy=tuple(brains),
    )


def _threshold(scored: Sequence[_Scored]) -> float:
    return float(np.percentile(np.concatenate([own.values for own in scored]), HEALTHY_PERCENTILE))
