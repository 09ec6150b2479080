"""The map in colour over the scan, as DICOM Secondary Captures for viewers that know no maps (PS3.3 A.8.1).

One image for each slice of the scan, at its place, with square pixels. Colours are those of the preview:
they depend on the threshold alone, and what lies below it is not coloured.
"""

import math
import zipfile
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from highdicom.sc import SCImage
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from disyre.adapters.derived_dicom import RESEARCH_USE, DerivedDicom
from disyre.adapters.map_colours import COLOURS, MOST, MapColours
from disyre.progress import OnStep, go_on
from disyre.volume import Volume

_LEAST_EDGE: Final = 448
"""Pixels along the longer edge, so that text can be read beside the head."""
_LINES: Final = 34
"""Lines of text that would fill an image."""
_DEFLATED: Final = 1
_LETTERS: Final = (("L", "R"), ("P", "A"), ("H", "F"))
"""Of each axis of the world (LPS): where it leads, and where it comes from."""
_PALETTE: Final[npt.NDArray[np.uint8]] = COLOURS(np.arange(256), bytes=True)[:, :3]


def write_colour_captures(
    path: Path,
    derived: DerivedDicom,
    volume: Volume,
    anomaly_map: Volume,
    colours: MapColours,
    *,
    on_step: OnStep = go_on,
) -> None:
    """Write a zip of all images, in the order of the slices; `on_step` is called after each."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_DEFLATED) as archive:
        for number, image in enumerate(colour_captures(derived, volume, anomaly_map, colours), start=1):
            content = BytesIO()
            image.save_as(content, enforce_file_format=True)
            archive.writestr(f"{number:04d}.dcm", content.getvalue())
            on_step()


def colour_captures(
    derived: DerivedDicom, volume: Volume, anomaly_map: Volume, colours: MapColours
) -> Iterator[Dataset]:
    """An image for each slice of a scan, (column, row, slice), in their order."""
    grid = _Grid.of(derived)
    stamp, captures = _Stamp(derived, grid, colours), _Captures(derived, grid)
    for index in range(volume.shape[2]):
        scan, values = volume.voxels[:, :, index].T, anomaly_map.voxels[:, :, index].T
        grey = grid.resampled(np.clip(255 * colours.grey(scan), 0, 255), Image.Resampling.BILINEAR)
        picture = np.repeat(grey.round().astype(np.uint8)[:, :, None], 3, axis=2)
        near = grid.resampled(values, Image.Resampling.NEAREST)
        above = near > colours.threshold
        shades = np.clip(255 * colours.colour(near[above]), 0, 255).astype(np.uint8)
        picture[above] = _PALETTE[shades]
        yield captures.of(stamp.on(picture), index)


@dataclass(frozen=True)
class _Grid:
    """Where the pixels of the images lie: square ones in the field of view of the slices."""

    shape: tuple[int, int]
    """Columns, rows."""
    edge_mm: float
    offset_mm: tuple[float, float]
    """From the centre of a slice's first pixel to that of the image's, along rows and along columns."""

    @classmethod
    def of(cls, derived: DerivedDicom) -> "_Grid":
        (columns, rows), (between_rows, between_columns) = derived.series.shape, derived.series.spacing_mm
        wide_mm, high_mm = columns * between_columns, rows * between_rows
        finest = min(between_rows, between_columns)
        edge_mm = finest / math.ceil(_LEAST_EDGE * finest / max(wide_mm, high_mm))
        return cls(
            (round(wide_mm / edge_mm), round(high_mm / edge_mm)),
            edge_mm,
            ((edge_mm - between_columns) / 2, (edge_mm - between_rows) / 2),
        )

    def resampled(self, values: npt.NDArray[np.floating], how: Image.Resampling) -> npt.NDArray[np.float32]:
        """A slice, (row, column), on the pixels of the image."""
        return np.asarray(Image.fromarray(values.astype(np.float32)).resize(self.shape, how))


class _Stamp:
    """What is written on every image: what it is for, what made it, what the colours mean, where it lies."""

    def __init__(self, derived: DerivedDicom, grid: _Grid, colours: MapColours) -> None:
        columns, rows = grid.shape
        self._ink = Image.new("RGBA", grid.shape)
        self._draw = ImageDraw.Draw(self._ink)
        self._size = max(10, max(grid.shape) // _LINES)
        self._font = ImageFont.load_default(self._size)
        edge = self._size // 2
        self._write((edge, edge), RESEARCH_USE, "la", fill=(255, 194, 77))
        self._write((columns - edge, edge), f"disyre {derived.model.name}/{derived.model.version}", "ra")
        left, right, top, bottom = _ends(derived.series.orientation)
        self._write((edge, rows / 2), left, "lm")
        self._write((columns - edge, rows / 2), right, "rm")
        self._write((columns / 2, 2.2 * self._size), top, "ma")
        self._write((columns / 2, rows - edge), bottom, "md")
        self._bar(columns - 1.5 * edge, rows, colours)

    def on(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """A picture with it, (row, column, 3)."""
        under = Image.fromarray(picture)
        under.paste(self._ink, mask=self._ink)
        return np.asarray(under)

    def _write(
        self, at: tuple[float, float], text: str, anchor: str, fill: tuple[int, int, int] = (220, 220, 220)
    ) -> None:
        self._draw.text(
            at, text, anchor=anchor, font=self._font, fill=fill, stroke_width=1, stroke_fill=(0, 0, 0)
        )

    def _bar(self, right: float, rows: int, colours: MapColours) -> None:
        """The colours from the threshold up, at the right."""
        width, height = self._size * 0.6, 6 * self._size
        low = rows - 1.5 * self._size
        for step in range(256):
            top, bottom = (low - height * n / 256 for n in (step + 1, step))
            self._draw.rectangle((right - width, top, right, bottom), fill=tuple(_PALETTE[step].tolist()))
        for n in (1, MOST):
            at = low - height * (n - 1) / (MOST - 1)
            name = "threshold" if n == 1 else f"{n} x threshold"
            self._write((right - 1.4 * width, at), f"{n * colours.threshold:.3g} {name}", "rm")


def _ends(orientation: tuple[float, ...]) -> tuple[str, str, str, str]:
    """Which side of the patient is at the left, right, top and bottom of an image."""
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    return _side(-along_row), _side(along_row), _side(-along_column), _side(along_column)


def _side(direction: npt.NDArray[np.float64]) -> str:
    axis = int(np.abs(direction).argmax())
    return _LETTERS[axis][0 if direction[axis] > 0 else 1]


class _Captures:
    """Makes an image for each slice, of one that has all that is the same in all."""

    def __init__(self, derived: DerivedDicom, grid: _Grid) -> None:
        self._derived = derived
        self._grid = grid
        source = derived.images[0]
        _, right, _, bottom = _ends(derived.series.orientation)
        columns, rows = grid.shape
        self._same = SCImage.from_ref_dataset(
            ref_dataset=source,
            pixel_array=np.zeros((rows, columns, 3), dtype=np.uint8),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=(right, bottom),
            **derived.attributes("sc"),
        )
        self._same.PixelSpacing = [DSfloat(grid.edge_mm, auto_format=True)] * 2
        self._same.ConversionType = "WSD"
        self._same.BurnedInAnnotation = "NO"
        self._same.FrameOfReferenceUID = source.FrameOfReferenceUID
        self._same.PositionReferenceIndicator = ""
        self._same.ImageOrientationPatient = source.ImageOrientationPatient
        self._same.SliceThickness = source.SliceThickness

    def of(self, picture: npt.NDArray[np.uint8], index: int) -> Dataset:
        """The image of a slice; `picture` is (row, column, 3)."""
        source, number = self._derived.images[index], index + 1
        result = copy(self._same)
        result.file_meta = copy(self._same.file_meta)
        result.SOPInstanceUID = self._derived.instance_uid("sc", number)
        result.file_meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID
        result.InstanceNumber = number
        result.ImagePositionPatient = _moved(source, self._grid)
        result.SourceImageSequence = [_reference(source)]
        result.PixelData = picture.tobytes()
        return self._derived.finish(result)


def _moved(source: Dataset, grid: _Grid) -> list[float]:
    position, orientation = np.array(source.ImagePositionPatient), np.array(source.ImageOrientationPatient)
    along_row, along_column = grid.offset_mm
    moved = position + along_row * orientation[:3] + along_column * orientation[3:]
    return [round(float(value), 6) for value in moved]


def _reference(source: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.SOPInstanceUID
    return item
