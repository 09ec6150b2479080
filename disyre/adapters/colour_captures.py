"""The map in colour over the scan, as DICOM Secondary Captures for viewers that know no maps (PS3.3 A.8.1).

One image for each slice of the scan, at its place, with square pixels, and with a strip of text below it.
Colours are those of the preview: they depend on the threshold alone, and what lies below it is not coloured.
"""

import math
import zipfile
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from highdicom.sc import SCImage
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from disyre.adapters.capture_stamp import PALETTE, CaptureStamp, ends_of
from disyre.adapters.derived_dicom import DerivedDicom
from disyre.adapters.map_colours import MapColours
from disyre.progress import OnStep, go_on
from disyre.volume import Volume

_LEAST_EDGE: Final = 448
"""Pixels along the longer edge, so that text can be read beside the head."""
_DEFLATED: Final = 1


def write_colour_captures(
    path: Path,
    derived: DerivedDicom,
    volume: Volume,
    anomaly_map: Volume,
    colours: MapColours,
    *,
    warnings: Sequence[str] = (),
    on_step: OnStep = go_on,
) -> None:
    """Write a zip of all images, in the order of the slices; `on_step` is called after each.

    Of `warnings` each image says how many there are, and the first.
    """
    with zipfile.ZipFile(path, "w") as archive:
        images = colour_captures(derived, volume, anomaly_map, colours, warnings)
        for number, image in enumerate(images, start=1):
            content = BytesIO()
            image.save_as(content, enforce_file_format=True)
            member = _member(f"{number:04d}.dcm", derived)
            archive.writestr(member, content.getvalue(), compresslevel=_DEFLATED)
            on_step()


def _member(name: str, derived: DerivedDicom) -> zipfile.ZipInfo:
    """A file of the time of the results, not of now: so the zip is always the same."""
    member = zipfile.ZipInfo(name, derived.made_at.timetuple()[:6])
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def colour_captures(
    derived: DerivedDicom,
    volume: Volume,
    anomaly_map: Volume,
    colours: MapColours,
    warnings: Sequence[str] = (),
) -> Iterator[Dataset]:
    """An image for each slice of a scan, (column, row, slice), in their order."""
    grid = _Grid.of(derived)
    model = f"{derived.model.name}/{derived.model.version}"
    stamp = CaptureStamp(grid.shape, derived.series.orientation, model, colours, warnings)
    captures = _Captures(derived, grid, n_rows=grid.shape[1] + stamp.n_rows)
    for index in range(volume.shape[2]):
        scan, values = volume.voxels[:, :, index].T, anomaly_map.voxels[:, :, index].T
        grey = grid.resampled(np.clip(255 * colours.grey(scan), 0, 255), Image.Resampling.BILINEAR)
        picture = np.repeat(grey.round().astype(np.uint8)[:, :, None], 3, axis=2)
        near = grid.resampled(values, Image.Resampling.NEAREST)
        above = near > colours.threshold
        shades = np.clip(255 * colours.colour(near[above]), 0, 255).astype(np.uint8)
        picture[above] = PALETTE[shades]
        yield captures.of(stamp.on(picture), index)


@dataclass(frozen=True)
class _Grid:
    """Where the pixels of the pictures lie: square ones in the field of view of the slices."""

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


class _Captures:
    """Makes an image for each slice, of one that has all that is the same in all."""

    def __init__(self, derived: DerivedDicom, grid: _Grid, *, n_rows: int) -> None:
        self._derived = derived
        self._grid = grid
        source = derived.images[0]
        _, right, _, bottom = ends_of(derived.series.orientation)
        self._same = SCImage.from_ref_dataset(
            ref_dataset=source,
            pixel_array=np.zeros((n_rows, grid.shape[0], 3), dtype=np.uint8),
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
