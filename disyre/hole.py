"""Images that lie where slices of a volume are missing, and differ from it: they are named as what they are.

Nothing is missing then: who sent the images cannot send more of them.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from disyre.continuation import is_alike, may_be_slice
from disyre.difference import kinds_of_difference
from disyre.errors import IrregularSlices
from disyre.lattice import fill_holes, has_holes, heights, lie_in_one_row
from disyre.stacks import LEAST_SLICES, Stack, n_images, one_at_a_place
from disyre.wording import counted

_MOST_VOLUMES: Final = 10
"""With holes: of more, it is not asked what lies in them."""
_MOST_DIFFERENCES: Final = 4


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


def ends(stacks: Sequence[Stack]) -> dict[int, IrregularSlices]:
    """The same of the largest stack and what lies evenly at its ends, of the same patient and series.

    That differs in study, size or size of pixels; the rest is left to `disyre.continuation`.
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


def lie_between(volume: Stack, other: Stack) -> bool:
    """Whether images that are alike lie between the slices of a volume, some perhaps next to its ends."""
    if len(volume) < LEAST_SLICES or not is_alike(volume[0], other[0]):
        return False
    (own, _), (its, _) = heights(volume, volume), heights(other, volume)
    is_inside = (its > own.min()) & (its < own.max())
    return bool(is_inside.any()) and lie_in_one_row([volume, other])


def interrupted(volume: Stack, others: Sequence[Stack], *, at_end: bool = False) -> IrregularSlices:
    """What is wrong with a volume that has others where its slices would be, within it or at its ends."""
    n = sum(map(n_images, others))
    what, lie = ("image", "lies") if n == 1 else ("images", "lie")
    n_own = n_images(volume)
    own = (
        f"a stack of {counted(n_own, 'image')} goes on"
        if at_end
        else (f"a slice would be missing from the {counted(n_own, 'other')}")
    )
    return IrregularSlices(
        f"expected one stack of slices, but {n} {what} that {lie} where {own} {_unlike(volume, others, n)}"
    )


def _unlike(volume: Stack, others: Sequence[Stack], n: int) -> str:
    """In what some images differ from a volume, or what they do not say, and what can be done about it."""
    silent = sorted({name for other in others for name in other[0].unstated - volume[0].unstated})
    if silent and all(volume[0].is_with(other[0]) for other in others):
        do, their = ("does", "its") if n == 1 else ("do", "their")
        return (
            f"{do} not state {their} {' and '.join(silent)}, where these do, so that it is not known which "
            f"stack they are of; export the series again so that all images state it"
        )
    differing = differing_in([volume, *others])
    return f"{'differs' if n == 1 else 'differ'} from them in {differing}; {way_out(differing)}"


def differing_in(stacks: Sequence[Stack]) -> str:
    """In what stacks differ from the first of them, each thing once."""
    words = kinds_of_difference([stack[0] for stack in stacks], first_comes_last=True)
    return "; ".join(words[:_MOST_DIFFERENCES])


def way_out(differing: str) -> str:
    """What a sender can do about it."""
    if "(PatientID" in differing or "(name" in differing:
        return (
            "if it is one scan of one patient, export or anonymise all its images again together; "
            "images of another patient are not to be sent with it"
        )
    if "InstanceUID" in differing or "ReferenceUID" in differing:
        return "export or anonymise them again so that all images of the series have the same there"
    if "size" in differing:
        return "export the series again, so that all its slices have the same size"
    return (
        "if they are slices of one scan all the same, convert the series with dcm2niix (option -m y) and "
        "send the NIfTI"
    )
