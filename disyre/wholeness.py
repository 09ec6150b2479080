"""Whether a stack of an upload is whole, or what came beside it is a part of it, in its series or another."""

from collections.abc import Iterable, Sequence

from disyre import continuation
from disyre.admission import OnWarning
from disyre.coverage import partial_beside
from disyre.errors import IrregularSlices
from disyre.seam import seam_of, seams
from disyre.stacks import Origin, Slice, Stack
from disyre.tear import tears


def broken(stacks: Sequence[Stack]) -> dict[int, IrregularSlices]:
    """Why some of the stacks of an upload, by their numbers, are parts of one; the largest comes first.

    The ends of one that differ within its series are not among them (`continued`).
    """
    return tears(stacks) | {number: seam.error for number, seam in seams(stacks).items()}


def continued(stacks: Sequence[Stack]) -> dict[int, IrregularSlices]:
    """Why the largest stack of each series, by their numbers, and what goes on beyond its ends are parts."""
    of_series: dict[Origin, list[int]] = {}
    for number, stack in enumerate(stacks):
        if continuation.may_be_slice(stack[0], stack[0]):
            of_series.setdefault(stack[0].origin, []).append(number)
    found: dict[int, IrregularSlices] = {}
    for largest, *others in of_series.values():
        numbers = {id(stacks[number]): number for number in others}
        more = continuation.continuing(stacks[largest], [stacks[number] for number in others])
        if more:
            error = continuation.continued(stacks[largest], more)
            found |= dict.fromkeys([largest, *(numbers[id(stack)] for stack in more)], error)
    return found


def check_whole(stacks: Sequence[Stack]) -> None:
    """Raise IrregularSlices if the first, which is the largest, is a part of one with any of the others."""
    if seam := seams(stacks).get(0):
        raise seam.error
    if torn := tears(stacks).get(0):
        raise torn
    if error := continued(stacks).get(0):
        raise error


def warn_of_part(stack: Stack, images: Iterable[Slice], on_warning: OnWarning) -> None:
    """Tell if a series that was picked is a part of a stack, or may be; `images` are all of an upload."""
    every = list(images)
    seam = seam_of(stack, every)
    if told := seam.warning if seam else partial_beside(stack, every):
        on_warning(told)
