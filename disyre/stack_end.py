"""Images that lie evenly at the ends of a volume and differ from it in size or study: they are named so."""

from collections.abc import Sequence

from disyre.continuation import is_alike, may_be_slice
from disyre.errors import IrregularSlices
from disyre.interruption import interrupted
from disyre.lattice import heights, lie_in_one_row
from disyre.stacks import LEAST_SLICES, Stack, one_at_a_place


def ends(stacks: Sequence[Stack]) -> dict[int, IrregularSlices]:
    """Why the first of some stacks, which is the largest, and others, by their numbers, are parts of one.

    They are of one patient and series; what differs in other things is left to `disyre.continuation`.
    """
    volume: Stack = next(iter(stacks), [])
    if len(volume) < LEAST_SLICES:
        return {}
    beyond = [
        k
        for k, other in enumerate(stacks[1:], start=1)
        if other[0].series == volume[0].series
        and other[0].origin[:2] == volume[0].origin[:2]
        and not is_alike(volume[0], other[0])
        and may_be_slice(volume[0], other[0])
        and _goes_on(volume, one_at_a_place(other))
    ]
    if not beyond:
        return {}
    return dict.fromkeys([0, *beyond], interrupted(volume, [stacks[k] for k in beyond], at_end=True))


def _goes_on(volume: Stack, other: Stack) -> bool:
    (own, _), (its, _) = heights(volume, volume), heights(other, volume)
    return bool(its.min() > own.max() or its.max() < own.min()) and lie_in_one_row([volume, other])
