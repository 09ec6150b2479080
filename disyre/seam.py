"""Series of a study that are parts of one stack: its slices go on in another series, or lie between those.

Each alone would be a part of a head, and nothing in it would show that. Who means one of them, such as one of
two slabs, picks it on purpose.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from disyre.continuation import continuing, is_alike
from disyre.errors import IrregularSlices
from disyre.interruption import differing_in
from disyre.lattice import lie_as_one
from disyre.leeway import WIDEST
from disyre.stacks import LEAST_SLICES, Slice, Stack, n_images
from disyre.wording import counted

_MOST_PLACES: Final = 40
"""At which series lie that are alike: of more, such as thousands of single images, not all are looked at."""
_LEAST_GAP: Final = 0.75
"""Of the thickness of slices, or else of their stated spacing: what would lie closer are two volumes."""
_NEAR: Final = 0.05
"""How far a gap may be from the one that is stated, as a share of it."""


@dataclass(frozen=True, kw_only=True)
class Seam:
    """That the stack of a series has slices in others."""

    n_own: int
    n_others: int
    """Images in the others."""
    n_series: int
    """How many others there are."""
    is_at_end: bool
    """Whether they go on beyond an end, or lie between."""
    differing: str
    """In what they differ, beside their SeriesInstanceUID; nothing if that is all."""

    @property
    def error(self) -> IrregularSlices:
        """Why the series is no volume."""
        them = "it differs" if self.n_series == 1 else "they differ"
        what = (
            f"{self.differing}, as slices of one stack may, and in"
            if self.differing
            else "nothing that tells scans apart but"
        )
        return IrregularSlices(
            f"expected all slices of a stack in one series, but that of {counted(self.n_own, 'image')} "
            f"{self._where}; {them} in {what} the SeriesInstanceUID, and each alone would be a part of the "
            f"head: export them as one series and send that{self._way_out}"
        )

    @property
    def warning(self) -> str:
        """The same of a series that was picked on purpose."""
        return (
            f"the stack of this series, with {counted(self.n_own, 'image')}, {self._where}: it was picked "
            "alone, and a part of the head may be missing"
        )

    @property
    def _way_out(self) -> str:
        """What else to do with a stack that is a volume by itself."""
        if self.n_own < LEAST_SLICES:
            return ""
        pick = "pick it with the option series_uid of a job"
        return f", or, if one is meant alone, such as one of two slabs, {pick}"

    @property
    def _where(self) -> str:
        where = "goes on in" if self.is_at_end else "has slices between these in"
        others = "another" if self.n_series == 1 else f"{self.n_series} other"
        return f"{where} {others} series of the study ({counted(self.n_others, 'image')})"


def seams(stacks: Sequence[Stack]) -> dict[int, Seam]:
    """Which stacks of an upload, by their numbers, are parts of one that has several series."""
    found: dict[int, Seam] = {}
    for numbers in _alike(stacks):
        found |= _of_alike(stacks, numbers)
    return found


def seam_of(stack: Stack, images: Iterable[Slice]) -> Seam | None:
    """What the stack of one series has in others, of all images of an upload; nothing if it is whole."""
    first = stack[0]
    others: dict[str, Stack] = {}
    for image in images:
        if image.series != first.series and image.shape == first.shape and is_alike(first, image):
            others.setdefault(image.series, []).append(image)
    return seams([stack, *others.values()]).get(0)


def _alike(stacks: Sequence[Stack]) -> list[list[int]]:
    """Stacks of several series that differ only in that and in what varies within a volume, by numbers."""
    plain = [replace(stack[0], series="") for stack in stacks]
    by_facts: dict[tuple[object, ...], list[list[int]]] = {}
    for number, image in enumerate(plain):
        facts = (image.origin, image.shape, image.temporal_position, image.unstated)
        groups = by_facts.setdefault(facts, [])
        group = next((group for group in groups if plain[group[0]].is_with(image, WIDEST)), None)
        if group is None:
            groups.append(group := [])
        group.append(number)
    found = [group for groups in by_facts.values() for group in groups]
    return [group for group in found if len({stacks[number][0].series for number in group}) > 1]


def _of_alike(stacks: Sequence[Stack], numbers: Sequence[int]) -> dict[int, Seam]:
    places = _by_place(stacks, numbers)[:_MOST_PLACES]
    whole = [stacks[place[0]] for place in places]
    if all(len(stack) == 1 for stack in whole):
        return {}
    parts = _joined(whole)
    is_at_end = bool(parts)
    if not parts and len(whole) > 1 and _is_split(whole):
        parts = {*range(len(whole))}
    torn = [places[part] for part in sorted(parts)]
    return {
        number: _seam(stacks, number, [each for each in torn if each is not place], is_at_end=is_at_end)
        for place in torn
        for number in place
    }


def _joined(stacks: Sequence[Stack]) -> set[int]:
    """Those of some stacks, the largest first, that go on in smaller ones, or over what lies between.

    By their numbers.
    """
    found: set[int] = set()
    for number, volume in enumerate(stacks):
        smaller = enumerate(stacks[number + 1 :], start=number + 1)
        others = {id(other): k for k, other in smaller if other[0].series != volume[0].series}
        more = continuing(volume, [stacks[k] for k in others.values()])
        if more:
            found |= {number, *(others[id(each)] for each in more)}
    return found


def _by_place(stacks: Sequence[Stack], numbers: Sequence[int]) -> list[list[int]]:
    """Stacks by where they lie, the largest first; those at one place, such as two runs, are together."""
    normal = stacks[numbers[0]][0].normal
    places: dict[tuple[float, float], list[int]] = {}
    for number in sorted(numbers, key=lambda number: -len(stacks[number])):
        heights = [float(image.position @ normal) for image in stacks[number]]
        places.setdefault((round(min(heights), 1), round(max(heights), 1)), []).append(number)
    return list(places.values())


def _is_split(stacks: Sequence[Stack]) -> bool:
    """Whether all images together are one stack, and not whole ones of which one lies between another."""
    if not lie_as_one(stacks):
        return False
    first = stacks[0][0]
    heights = [float(image.position @ first.normal) for stack in stacks for image in stack]
    gap_mm = float(np.ptp(heights)) / (len(heights) - 1)
    stated_mm, thickness_mm = first.gap_stated_mm, first.thickness_mm
    if stated_mm and abs(gap_mm - stated_mm) <= _NEAR * stated_mm:
        return True
    least_mm = thickness_mm or stated_mm
    return not least_mm or gap_mm >= _LEAST_GAP * least_mm


def _seam(stacks: Sequence[Stack], number: int, places: Sequence[list[int]], *, is_at_end: bool) -> Seam:
    """What a stack has at other places."""
    own, others = stacks[number], [stacks[other] for place in places for other in place]
    return Seam(
        n_own=n_images(own),
        n_others=sum(map(n_images, others)),
        n_series=len({stack[0].series for stack in others} - {own[0].series}),
        is_at_end=is_at_end,
        differing=differing_in([[replace(stack[0], series="")] for stack in (own, *others)]),
    )
