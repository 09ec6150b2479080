"""Slope and intercept of a DICOM image: what its stored values have to be scaled by (pydicom)."""

from typing import NamedTuple

from pydicom.dataset import Dataset

from disyre.adapters.dicom_numbers import optional_number
from disyre.errors import UnreadableVolume


class Scale(NamedTuple):
    """What makes values of stored ones."""

    slope: float
    intercept: float


def scale_of(header: Dataset) -> Scale:
    """What an image says; without it values are as stored. Raises UnreadableVolume if it cannot be."""
    slope = optional_number(header, "RescaleSlope")
    intercept = optional_number(header, "RescaleIntercept")
    if slope == 0:
        raise UnreadableVolume(
            "expected a slope other than 0 (RescaleSlope), got 0, which makes all values equal"
        )
    return Scale(1.0 if slope is None else slope, intercept or 0.0)
