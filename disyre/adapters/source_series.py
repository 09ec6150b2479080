"""The DICOM images that a volume is made of, as results of it refer to them."""

from dataclasses import dataclass
from typing import TypeAlias

from disyre.scan_record import ImageSource

Vector: TypeAlias = tuple[float, ...]


@dataclass(frozen=True)
class SourceSlice:
    """One image of a volume."""

    sop_class: str
    sop_instance: str
    frame: int | None
    """Which frame of the instance, counted from 1; None of an instance that has one image, or is a mosaic."""
    position: Vector
    """Centre of the first pixel: mm, in the world of the images (LPS)."""


@dataclass(frozen=True, eq=False)
class SourceSeries:
    """The images of a volume, in the order of its slices."""

    subject: bytes
    """A header that says whose they are, as it is stored: nobody has looked at it."""
    series: str
    """Their SeriesInstanceUID."""
    number: int | None
    """SeriesNumber of the first; None if it states none."""
    frame_of_reference: str
    """Nothing if they state none."""
    shape: tuple[int, int]
    """Columns, rows."""
    spacing_mm: tuple[float, float]
    """Between rows, between columns."""
    thickness_mm: float
    """Of a slice, as stated, else the distance to the next."""
    gap_mm: float
    """From a slice to the next."""
    orientation: Vector
    """Direction of increasing columns, then of increasing rows: 6 cosines."""
    slices: tuple[SourceSlice, ...]
    transfer_syntaxes: tuple[str, ...]

    @property
    def record(self) -> ImageSource:
        """What the summary says of them."""
        return ImageSource(n=len(self.slices), transfer_syntaxes=self.transfer_syntaxes)
