"""Series of an upload without which it may not be seen that another is a part of a head only.

Who reads one of them without the others would not be warned (`disyre.wholeness`). That they are kin says
less than that they are alike: of one patient, size and direction, and not all at one place.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from disyre.series import Images
from disyre.stacks import Slice, normal_of

_PARALLEL: Final = float(np.cos(np.radians(6.0)))
"""A little less than what slices of one stack may be turned."""
_MOST_PLACES: Final = 50
"""Of series of one patient and size: of more, all are kin."""

_Look: TypeAlias = tuple[str, str, tuple[int, int]]
"""Patient, person, and size in pixels."""
_Normal: TypeAlias = tuple[float, ...]


class _Place(NamedTuple):
    """Where images of a series lie: from where to where along their normal, in mm, and how many."""

    normal: _Normal
    low: float
    high: float
    n: int


def kin(by_series: Mapping[str, Images]) -> dict[str, set[str]]:
    """For each series, which it has to be read with, itself included."""
    found: dict[_Look, dict[_Place, set[str]]] = {}
    for series, images in by_series.items():
        for look, place in _places(images.slices):
            found.setdefault(look, {}).setdefault(place, set()).add(series)
    near = {series: {series} for series in by_series}
    for places in found.values():
        for place, of_place in places.items():
            others = [other for other in places if other != place and _is_near(place, other, len(places))]
            if others:
                every = of_place.union(*(places[other] for other in others))
                for series in of_place:
                    near[series] |= every
    return near


def _is_near(one: _Place, other: _Place, n_places: int) -> bool:
    """Whether slices at two places may be of one stack, as far as their directions tell."""
    return n_places > _MOST_PLACES or abs(float(np.dot(one.normal, other.normal))) >= _PARALLEL


def _places(slices: Iterable[Slice]) -> list[tuple[_Look, _Place]]:
    """Where the images of a series lie, by what they look like."""
    normals: dict[bytes, _Normal] = {}
    heights: dict[tuple[_Look, _Normal], list[float]] = {}
    for image in slices:
        direction = image.orientation.tobytes()
        normal = normals.get(direction) or normals.setdefault(direction, _normal(image))
        look = (image.patient, image.person, image.shape)
        heights.setdefault((look, normal), []).append(float(image.position @ normal))
    return [
        (look, _Place(normal, round(min(each), 1), round(max(each), 1), len(each)))
        for (look, normal), each in heights.items()
    ]


def _normal(image: Slice) -> _Normal:
    """The normal of an image, which leads the same way whichever way its slices are counted."""
    normal = normal_of(image.orientation)
    sign = np.sign(normal[np.argmax(np.abs(normal))])
    return tuple(np.round(normal * sign, 4).tolist())
