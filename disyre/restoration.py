"""The restoration loops: plain functions over a restorer, with schedule and progress as arguments.

DISYRE (ISBI 2024), section 2.3: cold diffusion, one step a severity (`restore_stepwise`).
DISYRE v2 (MICCAI 2024), section 2.4: an ensemble of single steps (`restore_ensemble`).
`x` is the image at the current level, `x0` the network's estimate of the healthy one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from disyre.types import Batch


class Restorer(Protocol):
    """A network that estimates the healthy image behind one corrupted to a severity in [0, 1]."""

    def __call__(self, x: Batch, severity: float) -> Batch: ...


@dataclass(frozen=True)
class Step:
    """One network call that has been made."""

    number: int
    total: int


@dataclass(frozen=True, eq=False)
class Restoration:
    """What a loop gives: both arrays have the shape of its input."""

    restored: Batch
    """The pseudo-healthy image, in [0, 1]."""
    residual: Batch
    """Mean over the network calls of |x - x0|, or another size of x - x0; x0 is not clamped."""


OnStep = Callable[[Step], None]
SizeOf = Callable[[Batch], Batch]
"""The size of changes x - x0, element by element."""
RestorationLoop = Callable[..., Restoration]


def _quiet(step: Step) -> None:
    """Ignore progress."""


def restore_stepwise(
    restorer: Restorer,
    x: Batch,
    severities: Sequence[float],
    *,
    told_severities: Sequence[float] | None = None,
    size_of: SizeOf = np.abs,
    on_step: OnStep = _quiet,
) -> Restoration:
    """Walk a batch back to health, one network call for each of `severities` (decreasing, in (0, 1]).

    `told_severities`, if given, is what the network is told instead; only the `parity` preset needs it.
    `size_of` is what counts as residual. `on_step` is called after every step; to stop the restoration, let
    it raise.
    """
    told = _checked(severities, told_severities)
    residual = np.zeros_like(x)
    for number, severity in enumerate(severities):
        x0 = restorer(x, told[number])
        residual += size_of(x - x0)
        is_last = number + 1 == len(severities)
        shrink = np.float32(0.0 if is_last else severities[number + 1] / severity)
        x = np.clip(x0 + shrink * (x - x0), 0.0, 1.0)  # the cold-diffusion update in closed form
        on_step(Step(number + 1, total=len(severities)))
    return Restoration(restored=x, residual=residual / np.float32(len(severities)))


def restore_ensemble(
    restorer: Restorer,
    x: Batch,
    severities: Sequence[float],
    *,
    told_severities: Sequence[float] | None = None,
    size_of: SizeOf = np.abs,
    on_step: OnStep = _quiet,
) -> Restoration:
    """Restore the same batch in one step under each of `severities`, and average.

    Arguments are those of `restore_stepwise`; here the order of the severities does not matter.
    """
    told = _checked(severities, told_severities)
    residual = np.zeros_like(x)
    restored = np.zeros_like(x)
    for number, severity in enumerate(told):
        x0 = restorer(x, severity)
        residual += size_of(x - x0)
        restored += x0
        on_step(Step(number + 1, total=len(told)))
    n = np.float32(len(told))
    return Restoration(restored=np.clip(restored / n, 0.0, 1.0), residual=residual / n)


def _checked(severities: Sequence[float], told: Sequence[float] | None) -> Sequence[float]:
    if not severities:
        raise ValueError("expected at least one severity, got none")
    if told is not None and len(told) != len(severities):
        raise ValueError(f"expected {len(severities)} told severities, got {len(told)}")
    return severities if told is None else told
