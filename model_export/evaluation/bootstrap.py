"""Confidence intervals over cases: the same figures of many draws of as many cases, with replacement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float64

from model_export.evaluation.metrics import Separation

LEVEL: Final = 0.95
_THRESHOLDS: Final = 2000
"""At which the curves of the draws are computed. The figure itself is exact; only its interval is not."""

_UNKNOWN: Final = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % confidence interval; that of one case alone is not known, and NaN."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PooledIntervals:
    """Of the voxels of all cases together."""

    average_precision: tuple[float, float]
    best_dice: tuple[float, float]


def pooled_intervals(cases: Sequence[Separation], *, n_draws: int, seed: int = 0) -> PooledIntervals:
    """Intervals of average precision and ⌈Dice⌉; all voxels of a drawn case are drawn."""
    lesion = np.concatenate([case.lesion for case in cases])
    levels = np.quantile(lesion, np.linspace(0, 1, min(_THRESHOLDS, lesion.size)), method="lower")
    counts = np.array([case.at_least(np.unique(levels)[::-1]) for case in cases], dtype=np.float64)
    sizes = np.array([case.lesion.size for case in cases], dtype=np.float64)
    if len(cases) == 1:
        return PooledIntervals(_UNKNOWN, _UNKNOWN)
    weights = _draws(len(cases), n_draws, seed)
    weights = weights[weights @ sizes > 0]
    tp, fp, n_lesion = weights @ counts[:, 0], weights @ counts[:, 1], (weights @ sizes)[:, None]
    precision = tp / np.maximum(tp + fp, 1)
    # The exact figure has a step for each score of lesion; between two thresholds precision falls by many.
    fall = np.diff(precision, axis=1, prepend=precision[:, :1])
    between = precision - fall / 2 * (1 - counts.shape[2] / np.unique(lesion).size)
    average_precision = np.sum(np.diff(tp / n_lesion, axis=1, prepend=0.0) * between, axis=1)
    best_dice = np.max(2 * tp / (n_lesion + tp + fp), axis=1)
    return PooledIntervals(_ends(average_precision), _ends(best_dice))


def mean_interval(values: Sequence[float], *, n_draws: int, seed: int = 0) -> Interval:
    """Of the mean over cases; NaN values are left out."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not known.size:
        return Interval(float("nan"), float("nan"), float("nan"))
    if known.size == 1:
        return Interval(float(known[0]), *_UNKNOWN)
    means = _draws(known.size, n_draws, seed) @ known / known.size
    return Interval(float(known.mean()), *_ends(means))


def _draws(n_cases: int, n_draws: int, seed: int) -> Float64[np.ndarray, "draw case"]:
    """How often each case is drawn."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_cases, np.full(n_cases, 1 / n_cases), size=n_draws).astype(np.float64)


def _ends(values: Float64[np.ndarray, " draw"]) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
