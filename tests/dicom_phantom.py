"""DICOM series of an analytic phantom: each voxel's value is a linear function of its place in the patient.

So every voxel says whether the affine that a reader gives is right. The default is a small axial series.
"""

import math
import struct
from collections.abc import Callable, Sequence
from copy import deepcopy
from io import BytesIO
from typing import Any, Final

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom import config, uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from disyre import geometry
from disyre.volume import Volume

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
AXIAL_REVERSED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
DOUBLE_OBLIQUE = (
    0.813797681349,
    0.469846310393,
    0.342020143326,
    -0.559624631018,
    0.792255640287,
    0.243210346802,
)
"""Turned by 15, -20 and 30 degrees."""

_SLOPES = np.array([37.0, 53.0, 71.0])
"""Change of the value for each mm to the left, to the back and up."""
_AT_ORIGIN = 30_000.0
_ENCODERS: Final[dict[str, Callable[[npt.NDArray[Any]], bytes]]] = {
    uid.JPEGLossless: lambda plane: _jpeg(plane, lossless=True, predictor=6),
    uid.JPEGLosslessSV1: lambda plane: _jpeg(plane, lossless=True, predictor=1),
    uid.HTJ2KLossless: lambda plane: bytes(imagecodecs.htj2k_encode(plane, reversible=True)),
    uid.JPEGBaseline8Bit: lambda plane: _jpeg(plane, level=95),
    uid.JPEGExtended12Bit: lambda plane: _jpeg(
        plane, level=95, bitspersample=12 if plane.itemsize == 2 else 8
    ),
}
"""Of transfer syntaxes that pydicom does not write: a plane (rows, columns) to its bytes."""

_SERIES = generate_uid(entropy_srcs=["phantom"])
_FRAME_OF_REFERENCE = generate_uid(entropy_srcs=["frame of reference"])


def phantom_values(points_lps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The phantom at points in the patient (LPS, mm)."""
    return np.asarray(points_lps @ _SLOPES + _AT_ORIGIN)


def make_series(
    n_slices: int = 6,
    *,
    shape: tuple[int, int] = (9, 7),
    spacing_mm: tuple[float, float] = (1.5, 2.0),
    gap_mm: float = 3.0,
    orientation: Sequence[float] = AXIAL,
    origin: npt.ArrayLike = (-20.0, 10.0, 30.0),
    positions: Sequence[npt.ArrayLike] | None = None,
    slope: float = 1.0,
    intercept: float = 0.0,
    **attributes: Any,
) -> list[FileDataset]:
    """Single-frame MR images. `shape` is columns, rows; `spacing_mm` is between rows, between columns."""
    normal = np.cross(orientation[:3], orientation[3:])
    if positions is None:
        positions = [np.asarray(origin) + k * gap_mm * normal for k in range(n_slices)]
    series = []
    for number, position in enumerate(positions, start=1):
        image = _empty_image(shape, MRImageStorage)
        image.InstanceNumber = number
        image.PixelSpacing = list(spacing_mm)
        image.ImageOrientationPatient = [float(f"{cosine:.12g}") for cosine in orientation]
        image.ImagePositionPatient = [float(f"{mm:.12g}") for mm in np.asarray(position)]
        image.RescaleSlope, image.RescaleIntercept = slope, intercept
        values = _plane(np.asarray(position), np.asarray(orientation), shape, spacing_mm)
        image.PixelData = np.round((values - intercept) / slope).astype("<i8").astype("<u2").tobytes()
        with config.disable_value_validation():
            for name, value in attributes.items():
                image.pop(name, None)  # an element remembers that its values are to be validated
                setattr(image, name, value)
        series.append(image)
    return series


def make_enhanced(series: Sequence[Dataset], **per_frame: Sequence[float]) -> FileDataset:
    """A series as one enhanced MR image; `per_frame` are the times or echo times of its frames."""
    first = series[0]
    image = _empty_image((first.Columns, first.Rows), EnhancedMRImageStorage)
    image.NumberOfFrames = len(series)
    image.PixelData = b"".join(frame.PixelData for frame in series)
    measures, orientation, transformation, shared = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = first.PixelSpacing
    orientation.ImageOrientationPatient = first.ImageOrientationPatient
    transformation.RescaleSlope, transformation.RescaleIntercept = first.RescaleSlope, first.RescaleIntercept
    transformation.RescaleType = "US"
    shared.PixelMeasuresSequence = Items([measures])
    shared.PlaneOrientationSequence = Items([orientation])
    shared.PixelValueTransformationSequence = Items([transformation])
    image.SharedFunctionalGroupsSequence = Items([shared])
    image.PerFrameFunctionalGroupsSequence = Items(
        [
            _groups(frame, {name: values[k] for name, values in per_frame.items()})
            for k, frame in enumerate(series)
        ]
    )
    return image


def make_mosaic(
    series: Sequence[Dataset], *, gap_mm: float = 3.0, csa: bytes | None = None, block: int = 0x10
) -> FileDataset:
    """A series as the tiles of one image, as Siemens stores it; `csa` is in place of its private header."""
    first, side = series[0], math.isqrt(len(series) - 1) + 1
    orientation = np.array(first.ImageOrientationPatient, dtype=np.float64)
    between_rows, between_columns = first.PixelSpacing
    columns, rows = first.Columns, first.Rows
    image = _empty_image((side * columns, side * rows), MRImageStorage)
    image.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    image.PixelSpacing, image.ImageOrientationPatient = first.PixelSpacing, first.ImageOrientationPatient
    image.SpacingBetweenSlices = gap_mm
    # The mosaic has the centre of its first tile.
    along = orientation[:3] * between_columns * columns + orientation[3:] * between_rows * rows
    corner = np.array(first.ImagePositionPatient, dtype=np.float64) - along * (side - 1) / 2
    image.ImagePositionPatient = [float(f"{mm:.12g}") for mm in corner]
    pixels = np.zeros((side, rows, side, columns), "<u2")
    for k, tile in enumerate(series):
        pixels[k // side, :, k % side] = np.frombuffer(tile.PixelData, "<u2").reshape(rows, columns)
    image.PixelData = pixels.tobytes()
    way = np.array(series[1].ImagePositionPatient) - np.array(first.ImagePositionPatient)
    header = csa_header(len(series), way / np.linalg.norm(way)) if csa is None else csa
    image.add_new(0x00290000 + block, "LO", "SIEMENS CSA HEADER")
    image.add_new(0x00290010 + 0x100 * block, "OB", header + bytes(len(header) % 2))
    return image


def csa_header(n_slices: int | None, normal: Sequence[float] | npt.NDArray[np.float64]) -> bytes:
    """The private header of Siemens with what it says of a mosaic."""
    count = [] if n_slices is None else [str(n_slices)]
    tags = [
        ("NumberOfImagesInMosaic", "US", count),
        ("SliceNormalVector", "FD", [f"{x:.8f}" for x in normal]),
    ]
    content = b"SV10\4\3\2\1" + struct.pack("<2I", len(tags), 77)
    for name, vr, values in tags:
        content += struct.pack("<64si4s3i", name.encode(), len(values), vr.encode(), 0, len(values), 77)
        for value in values:
            text = value.encode() + b"\0"
            content += struct.pack("<4i", len(text), len(text), 77, len(text)) + text + bytes(-len(text) % 4)
    return content


def in_bytes(series: list[FileDataset]) -> list[FileDataset]:
    """The same images with values of 8 bits, of which they may have no more."""
    for image in series:
        pixels = np.frombuffer(image.PixelData, "<u2").astype("u1").tobytes()
        image.PixelData = pixels + bytes(len(pixels) % 2)
        image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    return series


def encoded(images: Sequence[FileDataset], syntax: UID = ExplicitVRLittleEndian) -> list[bytes]:
    """The images as the bytes of DICOM files."""
    return [_encoded(image, syntax) for image in images]


def assert_is_phantom(volume: Volume, *, tolerance: float = 0.51) -> None:
    """Every voxel has the value of the place where the affine puts it, but for rounding."""
    indices = np.indices(volume.shape).reshape(3, -1).T.astype(np.float64)
    points = geometry.apply_affine(geometry.ras_to_lps(volume.affine), indices)
    difference = np.abs(phantom_values(points).reshape(volume.shape) - volume.voxels).max()
    assert difference <= tolerance, f"voxels are off by up to {difference}"


def _plane(
    position: npt.NDArray[np.float64],
    orientation: npt.NDArray[np.float64],
    shape: tuple[int, int],
    spacing_mm: tuple[float, float],
) -> npt.NDArray[np.float64]:
    """The phantom in one image (rows, columns), by the equation of the DICOM standard (PS3.3 C.7.6.2.1.1)."""
    columns, rows = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]))
    along_row = orientation[:3] * spacing_mm[1]
    along_column = orientation[3:] * spacing_mm[0]
    return phantom_values(position + columns[..., None] * along_row + rows[..., None] * along_column)


def _empty_image(shape: tuple[int, int], sop_class: UID) -> FileDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0  # filled in when it is written
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    image.SOPClassUID, image.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    image.SeriesInstanceUID, image.FrameOfReferenceUID = _SERIES, _FRAME_OF_REFERENCE
    image.StudyInstanceUID = _SERIES
    image.Modality = "MR"
    image.PatientName = "CANARY^NAME"
    image.SeriesDescription = "CANARY description"
    image.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    image.Columns, image.Rows = shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.add_new("PixelData", "OW", b"")
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    return image


def _groups(frame: Dataset, content: dict[str, float]) -> Dataset:
    position, frame_content, echo, groups = Dataset(), Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = frame.ImagePositionPatient
    groups.PlanePositionSequence = Items([position])
    if "TemporalPositionIndex" in content:
        frame_content.TemporalPositionIndex = int(content["TemporalPositionIndex"])
        groups.FrameContentSequence = Items([frame_content])
    if "EffectiveEchoTime" in content:
        echo.EffectiveEchoTime = content["EffectiveEchoTime"]
        groups.MREchoSequence = Items([echo])
    return groups


def _encoded(image: FileDataset, syntax: UID) -> bytes:
    buffer = BytesIO()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax.is_encapsulated else syntax
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    if syntax in _ENCODERS:
        image = _encapsulated(image, syntax)
    elif syntax.is_encapsulated:
        image.compress(syntax, generate_instance_uid=False)
    with config.disable_value_validation():  # tests write what the standard does not allow
        dcmwrite(
            buffer,
            image,
            implicit_vr=syntax.is_implicit_VR,
            little_endian=syntax.is_little_endian,
            force_encoding=True,
        )
    return buffer.getvalue()


def _encapsulated(image: FileDataset, syntax: UID) -> FileDataset:
    planes = image.pixel_array.reshape(-1, image.Rows, image.Columns)
    copy = deepcopy(image)
    copy.file_meta.TransferSyntaxUID = syntax
    copy.PixelData = encapsulate([_ENCODERS[syntax](np.ascontiguousarray(plane)) for plane in planes])
    copy["PixelData"].is_undefined_length, copy["PixelData"].VR = True, "OB"
    return copy


def _jpeg(plane: npt.NDArray[Any], **options: Any) -> bytes:
    """JPEG knows no signs."""
    unsigned = plane.view(plane.dtype.str.replace("i", "u"))
    return bytes(imagecodecs.jpeg8_encode(unsigned, **{"bitspersample": 8 * plane.itemsize, **options}))
