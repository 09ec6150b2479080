"""Kinds of images of one series that are slices of one volume all the same, as they lie as its slices do.

Some headers do not say everything, gating varies the repetition time from slice to slice, and what is at the
places of other images stays a volume of its own.
"""

from collections.abc import Sequence
from itertools import chain, product
from typing import Final, TypeAlias

from disyre.continuation import is_alike
from disyre.lattice import lie_in_one_row
from disyre.leeway import RISING, Leeway
from disyre.stacks import Slice, Stack

_Group: TypeAlias = list[Stack]
"""Kinds that are of one volume, those that say most first."""

_LEAST_HOMES: Final = 2


def merged(kinds: Sequence[Stack]) -> list[Stack]:
    """The volumes that kinds of images of one series make, in the order of their first kinds.

    Of each, images come first that say most.
    """
    place = {id(kind): number for number, kind in enumerate(kinds)}
    groups: list[_Group] = [[kind] for kind in sorted(kinds, key=lambda kind: _rank(kind[0]))]
    for leeway in RISING:
        if len(groups) > 1:
            groups = _placed(_joined(groups, leeway), leeway)
    groups.sort(key=lambda group: min(place.get(id(kind), len(kinds)) for kind in group))
    return [list(chain(*group)) for group in groups]


def _rank(image: Slice) -> tuple[float, ...]:
    """By it kinds are sorted, so that nothing depends on the order of the files."""
    sequence = image.sequence
    numbers = (image.echo_time_ms, sequence.tr_ms, sequence.ti_ms, sequence.flip_deg, sequence.b_value)
    return (len(image.unstated), *(number or 0.0 for number in numbers))


def _joined(groups: Sequence[_Group], leeway: Leeway) -> list[_Group]:
    """Groups that may all be of one volume, and that lie so, as one. What may be of several waits."""
    families: list[list[_Group]] = []
    for group in groups:
        found = [family for family in families if all(_may_be_one(group, each, leeway) for each in family)]
        if len(found) == 1:
            found[0].append(group)
        else:
            families.append([group])
    together: list[_Group] = []
    for family in families:
        is_one = len(family) > 1 and lie_in_one_row([*chain(*family)])
        together += [[*chain(*family)]] if is_one else family
    return together


def _may_be_one(one: _Group, other: _Group, leeway: Leeway) -> bool:
    return all(_may_be_with(mine[0], theirs[0], leeway) for mine, theirs in product(one, other))


def _may_be_with(one: Slice, other: Slice, leeway: Leeway) -> bool:
    return one.is_with(other, leeway) and is_alike(one, other) and is_alike(other, one)


def _placed(groups: Sequence[_Group], leeway: Leeway) -> list[_Group]:
    """Images that say less than those of several groups, in the one where their place is free."""
    unstated = {id(group): group[0][0].unstated for group in groups}
    if len(set(unstated.values())) == 1:
        return list(groups)
    left = list(groups)
    for group in groups:
        homes = [
            other
            for other in left
            if unstated[id(group)] - unstated[id(other)] and _may_be_one(group, other, leeway)
        ]
        if len(homes) >= _LEAST_HOMES and _is_placed([*chain(*group)], homes):
            left = [other for other in left if other is not group]
    return left


def _is_placed(images: Stack, homes: Sequence[_Group]) -> bool:
    """Whether images found their places in some groups, all in one or each in one; they are then in them."""
    whole = [home for home in homes if lie_in_one_row([*home, images])]
    if whole:
        if len(whole) == 1:
            whole[0].append(images)
        return len(whole) == 1
    pieces: list[Stack] = [[] for _ in homes]
    for image in images:
        free = [k for k, home in enumerate(homes) if lie_in_one_row([*home, [image]])]
        if len(free) != 1:
            return False
        pieces[free[0]].append(image)
    found = [(home, piece) for home, piece in zip(homes, pieces, strict=True) if piece]
    if not all(lie_in_one_row([*home, piece]) for home, piece in found):
        return False
    for home, piece in found:
        home.append(piece)
    return True
