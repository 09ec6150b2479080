"""What was measured, case by case and together, as it is written to `metrics.json`."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from model_export.evaluation.bootstrap import Interval, mean_interval, pooled_intervals
from model_export.evaluation.detection import Lesion, Sensitivity, SliceScores, sensitivities
from model_export.evaluation.metrics import (
    Curve,
    Separation,
    auroc,
    curve,
    reference_dice,
)


@dataclass(frozen=True, eq=False)
class CaseResult:
    """What one method found in one case."""

    case: str
    facts: dict[str, str | float]
    lesion_ml: float
    voxels: Separation
    reference_voxels: Separation
    """As the reference implementation draws them."""
    slices: SliceScores
    lesions: tuple[Lesion, ...]
    """At the threshold."""
    anomaly_score: float
    seconds: float
    average_precision: float
    """NaN if there is no lesion."""
    best_dice: float
    found_ml: float
    """Of the lesion, above the threshold; NaN if there is no threshold."""
    elsewhere_ml: float
    """Of the rest of the brain, above the threshold; NaN if there is no threshold."""


@dataclass(frozen=True, eq=False)
class HealthyResult:
    """What one method gave a healthy scan."""

    scan: str
    anomaly_score: float
    false_positive_ml: float
    """Above the threshold."""
    seconds: float


@dataclass(frozen=True)
class Summary:
    """The figures of one method over all cases."""

    average_precision: Interval
    best_dice: Interval
    best_threshold: float
    mean_case_average_precision: Interval
    mean_case_best_dice: Interval
    reference_average_precision: float
    reference_best_dice: float
    slices: dict[str, tuple[float, float]]
    """AUROC and average precision, by the rule that scores a slice."""
    volume_auroc: float
    """Cases with a lesion against what has none, healthy scans first of all, by anomaly score."""
    sensitivities: tuple[Sensitivity, ...]
    threshold: float
    false_positive_ml: Interval
    """Mean over healthy scans."""
    seconds: Interval
    """Mean over cases."""


@dataclass(frozen=True, eq=False)
class MethodResults:
    """All that one method was measured by."""

    method: str
    threshold: float
    cases: list[CaseResult] = field(default_factory=list)
    healthy: list[HealthyResult] = field(default_factory=list)

    def curve(self) -> Curve:
        """Of the voxels of all cases together."""
        return curve([result.voxels for result in self.cases])

    def summary(self, *, n_draws: int) -> Summary:
        """The figures, with intervals from so many draws of cases."""
        voxels = [result.voxels for result in self.cases]
        reference = [result.reference_voxels for result in self.cases]
        pooled, ends = self.curve(), pooled_intervals(voxels, n_draws=n_draws)
        reference_ap, reference_best_dice = _reference_figures(reference)
        return Summary(
            average_precision=Interval(pooled.average_precision, *ends.average_precision),
            best_dice=Interval(pooled.best_dice, *ends.best_dice),
            best_threshold=pooled.best_threshold,
            mean_case_average_precision=mean_interval(
                [result.average_precision for result in self.cases], n_draws=n_draws
            ),
            mean_case_best_dice=mean_interval([result.best_dice for result in self.cases], n_draws=n_draws),
            reference_average_precision=reference_ap,
            reference_best_dice=reference_best_dice,
            slices=_slice_figures([result.slices for result in self.cases]),
            volume_auroc=_volume_auroc(self),
            sensitivities=sensitivities([lesion for result in self.cases for lesion in result.lesions]),
            threshold=self.threshold,
            false_positive_ml=mean_interval(
                [result.false_positive_ml for result in self.healthy], n_draws=n_draws
            ),
            seconds=mean_interval([result.seconds for result in self.cases], n_draws=n_draws),
        )


def _reference_figures(cases: Sequence[Separation]) -> tuple[float, float]:
    """Average precision and best Dice; NaN if no voxel of a lesion was drawn."""
    if not any(case.lesion.size for case in cases):
        return float("nan"), float("nan")
    return curve(cases).average_precision, reference_dice(cases)


def _slice_figures(cases: Sequence[SliceScores]) -> dict[str, tuple[float, float]]:
    figures = {}
    for rule in ("mean", "max", "top"):
        scores = np.concatenate([getattr(case, rule) for case in cases])
        together = Separation.of(scores, np.concatenate([case.has_lesion for case in cases]))
        found = curve([together]).average_precision if together.lesion.size else float("nan")
        figures[rule] = (auroc(together), found)
    return figures


def _volume_auroc(results: MethodResults) -> float:
    scores = [result.anomaly_score for result in results.cases]
    scores += [result.anomaly_score for result in results.healthy]
    labels = [result.lesion_ml > 0 for result in results.cases] + [False] * len(results.healthy)
    return auroc(Separation.of(np.array(scores, dtype=np.float32), np.array(labels)))
