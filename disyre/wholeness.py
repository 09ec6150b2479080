"""Whether a stack of an upload is whole, or what came beside it is a part of it, in its series or another."""

from collections.abc import Sequence

from disyre.continuation import check_continuation
from disyre.errors import IrregularSlices
from disyre.seam import seams
from disyre.stacks import Stack
from disyre.tear import tears


def broken(stacks: Sequence[Stack]) -> dict[int, IrregularSlices]:
    """Why some of the stacks of an upload, by their numbers, are parts of one; the largest comes first.

    The ends of one that differ within its series are not among them: these are asked of a series alone.
    """
    return tears(stacks) | {number: seam.error for number, seam in seams(stacks).items()}


def check_whole(stacks: Sequence[Stack]) -> None:
    """Raise IrregularSlices if the first, which is the largest, is a part of one with any of the others."""
    if seam := seams(stacks).get(0):
        raise seam.error
    if torn := tears(stacks).get(0):
        raise torn
    check_continuation(stacks[0], stacks[1:])
