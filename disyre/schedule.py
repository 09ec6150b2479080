"""The severity table, and the one mapping from severity to the network's condition.

DISYRE (ISBI 2024), section 2: T = 100 levels of a linear beta schedule, used as a table of severities.
"""

from typing import Final

import numpy as np
from jaxtyping import Float32

N_LEVELS: Final = 100
"""T in the paper: the number of conditions that a network knows."""


def _severity_table() -> Float32[np.ndarray, " levels"]:
    betas = np.linspace(0.001, 0.2, N_LEVELS, dtype=np.float32)
    return np.sqrt(np.cumprod(1 - betas, dtype=np.float32))


SEVERITY_TABLE: Final = _severity_table()
"""Severity of each condition, falling from .9995 (condition 0) to .0045 (condition 99)."""


def condition(severity: float) -> int:
    """The condition whose severity is nearest: 0 for the most severe, 99 for a clean image.

    >>> [condition(s) for s in (1.0, 0.5, 0.2, 0.0)]
    [0, 36, 55, 99]
    """
    if not 0.0 <= severity <= 1.0:
        raise ValueError(f"expected a severity in [0, 1], got {severity}")
    return int(np.argmin(np.abs(SEVERITY_TABLE - np.float32(severity))))


def severity_at(level: int) -> float:
    """Severity of a loop index that counts upwards with corruption: 99 is the most severe.

    This is the direction in which the papers count steps; conditions count the other way.

    >>> round(severity_at(99), 4), round(severity_at(0), 4)
    (0.9995, 0.0045)
    """
    return float(SEVERITY_TABLE[N_LEVELS - 1 - level])


def trailing_levels(steps: int) -> list[int]:
    """Loop indices of `steps` evenly spaced steps, the most severe first.

    >>> trailing_levels(4)
    [99, 74, 49, 24]
    """
    if not 1 <= steps <= N_LEVELS:
        raise ValueError(f"expected 1 to {N_LEVELS} steps, got {steps}")
    return [round(N_LEVELS - n * N_LEVELS / steps) - 1 for n in range(steps)]


def trailing_severities(steps: int) -> list[float]:
    """Severities for a walk of `steps` steps, the most severe first."""
    return [severity_at(level) for level in trailing_levels(steps)]
