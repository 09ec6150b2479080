"""Whether greys that lie some mm apart have anything to do with one another, as they do in all but noise."""

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from disyre.types import Mask
from disyre.volume import Volume

_APART_MM: Final = 3.0
"""Closer voxels are alike in noise too, if the scanner interpolated it; of larger ones, the next is taken."""
_AROUND_MM: Final = 30.0
"""The mean of so wide a square is taken off: a coil that shades noise makes no anatomy of it."""
_MOST_SLICES: Final = 32
_RANGE: Final = (1.0, 99.0)
"""Percentiles that greys are clipped to."""

_Stack: TypeAlias = npt.NDArray[np.float64]


def measure(volume: Volume, inside: Mask) -> float:
    """The correlation of greys 3 mm apart within slices, after shading was taken off; 0 of one grey.

    Slices are those of an axis with larger steps than the others, or the third; at most 32 are looked at.
    """
    across = int(np.argmax(np.round(volume.spacing_mm, 2)[::-1]))
    greys, there = (np.moveaxis(each, 2 - across, 0) for each in (volume.voxels, inside))
    (with_some,) = np.nonzero(there.any(axis=(1, 2)))
    some = with_some[:: -(-len(with_some) // _MOST_SLICES)]
    spacing_mm = np.delete(volume.spacing_mm, 2 - across)
    rest = _without_shading(greys[some].astype(np.float64), there[some], spacing_mm)
    product = power = 0.0
    for axis, step_mm in enumerate(spacing_mm, start=1):
        n = max(1, round(_APART_MM / step_mm))
        (here, next_to), (is_here, is_next) = _apart(rest, n, axis), _apart(there[some], n, axis)
        pairs = is_here & is_next
        product += float(np.sum((here * next_to)[pairs]))
        power += float(np.sum((here**2 + next_to**2)[pairs])) / 2
    return product / power if power > 0 else 0.0


def _without_shading(greys: _Stack, inside: Mask, spacing_mm: npt.NDArray[np.float64]) -> _Stack:
    """What is left of the greys of slices after the mean of what lies around each was taken off."""
    greys = np.clip(greys, *np.percentile(greys[inside], _RANGE))
    size = (1, *(max(3, round(_AROUND_MM / step_mm)) for step_mm in spacing_mm))
    weight = ndimage.uniform_filter(inside.astype(np.float64), size)
    mean = ndimage.uniform_filter(np.where(inside, greys, 0.0), size) / np.maximum(weight, 1e-6)
    return np.where(inside, greys - mean, 0.0)


def _apart(stack: npt.NDArray[Any], n: int, axis: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The elements of a stack, and those n further along an axis."""
    return np.split(stack, [stack.shape[axis] - n], axis)[0], np.split(stack, [n], axis)[1]
