"""Whether slices lie evenly and straight above one another, by their places; if not, why, in words."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from disyre.errors import GantryTilt, IrregularSlices
from disyre.wording import counted

POSITION_TOLERANCE_MM: Final = 0.1
"""How far a slice may be from where an even stack has it."""
DRIFT_TOLERANCE_MM: Final = 0.5
"""How far the last slice may be from straight above the first."""
_TILT_TOLERANCE_DEG: Final = 2.0
_MOST_HOLES: Final = 5
"""Places of missing slices that are named."""
_LEAST_GAP_MM: Final = 1e-4

Points = npt.NDArray[np.float64]
"""Places, or a direction, in mm."""


def check_even(positions: Points, normal: Points) -> None:
    """Raise IrregularSlices if not every slice is where an even stack from the first to the last has it.

    How high slices lie, along their normal, is told from how far they lie beside one another.
    """
    tolerance_mm = min(POSITION_TOLERANCE_MM, 0.1 * float(np.median(_lengths(np.diff(positions, axis=0)))))
    off = positions - np.linspace(positions[0], positions[-1], len(positions))
    if _lengths(off).max() <= tolerance_mm:
        return
    heights = (positions - positions[0]) @ normal
    if np.abs(off @ normal).max() <= tolerance_mm:
        raise IrregularSlices(_describe_aside(positions - np.outer(heights, normal)))
    gaps_mm = [float(b - a) for a, b in pairwise(heights)]
    typical = float(np.median(gaps_mm))
    missing = _missing_after(gaps_mm, typical)
    if missing:
        raise IrregularSlices(_describe_missing(missing, gaps_mm, typical))
    worst = int(np.argmax(np.abs(np.array(gaps_mm) - typical)))
    raise IrregularSlices(
        f"expected evenly spaced slices, got gaps that vary from {min(gaps_mm):.2f} to {max(gaps_mm):.2f} "
        f"mm; the one that differs most is after slice {worst + 1} of {len(positions)}: "
        f"{gaps_mm[worst]:.2f} mm"
    )


def _lengths(ways: Points) -> Points:
    return np.asarray(np.linalg.norm(ways, axis=1))


def _describe_aside(places: Points) -> str:
    """Which slice lies beside an even stack, and how far, in words; `places` are those in its plane.

    That is the first of few that do, else the first after the largest jump, or if there is none, as with a
    bend, the one that is furthest.
    """
    n, steps = len(places), np.diff(places, axis=0)
    jumps_mm = _lengths(steps - np.median(steps, axis=0))
    bend_mm = _lengths(places - np.linspace(places[0], places[-1], n))
    aside_mm, number = float(bend_mm.max()), int(np.argmax(bend_mm)) + 1
    few = _few_aside(places)
    if jumps_mm.max() > POSITION_TOLERANCE_MM and few:
        number, aside_mm = few
    elif jumps_mm.max() > POSITION_TOLERANCE_MM:
        jump = int(np.argmax(jumps_mm))
        is_first = jump == 0 and jumps_mm[1] <= jumps_mm[0] / 2  # else the next step leads back
        aside_mm, number = float(jumps_mm[jump]), 1 if is_first else jump + 2
    far = f"{aside_mm:.1f}" if aside_mm >= POSITION_TOLERANCE_MM else f"{aside_mm:.3f}"
    return (
        f"expected slices straight above one another, but slice {number} of {n} lies {far} mm "
        "beside where an even stack has it, though at its height: export the series again, or, if only its "
        "header is wrong there, convert it with dcm2niix and send the NIfTI"
    )


def _few_aside(places: Points) -> tuple[int, float] | None:
    """The first slice, counted from 1, of less than half that lie beside the others, and how far."""
    straight = places - np.outer(np.arange(len(places)), np.median(np.diff(places, axis=0), axis=0))
    aside_mm = _lengths(straight - np.median(straight, axis=0))
    (beside,) = np.nonzero(aside_mm > POSITION_TOLERANCE_MM)
    if not 0 < len(beside) < len(places) / 2:
        return None
    return int(beside[0]) + 1, float(aside_mm[beside[0]])


def _missing_after(gaps_mm: Sequence[float], typical_mm: float) -> dict[int, int]:
    """How many slices are missing after a slice, if all gaps are those of an even stack with holes."""
    steps = [max(1, round(gap / max(typical_mm, _LEAST_GAP_MM))) for gap in gaps_mm]
    if np.abs(np.array(gaps_mm) - np.array(steps) * typical_mm).max() > POSITION_TOLERANCE_MM:
        return {}
    return {number: step - 1 for number, step in enumerate(steps, start=1) if step > 1}


def _describe_missing(missing: Mapping[int, int], gaps_mm: Sequence[float], typical_mm: float) -> str:
    """Holes in words; positions are counted from the first slice, along the stack."""
    n_missing, n_slices = sum(missing.values()), len(gaps_mm) + 1
    places = [
        f"{n} after slice {number} of {n_slices} (between {sum(gaps_mm[: number - 1]):.2f} and "
        f"{sum(gaps_mm[:number]):.2f} mm from the first)"
        for number, n in list(missing.items())[:_MOST_HOLES]
    ]
    more = f", and at {len(missing) - _MOST_HOLES} more places" if len(missing) > _MOST_HOLES else ""
    verb = "is" if n_missing == 1 else "are"
    return (
        f"expected a slice every {typical_mm:.2f} mm, but {counted(n_missing, 'slice')} {verb} missing: "
        f"{', '.join(places)}{more}; send all images of the series, or export it again"
    )


def check_upright(positions: Points, normal: Points) -> None:
    """Raise GantryTilt if slices do not lie straight above one another, along their normal."""
    way = positions[-1] - positions[0]
    along = float(way @ normal)
    drift_mm = float(np.linalg.norm(way - along * normal))
    tilt_deg = float(np.degrees(np.arctan2(drift_mm, abs(along))))
    if drift_mm > DRIFT_TOLERANCE_MM or tilt_deg > _TILT_TOLERANCE_DEG:
        raise GantryTilt(
            f"expected slices straight above one another, got a gantry tilt of {tilt_deg:.1f} degrees: each "
            f"slice is shifted sideways against the one before, by {drift_mm:.1f} mm over the stack; "
            "reformat the series to straight slices at the scanner (MPR) and export that"
        )
