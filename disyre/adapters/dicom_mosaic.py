"""Siemens mosaics: all slices of a volume as tiles of one image, and where each lies (pydicom).

The header places the mosaic as if it were one large slice with the same centre as the first tile.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from disyre.adapters.siemens_csa import MosaicFacts, mosaic_facts
from disyre.stacks import Vector

CSA_ATTRIBUTES: Final = (0x00290010, 0x00290011, 0x00291010, 0x00291110)
"""Whose private header it is, in the two places where it may be, and the header itself."""
_CREATOR: Final = b"SIEMENS CSA HEADER"
_MOSAIC: Final = "MOSAIC"


@dataclass(frozen=True, eq=False)
class Mosaic:
    """How an image is laid out."""

    facts: MosaicFacts
    gap_mm: float
    """From slice to slice."""
    shape: tuple[int, int]
    """Columns and rows of a tile."""

    @property
    def side(self) -> int:
        """Tiles in a row, and in a column."""
        return math.isqrt(self.facts.n_slices - 1) + 1

    def position(
        self, index: int, *, said: Vector, orientation: Vector, spacing_mm: Sequence[float]
    ) -> Vector:
        """The centre of the first pixel of a tile, by what is said of the first pixel of the mosaic."""
        between_rows, between_columns = spacing_mm
        columns, rows = self.shape
        along_row = orientation[:3] * between_columns * columns
        along_column = orientation[3:] * between_rows * rows
        corner = said + (along_row + along_column) * (self.side - 1) / 2
        return np.asarray(corner + index * self.gap_mm * self.facts.normal)

    def tiles(self, image: npt.NDArray[np.number]) -> npt.NDArray[np.number]:
        """The slices (slice, row, column) of a mosaic (row, column); tiles without one are left out."""
        columns, rows = self.shape
        parts = image.reshape(self.side, rows, self.side, columns).swapaxes(1, 2)
        return parts.reshape(-1, rows, columns)[: self.facts.n_slices]


def mosaic_of(dataset: Dataset) -> Mosaic | None:
    """How an image is laid out as a mosaic; None if it is none, or does not say enough to be taken apart.

    Raises what nibabel and pydicom do where a header is damaged.
    """
    header = _csa_header(dataset) if is_mosaic(dataset) else None
    gap_mm = dataset.get("SpacingBetweenSlices")
    facts = mosaic_facts(header) if header and gap_mm else None
    if facts is None or not 0 < float(gap_mm) < math.inf:
        return None
    side = math.isqrt(facts.n_slices - 1) + 1
    if dataset.Columns % side or dataset.Rows % side:
        return None
    shape = (dataset.Columns // side, dataset.Rows // side)
    return Mosaic(facts, float(gap_mm), shape)


def is_mosaic(dataset: Dataset) -> bool:
    """Whether an image says that it is a mosaic."""
    return _MOSAIC in (dataset.get("ImageType") or ())


def without_mosaic(image_type: Sequence[str]) -> tuple[str, ...]:
    """The ImageType of the slices of a mosaic."""
    return tuple(word for word in image_type if word != _MOSAIC)


def _csa_header(dataset: Dataset) -> bytes | None:
    for block in (0x10, 0x11):
        creator, header = (dataset.get_item(0x00290000 + tag) for tag in (block, 0x100 * block + 0x10))
        if creator and header and _bytes(creator.value).strip(b" \0") == _CREATOR:
            return _bytes(header.value)
    return None


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
