"""What headers say of how many slices there are, against those that came: only warnings come of it."""

from typing import Final

import numpy as np

from disyre.admission import OnWarning
from disyre.stacks import Stack, n_images, n_places
from disyre.wording import counted

_NEAR: Final = 0.05
"""How far a gap may be from what is expected, as a share of it."""
_THINNER: Final = 0.9
"""Below this share of the thickness, a spacing that is stated may be the gap between two slices."""

_APART: Final = 2 * (1 - _NEAR)
"""In units of their thickness: hardly anyone leaves so much out between slices on purpose."""


def warn_of_missing(stack: Stack, of_series: Stack, on_warning: OnWarning) -> None:
    """Tell what in a volume's headers speaks for more slices; `of_series` has all images of its series."""
    first = stack[0]
    n_stated = max(image.n_in_acquisition or 0 for image in stack)
    n_came = n_images(of_series)
    if n_stated > n_came:
        # a multiple counts all echoes, or times, of which one may have been sent alone
        others = "other echoes or times were not sent, or " if n_stated % n_came == 0 else ""
        on_warning(
            f"the headers say that the acquisition has {counted(n_stated, 'image')} (ImagesInAcquisition), "
            f"and {n_came} came: {others}slices may be missing at the ends"
        )
    along_mm = [float(image.position @ first.normal) for image in stack]
    gap_mm = float(np.ptp(along_mm)) / max(1, n_places(stack) - 1)
    if _skips_slices(gap_mm, first.gap_stated_mm, first.thickness_mm):
        on_warning(
            f"the slices are {gap_mm:.2f} mm apart, where the headers say {first.gap_stated_mm:.2f} mm "
            "(SpacingBetweenSlices): slices between them may be missing"
        )
    elif _is_doubled(gap_mm, first.gap_stated_mm, first.thickness_mm):
        on_warning(
            f"the slices are {gap_mm:.2f} mm apart, where the headers say {first.gap_stated_mm:.2f} mm "
            "(SpacingBetweenSlices): two scans may lie between one another"
        )
    elif first.thickness_mm and not first.gap_stated_mm and gap_mm >= _APART * first.thickness_mm:
        on_warning(
            f"the slices are {gap_mm:.2f} mm apart and {first.thickness_mm:.2f} mm thick (SliceThickness): "
            "about half of the head or more lies between them, and every second slice may be missing"
        )


def _is_doubled(gap_mm: float, stated_mm: float | None, thickness_mm: float | None) -> bool:
    """Whether slices lie a fraction of the stated spacing apart, and are not said to be as thin as that."""
    if not stated_mm or gap_mm > stated_mm / 1.5 or (thickness_mm and thickness_mm <= stated_mm * _THINNER):
        return False
    return _is_near(gap_mm * round(stated_mm / gap_mm), stated_mm)


def _skips_slices(gap_mm: float, stated_mm: float | None, thickness_mm: float | None) -> bool:
    """Whether slices lie a multiple of the stated spacing apart.

    Some headers state the gap from the end of a slice to the begin of the next, which is less than its
    thickness.
    """
    if not stated_mm:
        return False
    if thickness_mm and stated_mm < _THINNER * thickness_mm and _is_near(stated_mm + thickness_mm, gap_mm):
        return False
    times = gap_mm / stated_mm
    return times > 1.5 and _is_near(times, round(times))


def _is_near(a: float, b: float) -> bool:
    return abs(a - b) < _NEAR * b
