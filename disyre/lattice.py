"""Whether images of several stacks lie as the slices of one do: one at a place, the places evenly spaced."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from disyre.continuation import ASIDE, offsets
from disyre.evenness import POSITION_TOLERANCE_MM
from disyre.stacks import LEAST_SLICES, Stack, Vector, without_equals

_MOST_APART: Final = 2.5
"""Gaps that a stack may have within itself, or to the next of it, in gaps between slices."""
_LEAST_FILLED: Final = 0.75
"""The share of places that have an image: one between two slices makes twice as many places of them."""
_ONE_GAP: Final = 1.5
"""Gaps up to this many times the smallest are those from a slice to the next."""


def lie_as_one(stacks: Sequence[Stack]) -> bool:
    """Whether all images together lie evenly, one at a place, and none is missing.

    Copies count once, those in another of the stacks excepted.
    """
    gaps_mm = _gaps_mm(stacks)
    if len(gaps_mm) < LEAST_SLICES - 1:
        return False
    typical = float(np.median(gaps_mm))
    return typical > POSITION_TOLERANCE_MM and bool(np.abs(gaps_mm - typical).max() <= POSITION_TOLERANCE_MM)


def lie_in_one_row(stacks: Sequence[Stack]) -> bool:
    """The same, but slices may be missing: some of few, as long as no stack lies off on its own."""
    gaps_mm = _gaps_mm(stacks)
    if not len(gaps_mm):
        return False
    typical = _typical_mm(gaps_mm)
    if typical <= POSITION_TOLERANCE_MM:
        return False
    steps = np.round(gaps_mm / typical)
    own_mm = max(_gaps_mm([stack]).max(initial=0.0) for stack in stacks)
    return bool(
        np.abs(gaps_mm - steps * typical).max() <= POSITION_TOLERANCE_MM
        and gaps_mm.max() <= max(_MOST_APART * typical, own_mm + POSITION_TOLERANCE_MM)
        and len(steps) + 1 >= _LEAST_FILLED * (steps.sum() + 1)
    )


def has_holes(volume: Stack) -> bool:
    """Whether a gap within a volume is wider than one from a slice to the next."""
    gaps_mm = _gaps_mm([volume])
    return bool(len(gaps_mm) and gaps_mm.max() > _ONE_GAP * _typical_mm(gaps_mm))


def fill_holes(volume: Stack, others: Stack) -> bool:
    """Whether images lie where slices of a volume are missing, by the gaps between those that it has."""
    (own, _), (its, _) = heights(volume, volume), heights(others, volume)
    if not ((its > own.min()) & (its < own.max())).any() or not lie_in_one_row([volume, others]):
        return False
    gaps_mm, together_mm = _gaps_mm([volume]), _gaps_mm([volume, others])
    return abs(_typical_mm(gaps_mm) - _typical_mm(together_mm)) <= POSITION_TOLERANCE_MM


def heights(images: Stack, volume: Stack) -> tuple[Vector, Vector]:
    """How far images lie from the first of a volume along its normal, and how far beside it, in mm."""
    normal = volume[0].normal
    for between in offsets(images, volume[0]):
        along = between @ normal
        aside = np.linalg.norm(between - np.outer(along, normal), axis=1)
        if aside.max() <= most_aside_mm(volume):
            break
    return along, aside


def most_aside_mm(stack: Stack) -> float:
    """How far images may lie beside a stack whose slices they are."""
    (columns, rows), (between_rows, between_columns) = stack[0].shape, stack[0].spacing_mm
    return ASIDE * min(columns * between_columns, rows * between_rows)


def _typical_mm(gaps_mm: Vector) -> float:
    """From a slice to the next, of gaps of which some are wider."""
    return float(np.median(gaps_mm[gaps_mm <= _ONE_GAP * gaps_mm.min()]))


def _gaps_mm(stacks: Sequence[Stack]) -> Vector:
    """From each image to the next of all; none at all if some lie beside the others."""
    images = [image for stack in stacks for image in without_equals(stack)]
    along, aside = heights(images, images)
    return np.empty(0) if aside.max() > most_aside_mm(images) else np.diff(np.sort(along))
