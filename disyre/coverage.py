"""Series of an upload that are alike and show different parts of a head: only warnings come of it.

They may be two slabs, a scan that was broken off and its repeat, or one stack that was split and has lost
slices at the seam; the headers do not tell which. What surely is one stack is found by `disyre.seam`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from disyre.continuation import is_made_like, may_be_slice
from disyre.stacks import Slice, Stack, n_images
from disyre.wording import counted

_MOST_BEYOND: Final = 0.15
"""Of what a stack covers: as much may others cover beside it, as when a patient moves between two scans."""
_SAME_END_MM: Final = 0.25
"""Ends that lie no further apart are one place: who ends there shows no more of the head."""


def partial(stacks: Sequence[Stack]) -> dict[int, str]:
    """Which stacks, by their numbers, cover clearly less than they do with those like them, in words."""
    found: dict[int, str] = {}
    for numbers in _alike(stacks):
        if len({stacks[number][0].series for number in numbers}) > 1:
            found |= _of_alike(stacks, numbers)
    return found


def partial_beside(stack: Stack, images: Iterable[Slice]) -> str | None:
    """The same of the stack of one series beside all images of an upload; None if it is whole."""
    first = stack[0]
    others: dict[str, Stack] = {}
    for image in images:
        if image.series != first.series and _is_like(first, image):
            others.setdefault(image.series, []).append(image)
    return partial([stack, *others.values()]).get(0)


def _alike(stacks: Sequence[Stack]) -> list[list[int]]:
    """Stacks that are made alike, by their numbers."""
    by_facts: dict[tuple[object, ...], list[list[int]]] = {}
    for number, (image, *_) in enumerate(stacks):
        groups = by_facts.setdefault((image.origin[:2], image.shape), [])
        group = next((group for group in groups if _is_like(stacks[group[0]][0], image)), None)
        if group is None:
            groups.append(group := [])
        group.append(number)
    return [group for groups in by_facts.values() for group in groups]


def _is_like(one: Slice, other: Slice) -> bool:
    """Whether images of two series, or studies, of one patient are made alike, wherever they lie."""
    if one.origin[:2] != other.origin[:2] or not may_be_slice(one, other):
        return False
    return one.sequence.has_agent == other.sequence.has_agent and is_made_like(one, other)


def _of_alike(stacks: Sequence[Stack], numbers: Sequence[int]) -> dict[int, str]:
    normal = stacks[numbers[0]][0].normal
    heights = {number: [float(image.position @ normal) for image in stacks[number]] for number in numbers}
    ends = {number: (min(each), max(each)) for number, each in heights.items()}
    low, high = min(low for low, _ in ends.values()), max(high for _, high in ends.values())
    found = {}
    for number, (own_low, own_high) in ends.items():
        own_mm = own_high - own_low
        if high - low > (1 + _MOST_BEYOND) * own_mm:
            others = [
                stacks[other]
                for other, (its_low, its_high) in ends.items()
                if stacks[other][0].series != stacks[number][0].series
                and max(own_low - its_low, its_high - own_high) > _SAME_END_MM
            ]
            if others:
                found[number] = _words(stacks[number], others, own_mm=own_mm, together_mm=high - low)
    return found


def _words(stack: Stack, others: Sequence[Stack], *, own_mm: float, together_mm: float) -> str:
    n_series, n_others = len({other[0].series for other in others}), sum(map(n_images, others))
    them = "another that is like it" if n_series == 1 else f"{n_series} others that are like it"
    return (
        f"a series of {counted(n_images(stack), 'image')} covers {own_mm:.0f} mm, and {together_mm:.0f} mm "
        f"together with {them} ({counted(n_others, 'image')}): if they are parts of one scan, each shows a "
        "part of the head only, and slices may be missing between them"
    )
