"""Stacks of DICOM images, without DICOM."""

from typing import Any

import numpy as np

from disyre import stacks
from disyre.stacks import Slice, Stack

AXIAL = np.array([1.0, 0, 0, 0, 1, 0])
CORONAL = np.array([1.0, 0, 0, 0, 0, -1])
SAGITTAL = np.array([0, 1.0, 0, 0, 0, -1])


def make_stack(
    n: int = 20, *, gap_mm: float = 1.0, orientation: stacks.Vector = AXIAL, **changes: Any
) -> Stack:
    normal = np.cross(orientation[:3], orientation[3:])
    facts: dict[str, Any] = {
        "series": "1",
        "frame_of_reference": "1",
        "shape": (8, 9),
        "spacing_mm": (1.0, 1.0),
        "orientation": orientation,
    }
    return [
        Slice(number=k, position=k * gap_mm * normal, pixels=k.to_bytes(2), **(facts | changes))
        for k in range(n)
    ]


def moved(image: Slice, by: tuple[float, float, float], **changes: Any) -> Slice:
    return Slice(**{**vars(image), "position": image.position + np.array(by), **changes})
