"""Where a scan stands among the healthy ones that its model was calibrated on."""

import math
from typing import Final, Self

from disyre.figures import Number
from disyre.frozen import Frozen
from disyre.model_manifest import Calibration

_LEAST_FOR_PERCENT: Final = 20
"""With fewer healthy brains, 95 % of them cannot be told from all."""
_MOST: Final = 0.95
_ROUNDED: Final = 1e-3
"""How far figures in a manifest may be off, relative to them."""


class HealthyComparison(Frozen):
    """How many healthy brains show less than a scan does."""

    n_brains: int
    """Of the model's calibration."""
    n_with_lower_score: int
    """So many of them have a lower anomaly score."""
    n_with_less_volume: int
    """With less volume above the threshold."""
    false_positive_ml: Number
    """Mean volume above the threshold in a healthy brain."""
    in_words: str
    """The same, to be read."""

    @classmethod
    def of(cls, anomaly_score: float, volume_ml: float, calibration: Calibration) -> Self | None:
        """Compare a scan that was scored as those were; None if the package does not tell of each."""
        healthy, mean_ml = calibration.healthy, calibration.false_positive_ml
        if not healthy or mean_ml is None:
            return None
        lower = sum(_is_below(brain.anomaly_score, anomaly_score) for brain in healthy)
        less = sum(_is_below(brain.above_threshold_ml, volume_ml) for brain in healthy)
        words = (
            f"anomaly score {_above(lower, len(healthy))}; volume above the threshold "
            f"{_above(less, len(healthy))}, which have {mean_ml:.3g} mL on average"
        )
        if len(healthy) == 1:
            words = f"not known: the threshold is from one healthy brain, with {mean_ml:.3g} mL above it"
        return cls(
            n_brains=len(healthy),
            n_with_lower_score=lower,
            n_with_less_volume=less,
            false_positive_ml=mean_ml,
            in_words=words,
        )


def _is_below(healthy: float, scan: float) -> bool:
    """Whether a figure of a healthy brain, which is rounded, is below that of a scan."""
    return healthy < scan and not math.isclose(healthy, scan, rel_tol=_ROUNDED)


def _above(n_below: int, n: int) -> str:
    """In words, above how many healthy brains something is.

    >>> _above(23, 24)
    'above what 95 % of 24 healthy brains show'
    >>> _above(20, 24)
    'above that of 20 of 24 healthy brains'
    """
    if n >= _LEAST_FOR_PERCENT and n_below >= _MOST * n:
        return f"above what {100 * n_below // n} % of {n} healthy brains show"
    return f"above that of {n_below} of {n} healthy brains"
