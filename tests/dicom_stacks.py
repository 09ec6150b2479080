"""Stacks of DICOM images, without DICOM."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from disyre import series, stacks
from disyre.sequence_parameters import SequenceParameters
from disyre.series import Images
from disyre.stacks import Slice, Stack

AXIAL = np.array([1.0, 0, 0, 0, 1, 0])
CORONAL = np.array([1.0, 0, 0, 0, 0, -1])
SAGITTAL = np.array([0, 1.0, 0, 0, 0, -1])
SAID: dict[str, Any] = {
    "echo_time_ms": 10.0,
    "image_type": ("M", "ND"),
    "temporal_position": 1.0,
    "sequence": SequenceParameters(tr_ms=500.0, ti_ms=100.0, flip_deg=90.0, b_value=1000.0),
}
"""What images may say of themselves."""


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
    return replace(image, **{"position": image.position + np.array(by), **changes})


def changed(slices: Stack, places: list[int], **changes: Any) -> Stack:
    """The same images, of which those at some places differ."""
    return [moved(image, (0, 0, 0), **changes) if k in places else image for k, image in enumerate(slices)]


def said(**changes: Any) -> SequenceParameters:
    """The sequence of `SAID`, with changes."""
    return SequenceParameters(
        **({"tr_ms": 500.0, "ti_ms": 100.0, "flip_deg": 90.0, "b_value": 1000.0} | changes)
    )


def echo(te_ms: float | None, n: int = 20, **changes: Any) -> Stack:
    """A stack with pixels of its own."""
    return [
        moved(image, (0, 0, 0), pixels=f"{te_ms} {k}".encode())
        for k, image in enumerate(make_stack(n, gap_mm=3.0, **(SAID | {"echo_time_ms": te_ms} | changes)))
    ]


def gated(n: int, name: str, low: float, high: float) -> Stack:
    """A stack in which a number of the sequence is another in each image."""
    values = np.random.default_rng(3).permutation(np.linspace(low, high, n))
    return [
        moved(image, (0, 0, 0), sequence=said(**{name: float(value)}))
        for image, value in zip(make_stack(n, gap_mm=3.0, echo_time_ms=9.0), values, strict=True)
    ]


def orders(slices: Stack) -> Iterator[Stack]:
    """The same images in several orders."""
    yield slices
    yield slices[::-1]
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(slices))
        yield [slices[k] for k in order]


def find(slices: Stack) -> tuple[Stack, list[str]]:
    """The volume that images hold, and the warnings."""
    warnings: list[str] = []
    return series.find_volume(Images(slices), warnings.append), warnings
