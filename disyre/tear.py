"""Images that lie as the slices of one stack do, and yet are kept apart by an attribute, which is named.

Such as one slice of 20 with another echo time, or a frame of reference of its own for each slice. Nothing is
missing then: who sent the images cannot send more of them.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from disyre.continuation import ASIDE, is_alike, offsets
from disyre.difference import differences
from disyre.errors import IrregularSlices
from disyre.stacks import LEAST_SLICES, POSITION_TOLERANCE_MM, Stack, Vector, n_images
from disyre.wording import counted

_MOST_DIFFERENCES: Final = 4
_MOST_GROUPS: Final = 10
"""Of single images that lie alike: of thousands, each with a plane of its own, it is not asked further."""


def tears(stacks: Sequence[Stack]) -> dict[int, IrregularSlices]:
    """Why some of the stacks of an upload, by their numbers, are parts of one; the largest comes first."""
    found: dict[int, IrregularSlices] = {}
    of_series: dict[str, list[int]] = {}
    for number, stack in enumerate(stacks):
        of_series.setdefault(stack[0].series, []).append(number)
    for numbers in of_series.values():
        found |= _of_one_series(stacks, numbers)
    alone = [each[0] for each in of_series.values() if len(each) == 1 and len(stacks[each[0]]) == 1]
    return found | _of_single_images(stacks, alone)


def _of_one_series(stacks: Sequence[Stack], numbers: Sequence[int]) -> dict[int, IrregularSlices]:
    first, *others = numbers
    is_plain = len(others) == 1 and len(stacks[first]) >= LEAST_SLICES  # two volumes may be interleaved
    if others and not is_plain and is_one([stacks[number] for number in numbers]):
        return dict.fromkeys(numbers, _torn([stacks[number] for number in numbers]))
    asked = others if first else range(1, len(stacks))  # of the largest, also what is of another series
    inside = [number for number in asked if _fills_hole(stacks[first], stacks[number])]
    if not inside:
        return {}
    return dict.fromkeys([first, *inside], _interrupted(stacks[first], [stacks[k] for k in inside]))


def _of_single_images(stacks: Sequence[Stack], numbers: Sequence[int]) -> dict[int, IrregularSlices]:
    """The same of series of one image each."""
    found: dict[int, IrregularSlices] = {}
    pending = list(numbers)
    for _ in range(_MOST_GROUPS):
        if not pending:
            break
        first = stacks[pending[0]][0]
        alike = [k for k in pending if is_alike(first, stacks[k][0], across_series=True)]
        pending = sorted({*pending} - {*alike})
        group = [stacks[k] for k in alike]
        if len(group) >= LEAST_SLICES and is_one(group, across_series=True):
            found |= dict.fromkeys(alike, _torn(group))
    return found


def is_one(stacks: Sequence[Stack], *, across_series: bool = False) -> bool:
    """Whether all images together lie evenly, one at a place, as the slices of one stack do."""
    first = stacks[0][0]
    if not all(is_alike(first, stack[0], across_series=across_series) for stack in stacks):
        return False
    images = [image for stack in stacks for image in stack]
    heights, aside_mm = _heights(images, images)
    gaps_mm = np.diff(np.sort(heights))
    if len(images) < LEAST_SLICES or aside_mm.max() > _most_aside_mm(images):
        return False
    typical = float(np.median(gaps_mm))
    return typical > POSITION_TOLERANCE_MM and bool(np.abs(gaps_mm - typical).max() <= POSITION_TOLERANCE_MM)


def _fills_hole(volume: Stack, other: Stack) -> bool:
    """Whether all images of a stack lie where slices of a volume are missing."""
    if len(volume) < LEAST_SLICES or not is_alike(volume[0], other[0]):
        return False
    own = np.sort(_heights(volume, volume)[0])
    gap_mm = float(np.median(np.diff(own)))
    heights, aside_mm = _heights(other, volume)
    if gap_mm <= 2 * POSITION_TOLERANCE_MM or aside_mm.max() > _most_aside_mm(volume):
        return False
    steps = (heights - own[0]) / gap_mm
    is_even = np.abs(steps - np.round(steps)) * gap_mm <= POSITION_TOLERANCE_MM
    is_inside = (heights > own[0]) & (heights < own[-1])
    is_free = np.abs(heights[:, None] - own).min(axis=1) > gap_mm / 2
    return bool((is_even & is_inside & is_free).all())


def _heights(images: Stack, volume: Stack) -> tuple[Vector, Vector]:
    """How far images lie from the first of a volume along its normal, and how far beside it, in mm."""
    normal = volume[0].normal
    for between in offsets(images, volume[0]):
        heights = between @ normal
        aside = np.linalg.norm(between - np.outer(heights, normal), axis=1)
        if aside.max() <= _most_aside_mm(volume):
            break
    return heights, aside


def _most_aside_mm(stack: Stack) -> float:
    (columns, rows), (between_rows, between_columns) = stack[0].shape, stack[0].spacing_mm
    return ASIDE * min(columns * between_columns, rows * between_rows)


def _interrupted(volume: Stack, others: Sequence[Stack]) -> IrregularSlices:
    n = sum(map(n_images, others))
    what, lie = ("image", "lies") if n == 1 else ("images", "lie")
    return IrregularSlices(
        f"expected one stack of slices, but {n} {what} that {lie} where a slice would be "
        f"missing from the {counted(n_images(volume), 'other')} differ from them in "
        f"{_differing([volume, *others])}; export the series again with the same there in all images"
    )


def _torn(stacks: Sequence[Stack]) -> IrregularSlices:
    n = sum(map(len, stacks))
    return IrregularSlices(
        f"expected one stack of slices, got {n} images that lie evenly, as its slices do, but differ in "
        f"{_differing(stacks)}, so that they cannot be put together; export them again with the same there "
        "in all images"
    )


def _differing(stacks: Sequence[Stack]) -> str:
    first = stacks[0][0]
    words = dict.fromkeys(words for stack in stacks[1:] for words in differences(stack[0], first))
    by_attribute = {text.split(" (")[0]: text for text in reversed(words)}
    return "; ".join(list(reversed(by_attribute.values()))[:_MOST_DIFFERENCES])
