"""Series of an upload without which it may not be seen that another is a part of a head only.

Who reads one of them without the others would not be warned (`disyre.wholeness`). That they are kin says
less than that they are alike: of one patient, size and direction, made alike, and not all at one place. Those
at one place show the same part of a head: no warning of one tells of the others.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from operator import mul
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from disyre.continuation import is_made_like, is_no_slice
from disyre.series import Images
from disyre.stacks import Slice, normal_of

_PARALLEL: Final = float(np.cos(np.radians(6.0)))
"""A little less than what slices of one stack may be turned."""
_MOST_PAIRS: Final = 64
_MOST_ASKED: Final = 20_000
"""Kinds of images that are compared, of two series, and of all of one size: more are taken to be alike."""

_Look: TypeAlias = tuple[str, str, tuple[int, int]]
"""Patient, person, and size in pixels."""
_Normal: TypeAlias = tuple[float, ...]
_Kind: TypeAlias = tuple[object, ...]
"""All that tells how an image was made, as far as it counts for stacks (`Slice.is_with`)."""


class _Place(NamedTuple):
    """Where images of a series lie: from where to where along their normal, in mm, and how many."""

    normal: _Normal
    low: float
    high: float
    n: int


class _Part(NamedTuple):
    """The images of a series that lie one way."""

    series: str
    place: _Place
    kinds: frozenset[_Kind]
    examples: tuple[Slice, ...]
    """An image of each kind."""
    is_mixed: bool
    """Whether those of one kind alone lie at another place."""


def kin(by_series: Mapping[str, Images], wanted: Collection[str]) -> dict[str, set[str]]:
    """For each wanted series, which it has to be read with, itself included."""
    found: dict[_Look, list[_Part]] = {}
    for series, images in by_series.items():
        for look, part in _parts(series, images.slices):
            found.setdefault(look, []).append(part)
    near = {series: {series} for series in wanted}
    for parts in found.values():
        relation = _Relation(parts)
        for part in parts:
            if part.series in near:
                near[part.series] |= relation.kin_of(part)
    return near


class _Relation:
    """Which parts of one look may be of one stack, wherever they lie."""

    def __init__(self, parts: Iterable[_Part]) -> None:
        self._places: dict[_Place, dict[frozenset[_Kind], list[_Part]]] = {}
        for part in parts:
            self._places.setdefault(part.place, {}).setdefault(part.kinds, []).append(part)
        self._alike: dict[tuple[frozenset[_Kind], frozenset[_Kind]], bool] = {}
        self._n_asked = 0

    def kin_of(self, part: _Part) -> set[str]:
        """The series that it has to be read with."""
        found = {
            other.series
            for place, by_kinds in self._places.items()
            if place != part.place and _are_near(part.place, place)
            for others in by_kinds.values()
            if self._may_be_alike(part, others[0])
            for other in others
        }
        if found and part.is_mixed:  # the volume may be some of its images: others there may lie beyond it
            found |= {other.series for others in self._places[part.place].values() for other in others}
        return found

    def _may_be_alike(self, part: _Part, other: _Part) -> bool:
        """Whether any images of two parts may be slices of one stack, by how they were made."""
        key = (part.kinds, other.kinds)
        if key not in self._alike:
            self._alike[key] = self._ask(part.examples, other.examples)
        return self._alike[key]

    def _ask(self, images: Collection[Slice], others: Collection[Slice]) -> bool:
        n_pairs = len(images) * len(others)
        self._n_asked += n_pairs
        if n_pairs > _MOST_PAIRS or self._n_asked > _MOST_ASKED:
            return True
        return any(
            not is_no_slice(other) and is_made_like(image, other) for image in images for other in others
        )


def _are_near(one: _Place, other: _Place) -> bool:
    """Whether slices at two places may be of one stack, as far as their directions tell."""
    cosine = math.fsum(map(mul, one.normal, other.normal))
    return abs(cosine) >= _PARALLEL


def _parts(series: str, slices: Iterable[Slice]) -> list[tuple[_Look, _Part]]:
    """The images of a series that lie one way and are of one look."""
    normals: dict[bytes, _Normal] = {}
    heights: dict[tuple[_Look, _Normal], dict[_Kind, list[float]]] = {}
    examples: dict[tuple[_Look, _Normal], dict[_Kind, Slice]] = {}
    for image in slices:
        direction = image.orientation.tobytes()
        normal = normals.get(direction) or normals.setdefault(direction, _normal(image))
        key, kind = ((image.patient, image.person, image.shape), normal), _kind(image)
        examples.setdefault(key, {}).setdefault(kind, image)
        heights.setdefault(key, {}).setdefault(kind, []).append(float(image.position @ normal))
    return [(key[0], _part(series, key[1], of_kind, examples[key])) for key, of_kind in heights.items()]


def _part(
    series: str, normal: _Normal, heights: Mapping[_Kind, list[float]], examples: Mapping[_Kind, Slice]
) -> _Part:
    ends = {(round(min(each), 1), round(max(each), 1)) for each in heights.values()}
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    place = _Place(normal, low, high, sum(map(len, heights.values())))
    return _Part(series, place, frozenset(examples), tuple(examples.values()), is_mixed=len(ends) > 1)


def _kind(image: Slice) -> _Kind:
    return (
        image.spacing_mm,
        image.temporal_position,
        image.image_type,
        image.echo_time_ms,
        image.sequence,
    )


def _normal(image: Slice) -> _Normal:
    """The normal of an image, which leads the same way whichever way its slices are counted."""
    normal = normal_of(image.orientation)
    sign = np.sign(normal[np.argmax(np.abs(normal))])
    return tuple(np.round(normal * sign, 4).tolist())
