"""A mask that came with a scan: whether it lies on it, and whether a brain can be in it."""

from typing import Final

import numpy as np

from disyre import admission, brain
from disyre.admission import OnWarning
from disyre.brain_size import EMPTY, check_size
from disyre.errors import MaskMismatch
from disyre.mask_grid import check_same_grid
from disyre.resampling import reorient
from disyre.types import Mask
from disyre.volume import Volume

_MOSTLY: Final = 0.75
"""So much of a mask in the background, and of all else in the scan outside of it, tells a wrong mask."""
_MUCH: Final = 0.12
"""So much of a mask in the background is told: of masks that fit 15 scans, the most is 0.084."""
_RANGE: Final = (2.0, 98.0)
"""Percentiles of what was measured between which its greys lie."""
_DARK: Final = 0.1
"""Of that range from its lower end: air, around a head whose background is not of one value."""


def on_scan(volume: Volume, mask: Volume) -> Mask:
    """Where a mask, of whatever it is, is above 0. Its axes may be stored in another order than the scan's.

    Raises MaskMismatch if it lies on another grid, or is empty.
    """
    check_same_grid(volume.shape, volume.affine, mask_shape=mask.shape, mask_affine=mask.affine)
    inside = reorient(mask, volume.affine).voxels > 0
    if not inside.any():
        raise MaskMismatch(EMPTY)
    return np.asarray(inside)


def brain_mask(volume: Volume, mask: Volume, on_warning: OnWarning = admission.ignore) -> Mask:
    """A mask of the brain, or of a part of it: what is above 0.

    `on_warning` is told if much of it lies in the background. Raises MaskMismatch for what `on_scan` does,
    and if it is too small or too large for a brain, covers the scan with all its background, or lies in the
    background while the rest of the scan lies outside of it.
    """
    inside = on_scan(volume, mask)
    if inside.all() and (brain.has_background(volume) or brain.is_more_than_brain(inside, volume)):
        raise MaskMismatch(
            "expected a mask that is above 0 in the brain and not around it, got one that is above 0 in "
            "all voxels of the scan, those around the brain too; without a mask, the brain is looked for"
        )
    check_size(brain.volume_ml(inside, volume))
    _check_place(inside, volume, on_warning)
    return inside


def _check_place(inside: Mask, volume: Volume, on_warning: OnWarning) -> None:
    empty = _is_empty(volume)
    share_empty = float(np.mean(empty[inside]))
    n_outside, n_filled = int(np.count_nonzero(~empty & ~inside)), int(np.count_nonzero(~empty))
    if share_empty >= _MOSTLY and n_outside >= _MOSTLY * n_filled > 0:
        raise MaskMismatch(
            f"expected a mask that is above 0 in the brain, got one with {100 * share_empty:.0f} % of it in "
            f"the background, and {100 * n_outside / n_filled:.0f} % of all else in the scan outside of it; "
            "it may be inverted, or that of another scan"
        )
    if share_empty >= _MUCH:
        on_warning(
            f"{100 * share_empty:.0f} % of the mask lie in the background of the scan or where it is as "
            "dark: the mask may be wider than the brain, moved or turned against the scan, or that of "
            "another scan; the map is of what lies in it"
        )


def _is_empty(volume: Volume) -> Mask:
    """Background of one value, and whatever is nearly as dark as the darkest of the rest."""
    filled = brain.not_background(volume)
    if not brain.has_background(volume):
        filled = np.ones_like(filled)
    if not filled.any():
        return ~filled
    low, high = np.percentile(volume.voxels[filled], _RANGE)
    return np.asarray(~filled | (volume.voxels < low + _DARK * (high - low)))
