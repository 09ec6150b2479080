"""Images that lie where slices of a volume are missing, and differ from it: they are named as what they are.

Nothing is missing then: who sent the images cannot send more of them.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from disyre.continuation import is_alike, may_be_slice
from disyre.errors import IrregularSlices
from disyre.interruption import interrupted
from disyre.lattice import fill_holes, has_holes, heights, lie_in_one_row
from disyre.stacks import LEAST_SLICES, Stack, one_at_a_place

_MOST_VOLUMES: Final = 10
"""With holes: of more, it is not asked what lies in them."""


def holes(stacks: Sequence[Stack]) -> dict[int, IrregularSlices]:
    """Why some of the stacks of an upload, by their numbers, are a volume and what lies in its holes.

    What it is that lies there is the same whatever it differs in: patient, study, series, size or pixels.
    """
    found: dict[int, IrregularSlices] = {}
    whole = (k for k, stack in enumerate(stacks) if len(stack) >= LEAST_SLICES and has_holes(stack))
    for number in islice(whole, _MOST_VOLUMES):
        volume = stacks[number]
        inside = [
            k
            for k, other in enumerate(stacks)
            if k != number and may_be_slice(volume[0], other[0]) and fill_holes(volume, one_at_a_place(other))
        ]
        if inside:
            error = interrupted(volume, [stacks[k] for k in inside])
            found = {**dict.fromkeys(inside, error), **found, number: error}
    return found


def lie_between(volume: Stack, other: Stack) -> bool:
    """Whether images that are alike lie between the slices of a volume, some perhaps next to its ends."""
    if len(volume) < LEAST_SLICES or not is_alike(volume[0], other[0]):
        return False
    (own, _), (its, _) = heights(volume, volume), heights(other, volume)
    is_inside = (its > own.min()) & (its < own.max())
    return bool(is_inside.any()) and lie_in_one_row([volume, other])
