"""What differs between two images of one series that are of different volumes, in words for people.

As everywhere, nothing that a person wrote into a header: numbers, and the names of attributes.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from disyre.filter_words import filters_in, without_filters
from disyre.stacks import ECHO_TOLERANCE_MS, Slice, has_direction_of, has_spacing_of

_REVERSED_DEG: Final = 179.0
"""Directions that are turned by more, within their plane, are called reversed."""
_LEAST_TOLD_DEG: Final = 0.1
_PARALLEL: Final = 0.999
"""The cosine between normals up to which planes are called the same."""


def differences(image: Slice, other: Slice) -> list[str]:
    """All in which two images differ that tells volumes apart; the first is named first.

    That one of them does not say a thing counts too, though it alone keeps nothing apart.
    """
    found = {
        _owners(image, other): image.origin[:3] != other.origin[:3],
        "series (SeriesInstanceUID)": image.series != other.series,
        "frame of reference (FrameOfReferenceUID)": image.frame_of_reference != other.frame_of_reference,
        _sizes(image, other): image.shape != other.shape,
        _pixels(image, other): not has_spacing_of(image, other),
        _turn(image, other): not has_direction_of(image, other),
        _echo_times(image, other): _is_other_echo(image, other),
        **dict.fromkeys(image.sequence.differences(other.sequence), True),
        "time (TemporalPosition)": image.temporal_position != other.temporal_position,
        _kinds(image, other): image.image_type != other.image_type,
    }
    return [words for words, differs in found.items() if differs]


def kinds_of_difference(images: Sequence[Slice], *, first_comes_last: bool = False) -> list[str]:
    """In what images differ from the first of them: of each kind of difference, the first.

    Of the two that differ, the first of the images is named first, or last.
    """
    found: dict[str, str] = {}
    for image in images[1:]:
        one, other = (image, images[0]) if first_comes_last else (images[0], image)
        for words in differences(one, other):
            found.setdefault(words.split(" (")[0], words)
    return list(found.values())


def _owners(image: Slice, other: Slice) -> str:
    """Whose images are, by what a header says of that."""
    if image.patient != other.patient:
        return "patient or study (PatientID)"
    if image.person != other.person:
        return "patient or study (name or date of birth)"
    return "patient or study (StudyInstanceUID)"


def _sizes(image: Slice, other: Slice) -> str:
    return "size ({} x {} against {} x {} pixels)".format(*image.shape, *other.shape)


def _pixels(image: Slice, other: Slice) -> str:
    one, two = _told_apart(image.spacing_mm, other.spacing_mm)
    return f"size of pixels ({one} against {two} mm, PixelSpacing)"


def _told_apart(one_mm: tuple[float, float], two_mm: tuple[float, float]) -> tuple[str, str]:
    """Two sizes with as many digits as it takes to see that they differ, if they do."""
    for digits in range(4, 10):
        one, two = (" x ".join(f"{mm:.{digits}g}" for mm in size) for size in (one_mm, two_mm))
        if one != two:
            break
    return one, two


def _is_other_echo(image: Slice, other: Slice) -> bool:
    return abs((image.echo_time_ms or 0.0) - (other.echo_time_ms or 0.0)) > ECHO_TOLERANCE_MS


def _echo_times(image: Slice, other: Slice) -> str:
    one, two = ("none" if te is None else f"{te:g} ms" for te in (image.echo_time_ms, other.echo_time_ms))
    return f"echo time ({one} against {two})"


def _kinds(image: Slice, other: Slice) -> str:
    """What kinds images are of: of words, only those that are known as names of filters."""
    one, two = image.image_type, other.image_type
    if not one or not two or without_filters(one) != without_filters(two):
        return "kind of image, such as magnitude and phase (ImageType)"
    mine, theirs = (" and ".join(filters_in(words)) or "no filter" for words in (one, two))
    return f"kind of image ({mine} against {theirs}, ImageType)"


def _turn(image: Slice, other: Slice) -> str:
    """How one image is turned against another."""
    angle_deg = turn_deg(image, other)
    if angle_deg > _REVERSED_DEG and float(image.normal @ other.normal) > _PARALLEL:
        return "orientation (rows and columns run the other way, ImageOrientationPatient)"
    turned = f"{angle_deg:.1f}".removesuffix(".0") if angle_deg >= _LEAST_TOLD_DEG else "less than 0.1"
    return f"orientation (turned by {turned} degrees, ImageOrientationPatient)"


def turn_deg(image: Slice, other: Slice) -> float:
    """By how many degrees the one has to be turned to lie as the other."""
    turn = _axes(image) @ _axes(other).T
    sine = np.linalg.norm([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    return float(np.degrees(np.arctan2(sine, (np.trace(turn) - 1) / 2)))


def _axes(image: Slice) -> np.ndarray:
    """Columns: along a row, along a column, and the normal."""
    return np.stack([image.orientation[:3], image.orientation[3:], image.normal], axis=1)
