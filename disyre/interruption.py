"""What is wrong with a volume that others lie in, in words: what these differ in, and a way out."""

from collections.abc import Sequence
from typing import Final

from disyre.difference import kinds_of_difference
from disyre.errors import IrregularSlices
from disyre.stacks import Slice, Stack, has_spacing_of, n_images
from disyre.wording import counted

_MOST_DIFFERENCES: Final = 4


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
    every = [volume, *others]
    return f"{'differs' if n == 1 else 'differ'} from them in {differing_in(every)}; {way_out(every)}"


def differing_in(stacks: Sequence[Stack]) -> str:
    """In what stacks differ from the first of them, each thing once."""
    words = kinds_of_difference([stack[0] for stack in stacks], first_comes_last=True)
    return "; ".join(words[:_MOST_DIFFERENCES])


def way_out(stacks: Sequence[Stack]) -> str:
    """What a sender can do about what differs between the first of some stacks and the others."""
    first, *others = (stack[0] for stack in stacks)
    if any(image.origin[:2] != first.origin[:2] for image in others):
        return (
            "if it is one scan of one patient, export or anonymise all its images again together; "
            "images of another patient are not to be sent with it"
        )
    if any(_identifiers(image) != _identifiers(first) for image in others):
        return "export or anonymise them again so that all images of the series have the same there"
    if any(image.shape != first.shape or not has_spacing_of(image, first) for image in others):
        return "export the series again, so that all its slices have the same size"
    return (
        "if they are slices of one scan all the same, convert the series with dcm2niix (option -m y) and "
        "send the NIfTI"
    )


def _identifiers(image: Slice) -> tuple[object, ...]:
    return (*image.origin, image.frame_of_reference)
