"""What was done to a scan before a network saw it, as `summary.json` says it."""

from typing import Literal, TypeAlias

from disyre.figures import Coordinate, PerAxis
from disyre.frozen import Frozen

Swap: TypeAlias = Literal["up and down", "front and back", "up and down, front and back"]
"""Directions that a header has the wrong way round. Left and right look alike, and cannot be told so."""


class TiltRecord(Frozen):
    """Turns that bring an upright head to how it lies in the scan's grid: about x, then y, then z; degrees.

    The axes are those of the grid in RAS order, and a turn is right-handed: a positive pitch lifts the nose,
    a positive roll moves the top of the head to its right, a positive yaw moves the nose to its left.
    """

    pitch: float
    """About x: nose up."""
    roll: float
    """About y: top of the head to its right."""
    yaw: float
    """About z: nose to its left."""
    angle: float
    """Of the one turn that does all three, at least 0."""


class PreparationRecord(Frozen):
    """The steps from a scan to what the network saw, in their order; nothing else was done."""

    orientation: str
    """Of the scan's axes, as it is stored; they are put in the order of RAS."""
    spacing_mm: PerAxis
    """Edges of a voxel, along the same axes."""
    background: float
    """The intensity that stands for nothing, and is subtracted."""
    bias_field: tuple[float, float] | None
    """Smallest and largest factor in the brain of the shading that was divided by; null if none was."""
    tilt_deg: TiltRecord | None
    """How the head lay in the scan's grid; null if that was not, or could not be, found out."""
    swapped: Swap | None = None
    """Directions that the header seems to have the wrong way round, by the shape of the brain."""
    aligned: bool
    """Whether the head was turned upright."""
    crop_start: tuple[int, int, int]
    """First voxel of the box around the brain, in the scan's own order; below 0 where its margin lies outside
    the scan."""
    crop_shape: tuple[int, int, int]
    """Voxels of that box along each axis."""
    model_spacing_mm: PerAxis
    """Of the grid that the network saw, in RAS order."""
    model_shape: tuple[int, int, int]
    """Voxels of that grid."""
    model_affine: tuple[tuple[Coordinate, ...], ...]
    """Where that grid lies: four rows, voxel to mm in the scan's world (RAS+); turned, if `aligned`."""
    own_slices: bool
    """Whether the network saw the scan's own slices, and not some between them."""
    interpolated: tuple[str, ...]
    """Directions along which values between voxels were made."""
    white: float
    """Intensity above the background that became 1."""
