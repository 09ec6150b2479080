"""Images beside a volume that lie where its slices go on: they are slices of it, whatever keeps them apart.

To leave out an image there is to leave out a part of the head, and no gap would show that it is missing.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from disyre.difference import differences
from disyre.errors import IrregularSlices
from disyre.leeway import WIDEST
from disyre.stacks import Slice, Stack, Vector, n_images
from disyre.wording import counted

_PARALLEL: Final = float(np.cos(np.radians(5.0)))
"""The least cosine between normals, whichever way they point."""
_SPACING_TOLERANCE: Final = 0.02
"""Of the size of pixels, as a share."""
ASIDE: Final = 0.25
"""How far an image may lie beside the stack, as a share of its shorter side."""
_OVERLAP: Final = 0.5
_MOST_APART: Final = 2.5
"""How near to an end of a stack a slice lies in it and beyond it at most; both in gaps between slices."""
_MOST_COVERED: Final = 0.25
_MOST_SHARED: Final = 12
"""How far what goes on beyond an end may begin before it: as a share of the stack, and in gaps between
slices. What covers more is a second volume.
"""
_FEW: Final = 0.25
"""Of the images of a stack: more than so many beside it are not left out by advice."""
_MOST_ROUNDS: Final = 50
"""As often it is looked again for what continues what was found; of very many, not all are counted."""
_NO_SLICES: Final = frozenset({"LOCALIZER", "PROJECTION IMAGE", "MIP"})
"""Values of ImageType."""

Points = npt.NDArray[np.float64]


class _Reach(NamedTuple):
    """From where to where slices lie along the normal, in mm from the first."""

    low: float
    high: float


def continued(volume: Stack, found: Sequence[Stack]) -> IrregularSlices:
    """What is wrong with a volume that other images of its series continue, with what they differ in."""
    n_found = sum(map(n_images, found))
    what, lie, differ = ("image", "lies", "differs") if n_found == 1 else ("images", "lie", "differ")
    differing = "; ".join(
        dict.fromkeys(words for stack in found for words in differences(stack[0], volume[0]))
    )
    return IrregularSlices(
        f"expected one stack of slices, but {n_found} {what} that {lie} where a stack of "
        f"{counted(n_images(volume), 'image')} goes on {differ} from it in {differing}; without the {what} a "
        f"part of the head would be missing: export the series again{_way_out(what, n_found, volume)}"
    )


def _way_out(what: str, n_found: int, volume: Stack) -> str:
    """What else to do, unless it would be to send half of a head."""
    few = n_found <= _FEW * n_images(volume)
    return f", or, if the {what} should not be in it, send the others alone" if few else ""


def continuing(volume: Stack, others: Sequence[Stack]) -> list[Stack]:
    """Those of some stacks that continue that of a volume at its ends, or what does; a few may overlap it."""
    heights = np.unique(np.round(_heights(volume, volume[0]), 3))
    if len(heights) < 2:
        return []
    gap_mm = float(np.median(np.diff(heights)))
    own = reach = _Reach(float(heights[0]), float(heights[-1]))
    alike = [stack for stack in others if is_alike(volume[0], stack[0])]
    pending = [(stack, _heights_beyond(stack, volume[0], own, gap_mm)) for stack in alike]
    found: list[Stack] = []
    for _ in range(_MOST_ROUNDS):
        more = [stack for stack, heights in pending if _is_close(heights, reach, gap_mm)]
        if not more:
            break
        found += more
        taken = {id(stack) for stack in more}
        pending = [(stack, heights) for stack, heights in pending if id(stack) not in taken]
        reach = _widened(reach, more, volume[0])
    return found


def is_alike(image: Slice, other: Slice, *, across: bool = False) -> bool:
    """Whether an image may be a slice of another's stack, wherever it lies.

    An image of another series of the study differs in no more than slices of a volume may; of one patient,
    it may be of any study and series, and differ in more, `across` these.
    """
    is_across = across and image.origin[:2] == other.origin[:2]
    return (
        (image.origin == other.origin or is_across or _differs_in_series_only(image, other))
        and image.shape == other.shape
        and np.allclose(image.spacing_mm, other.spacing_mm, rtol=_SPACING_TOLERANCE)
        and may_be_slice(image, other)
    )


def may_be_slice(image: Slice, other: Slice) -> bool:
    """Whether another image is parallel to an image, and none that only shows where slices lie."""
    return abs(float(image.normal @ other.normal)) >= _PARALLEL and not is_no_slice(other)


def is_made_like(image: Slice, other: Slice) -> bool:
    """Whether another image is made as slices of an image's stack are, wherever and of which study it is."""
    elsewhere = replace(
        other,
        study=image.study,
        series=image.series,
        frame_of_reference=image.frame_of_reference,
        orientation=image.orientation,
    )
    return image.is_with(elsewhere, WIDEST)


def is_no_slice(image: Slice) -> bool:
    """Whether an image only shows where slices lie, or what lies behind one another."""
    return not _NO_SLICES.isdisjoint(image.image_type)


def _differs_in_series_only(image: Slice, other: Slice) -> bool:
    """Whether images of one study are alike in all but their series, and what varies within a volume."""
    same = replace(other, series=image.series)
    return image.origin == same.origin and image.is_with(same, WIDEST) and image.unstated == same.unstated


def _heights_beyond(stack: Stack, first: Slice, own: _Reach, gap_mm: float) -> list[Vector]:
    """How far images lie from the first of a volume, of those beyond its ends; nothing if they lie beside it.

    That is asked of their first pixels and of their centres. If a header has only the direction wrong, the
    first pixels are where they should be; if an image is turned about its centre, that is.
    """
    most_aside_mm = ASIDE * min(first.shape[0] * first.spacing_mm[1], first.shape[1] * first.spacing_mm[0])
    found = []
    for between in offsets(stack, first):
        heights = np.asarray(between @ first.normal)
        aside_mm = np.linalg.norm(between - heights[:, None] * first.normal, axis=1).max()
        is_beyond = _outside(heights, own) > _OVERLAP * gap_mm
        if aside_mm <= most_aside_mm and (is_beyond.all() or _only_reaches_in(heights, own, gap_mm)):
            found.append(heights[is_beyond])
    return [heights for heights in found if len(heights)]


def _only_reaches_in(heights: Vector, own: _Reach, gap_mm: float) -> bool:
    """Whether images that overlap a volume do so at its end, and lie as close as slices do."""
    most_mm = min(_MOST_COVERED * (own.high - own.low), _MOST_SHARED * gap_mm)
    is_close = np.diff(np.sort(heights)).max(initial=0.0) <= _MOST_APART * gap_mm
    return bool(is_close and -_outside(heights, own).min() <= most_mm)


def _outside(heights: Vector, reach: _Reach) -> Vector:
    """How far heights lie beyond the nearer end; negative inside."""
    return np.maximum(reach.low - heights, heights - reach.high)


def _is_close(found: Sequence[Vector], reach: _Reach, gap_mm: float) -> bool:
    """Whether any of some images lies no further from a stack than its next slices would."""
    return any(_outside(heights, reach).min() <= _MOST_APART * gap_mm for heights in found)


def _widened(reach: _Reach, stacks: Sequence[Stack], first: Slice) -> _Reach:
    heights = np.concatenate([_heights(stack, first) for stack in stacks])
    return _Reach(min(reach.low, float(heights.min())), max(reach.high, float(heights.max())))


def _heights(stack: Stack, first: Slice) -> Vector:
    """How far images lie from another along its normal, in mm, by their first pixels."""
    return np.asarray(offsets(stack, first)[0] @ first.normal)


def offsets(stack: Stack, first: Slice) -> tuple[Points, Points]:
    """From an image to each of others, in mm: between first pixels, and between centres."""
    corners = np.array([image.position for image in stack]) - first.position
    centres = np.array([_centre(image) for image in stack]) - _centre(first)
    return corners, centres


def _centre(image: Slice) -> Vector:
    (columns, rows), (between_rows, between_columns) = image.shape, image.spacing_mm
    along_row = image.orientation[:3] * between_columns * (columns - 1) / 2
    return np.asarray(image.position + along_row + image.orientation[3:] * between_rows * (rows - 1) / 2)
