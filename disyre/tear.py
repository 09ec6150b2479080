"""Images that lie as the slices of one stack do, and yet are kept apart by an attribute, which is named.

Such as one slice of 20 with another echo time, or a frame of reference, series or study of its own for each
slice. Nothing is missing then: who sent the images cannot send more of them.
"""

from collections.abc import Sequence
from typing import Final

from disyre.continuation import is_alike
from disyre.errors import IrregularSlices
from disyre.hole import holes, lie_between
from disyre.interruption import differing_in, interrupted, way_out
from disyre.lattice import heights, lie_as_one
from disyre.stack_end import ends
from disyre.stacks import LEAST_SLICES, Stack

_FEW: Final = 1 / 3
"""Of the images of a volume: as many may be called those that are missing in it."""
_MOST_GROUPS: Final = 10
"""Of single images that lie alike: of thousands, each with a plane of its own, it is not asked further."""


def tears(stacks: Sequence[Stack]) -> dict[int, IrregularSlices]:
    """Why some of the stacks of an upload, by their numbers, are parts of one; the largest comes first."""
    found = ends(stacks) | holes(stacks)
    of_series: dict[tuple[str, str, str], list[int]] = {}
    for number, stack in enumerate(stacks):
        origin = stack[0].origin
        of_series.setdefault((origin.patient, origin.person, origin.series), []).append(number)
    for numbers in of_series.values():
        found |= _of_one_series(stacks, numbers)
    alone = [each[0] for each in of_series.values() if len(each) == 1 and len(stacks[each[0]]) == 1]
    return found | _of_single_images(stacks, alone)


def _of_one_series(stacks: Sequence[Stack], numbers: Sequence[int]) -> dict[int, IrregularSlices]:
    first, *others = numbers
    alike = [k for k in numbers if others and is_alike(stacks[first][0], stacks[k][0], across=True)]
    whole = [stacks[number] for number in alike]
    if len(alike) > 1 and not _is_volume_with_few(whole) and not _is_continued(whole) and lie_as_one(whole):
        return dict.fromkeys(alike, _torn(whole))
    inside = [number for number in others if lie_between(stacks[first], stacks[number])]
    if not inside:
        return {}
    return dict.fromkeys([first, *inside], interrupted(stacks[first], [stacks[k] for k in inside]))


def _of_single_images(stacks: Sequence[Stack], numbers: Sequence[int]) -> dict[int, IrregularSlices]:
    """The same of series, or studies, of one image each."""
    found: dict[int, IrregularSlices] = {}
    pending = list(numbers)
    for _ in range(_MOST_GROUPS):
        if not pending:
            break
        first = stacks[pending[0]][0]
        alike = [k for k in pending if is_alike(first, stacks[k][0], across=True)]
        pending = sorted({*pending} - {*alike})
        group = [stacks[k] for k in alike]
        if len(group) >= LEAST_SLICES and lie_as_one(group):
            found |= dict.fromkeys(alike, _torn(group))
    return found


def _is_volume_with_few(stacks: Sequence[Stack]) -> bool:
    """Whether of two stacks one is a volume of which the other may be some slices that are missing in it."""
    volume, other = stacks[0], stacks[-1]
    return len(stacks) == 2 and len(volume) >= LEAST_SLICES and len(other) <= _FEW * len(volume)


def _is_continued(stacks: Sequence[Stack]) -> bool:
    """Whether all but the first lie beyond its ends (`disyre.continuation`)."""
    volume, *others = stacks
    if len(volume) < LEAST_SLICES:
        return False
    own, _ = heights(volume, volume)
    ends = ((its.min(), its.max()) for its, _ in (heights(other, volume) for other in others))
    return all(low > own.max() or high < own.min() for low, high in ends)


def _torn(stacks: Sequence[Stack]) -> IrregularSlices:
    n, most = sum(map(len, stacks)), max(map(len, stacks))
    who = f"of which {n - most} differ from the others in" if most > 1 else "which differ in"
    return IrregularSlices(
        f"expected one stack of slices, got {n} images that lie evenly, as its slices do, {who} "
        f"{differing_in(stacks)}, so that they cannot be put together; {way_out(stacks)}"
    )
