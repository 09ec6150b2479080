"""DICOM instances -> Volume, or a refusal that says why (pydicom).

What is not DICOM is ignored, and so is DICOM that is no MR image, as long as there are MR images. Only the
attributes that are needed are read, so nothing that names a patient gets into memory as text. Single-frame
images and the frames of enhanced images go the same way: `disyre.stacks` sorts them out and
`dicom_geometry` says where the volume lies; the world changes from LPS to RAS here.

Voxels come out as (column, row, slice), which is the order in which NIfTI files are usually stored.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import config, uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.pixels.utils import pixel_array
from pydicom.tag import BaseTag

from disyre import admission, geometry, stacks
from disyre.adapters import dicom_geometry
from disyre.admission import MAX_VOXELS, OnWarning
from disyre.candidate import Candidate
from disyre.containment import map_untrusted
from disyre.errors import (
    InvalidInput,
    MultipleVolumes,
    NotAnImage,
    NotBrainMr,
    UnreadableVolume,
    UnsupportedTransferSyntax,
    UnusableVolume,
)
from disyre.stacks import Slice
from disyre.types import Voxels
from disyre.volume import Volume
from disyre.wording import counted

_MR: Final = {uid.MRImageStorage, uid.EnhancedMRImageStorage, uid.LegacyConvertedEnhancedMRImageStorage}
_DECODERS: Final[dict[str, str]] = {
    uid.ImplicitVRLittleEndian: "",
    uid.ExplicitVRLittleEndian: "",
    uid.ExplicitVRBigEndian: "",
    uid.RLELossless: "pydicom",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
    uid.HTJ2KLossless: "pylibjpeg",
    uid.HTJ2KLosslessRPCL: "pylibjpeg",
    uid.HTJ2K: "pylibjpeg",
    uid.JPEGBaseline8Bit: "gdcm",
    uid.JPEGExtended12Bit: "gdcm",
    uid.JPEGLossless: "gdcm",
    uid.JPEGLosslessSV1: "gdcm",
}
"""Transfer syntaxes that are read, and what decodes each; never left to what happens to be installed.

Deflated data sets are not among them: they inflate without a bound as soon as they are parsed.
"""
_ATTRIBUTES: Final = [
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "ImageType", "EchoTime"),
    *("TemporalPositionIdentifier", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PixelData"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
]
_FRAME_GROUPS: Final = [
    *("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence", "FrameContentSequence"),
    *("PixelValueTransformationSequence", "MREchoSequence", "MRImageFrameTypeSequence"),
]
"""Where an enhanced image keeps for a frame, or for all, what a single-frame image has at the top."""
_PIXELS: Final = 0x7FE00010
_BATCH: Final = 64
"""Files that are looked at together."""
_MOST_LISTED: Final = 50
"""Candidates in one refusal."""
_MAX_VALUE_BYTES: Final = 1024
"""Of one attribute, the pixels excepted; what is longer is an attack on the parser."""

_T = TypeVar("_T")
_R = TypeVar("_R")


def read_dicom(
    instances: Iterable[bytes | Path],
    *,
    max_voxels: int = MAX_VOXELS,
    series: str | None = None,
    on_warning: OnWarning = admission.ignore,
) -> Volume:
    """Read the one volume that DICOM files hold, with rescale slope and intercept applied.

    Of several, `series` picks one by its SeriesInstanceUID. `on_warning` is told what was left out.
    Raises NotAnImage, NotBrainMr, UnsupportedTransferSyntax, UnreadableVolume, TooLarge, UnusableVolume
    or one of its subclasses.
    """
    with config.disable_value_validation():  # its warnings quote what is in the header
        found = _sort([_content(instance) for instance in instances])
        if not found.images:
            raise _no_images(found)
        _warn_of_others(found, on_warning)
        datasets = _map(_parse, found.images)
        frames = [frame for of_image in _map(_frames, datasets) for frame in of_image]
        stack = stacks.find_volume(_map(_slice, list(enumerate(frames))), on_warning, series=series)
        admission.check_size((len(frames), *stack[0].shape), max_voxels=max_voxels)
        affine = dicom_geometry.affine(stack)
        voxels = _read_voxels([frames[image.number] for image in stack], stack[0].shape)
    admission.fill_non_finite(voxels, on_warning)
    return Volume(voxels=voxels, affine=geometry.ras_to_lps(affine))


def inspect_dicom(instances: Iterable[bytes | Path], on_warning: OnWarning) -> list[Candidate]:
    """The volumes that DICOM files hold, the largest first, each with what keeps it from being scored.

    Files are looked at one after the other, and no pixels are kept. Raises NotAnImage, NotBrainMr,
    UnsupportedTransferSyntax or UnreadableVolume if they are no MR images, or broken.
    """
    slices = _header_slices(instances, on_warning)
    return [_candidate(stack, on_warning) for stack in stacks.split(slices)]


def check_dicom(
    instances: Iterable[bytes | Path], *, max_voxels: int = MAX_VOXELS, series: str | None = None
) -> None:
    """Check by their headers that DICOM files hold one volume that can be read.

    Raises what `read_dicom` raises; MultipleVolumes has all candidates with it.
    """
    slices = _header_slices(instances, admission.ignore)
    try:
        stack = stacks.find_volume(slices, admission.ignore, series=series)
    except MultipleVolumes as error:
        candidates = [_candidate(stack, admission.ignore) for stack in stacks.split(slices)[:_MOST_LISTED]]
        raise MultipleVolumes(f"{error}; the option series_uid picks one", candidates) from error
    admission.check_size((len(stack), *stack[0].shape), max_voxels=max_voxels)
    dicom_geometry.affine(stack)


def _header_slices(instances: Iterable[bytes | Path], on_warning: OnWarning) -> list[Slice]:
    """What the headers of all MR images among some files say; of pixels, their hash."""
    slices: list[Slice] = []
    all_sorted = _Sorted([], 0, [])
    with config.disable_value_validation():
        for batch in _batches(instances):
            found = _sort(batch)
            frames = [frame for of_image in _map(_frames, _map(_parse, found.images)) for frame in of_image]
            slices += _map(_slice_without_pixels, list(enumerate(frames, start=len(slices))))
            all_sorted.n_not_dicom += found.n_not_dicom
            all_sorted.not_mr += found.not_mr
    if not slices:
        raise _no_images(all_sorted)
    _warn_of_others(all_sorted, on_warning)
    return slices


def _batches(instances: Iterable[bytes | Path]) -> Iterator[list[bytes]]:
    """The contents of files, so many at a time that threads are worth their while."""
    remaining = iter(instances)
    while batch := [_content(instance) for instance in islice(remaining, _BATCH)]:
        yield batch


def _candidate(stack: stacks.Stack, on_warning: OnWarning) -> Candidate:
    facts = {"series_uid": stack[0].series, "description": stacks.describe(stack), "n": len(stack)}
    try:
        ordered = stacks.in_order(stack, on_warning)
        affine = geometry.ras_to_lps(dicom_geometry.affine(ordered))
    except InvalidInput as error:
        return Candidate(
            **facts, shape=None, spacing_mm=None, orientation=None, code=error.code, reason=str(error)
        )
    return Candidate(
        **facts,
        shape=(*ordered[0].shape, len(ordered)),
        spacing_mm=geometry.spacing_mm(affine),
        orientation=geometry.orientation(affine),
    )


def _content(instance: bytes | Path) -> bytes:
    return instance.read_bytes() if isinstance(instance, Path) else instance


@dataclass
class _Sorted:
    """Files, by what they are."""

    images: list[bytes]
    """MR images, in a transfer syntax that is read."""
    n_not_dicom: int
    not_mr: list[str]
    """Of DICOM that is no MR image, what it is."""


def _sort(contents: Sequence[bytes]) -> _Sorted:
    """Sort files out by their first bytes and their file meta information; nothing else is parsed.

    Raises UnsupportedTransferSyntax or UnreadableVolume.
    """
    dicom = [content for content in contents if content[128:132] == b"DICM"]
    metas = _map(_meta, dicom)
    images = [(content, meta) for content, meta in zip(dicom, metas, strict=True) if meta.sop_class in _MR]
    for syntax in {meta.transfer_syntax for _, meta in images}:
        if syntax not in _DECODERS:
            raise UnsupportedTransferSyntax(
                f"expected images that are uncompressed, RLE, JPEG, JPEG-LS or JPEG 2000, got {_name(syntax)}"
            )
    not_mr = [_name(meta.sop_class) for meta in metas if meta.sop_class not in _MR]
    return _Sorted([content for content, _ in images], len(contents) - len(dicom), not_mr)


def _no_images(found: _Sorted) -> InvalidInput:
    """Why there is nothing to read."""
    if found.not_mr:
        return NotBrainMr(f"expected MR images, got {', '.join(sorted(set(found.not_mr))[:5])}")
    return NotAnImage(f"expected DICOM files, got {counted(found.n_not_dicom, 'file')} of another kind")


def _warn_of_others(found: _Sorted, on_warning: OnWarning) -> None:
    if found.n_not_dicom:
        on_warning(f"{counted(found.n_not_dicom, 'file')} left out, as not DICOM")
    if found.not_mr:
        on_warning(f"{counted(len(found.not_mr), 'DICOM file')} left out, as not MR")


def _name(value: str) -> str:
    """What the standard calls a UID; others are not repeated."""
    name = uid.UID(value).name
    return "an unknown kind" if name == value else name


@dataclass(frozen=True)
class _Meta:
    """What comes in front of a data set."""

    sop_class: str
    transfer_syntax: str


def _meta(content: bytes) -> _Meta:
    file = BytesIO(content)
    file.seek(132)
    meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_is_behind_meta)
    return _Meta(str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))


def _is_behind_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group != 2


def _parse(content: bytes) -> Dataset:
    dataset = pydicom.dcmread(BytesIO(content), specific_tags=_ATTRIBUTES)
    for element in dataset.values():
        is_short = (
            element.tag == _PIXELS or element.VR == "SQ" or len(element.value or b"") <= _MAX_VALUE_BYTES
        )
        if isinstance(element, RawDataElement) and not is_short:
            raise UnreadableVolume(f"expected short attributes, got one of {element.length} bytes")
    return dataset


@dataclass(frozen=True, eq=False)
class _Frame:
    """One image: a single-frame data set, or a frame of an enhanced one."""

    dataset: Dataset
    index: int
    header: Dataset
    """What is said of this frame, wherever it is written."""

    @property
    def is_enhanced(self) -> bool:
        return self.header is not self.dataset


def _frames(dataset: Dataset) -> list[_Frame]:
    _check_pixels(dataset)
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    n_frames = 1 if per_frame is None else len(per_frame)
    n_said = _optional_number(dataset, "NumberOfFrames") or 1
    if n_frames != n_said:
        raise UnreadableVolume(f"expected as many frames as NumberOfFrames says ({n_said:g}), got {n_frames}")
    if per_frame is None:
        return [_Frame(dataset, 0, dataset)]
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    return [_Frame(dataset, index, _flat([*shared, groups])) for index, groups in enumerate(per_frame)]


def _flat(groups: Sequence[Dataset]) -> Dataset:
    """The attributes of functional groups in one data set; the last group that has one wins."""
    header = Dataset()
    for group in groups:
        for name in _FRAME_GROUPS:
            for item in group.get(name) or []:
                header.update(item)
    return header


def _slice(numbered: tuple[int, _Frame]) -> Slice:
    """What decides on the place of an image, checked."""
    number, frame = numbered
    dataset, header = frame.dataset, frame.header
    (rows,), (columns,) = (_numbers(dataset, name, 1) for name in ("Rows", "Columns"))
    between_rows, between_columns = _numbers(header, "PixelSpacing", 2)
    time = "TemporalPositionIndex" if frame.is_enhanced else "TemporalPositionIdentifier"
    return Slice(
        number=number,
        series=str(dataset.get("SeriesInstanceUID")),
        frame_of_reference=str(dataset.get("FrameOfReferenceUID")),
        shape=(int(columns), int(rows)),
        spacing_mm=(between_rows, between_columns),
        orientation=np.array(_numbers(header, "ImageOrientationPatient", 6)),
        position=np.array(_numbers(header, "ImagePositionPatient", 3)),
        echo_time_ms=_optional_number(header, "EffectiveEchoTime" if frame.is_enhanced else "EchoTime"),
        temporal_position=_optional_number(header, time),
        image_type=tuple(header.get("FrameType" if frame.is_enhanced else "ImageType") or ())[2:],
        # Of enhanced images, no two frames are taken for copies.
        pixels=str(frame.index).encode() if frame.is_enhanced else dataset.PixelData,
    )


def _slice_without_pixels(numbered: tuple[int, _Frame]) -> Slice:
    image = _slice(numbered)
    return replace(image, pixels=sha256(image.pixels).digest())


def _read_voxels(frames: Sequence[_Frame], shape: tuple[int, int]) -> Voxels:
    """Decode frames that lie one behind another; each file is decoded once."""
    voxels = np.empty((*shape, len(frames)), dtype=np.float32, order="F")
    places: dict[int, list[int]] = defaultdict(list)
    for k, frame in enumerate(frames):
        places[id(frame.dataset)].append(k)

    def fill(ks: list[int]) -> None:
        dataset = frames[ks[0]].dataset
        plugin = _DECODERS[dataset.file_meta.TransferSyntaxUID]
        images = pixel_array(dataset, decoding_plugin=plugin).reshape(-1, shape[1], shape[0])
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and counted later
            for k in ks:
                voxels[:, :, k] = _rescaled(images[frames[k].index], frames[k].header).T

    _map(fill, list(places.values()))
    return voxels


def _rescaled(image: npt.NDArray[np.number], header: Dataset) -> npt.NDArray[np.number]:
    slope = _optional_number(header, "RescaleSlope")
    intercept = _optional_number(header, "RescaleIntercept")
    if slope == 0:
        raise UnreadableVolume("expected a rescale slope other than 0")
    if slope in (None, 1.0) and intercept in (None, 0.0):
        return image
    return np.asarray(image * (1.0 if slope is None else slope) + (intercept or 0.0))


def _check_pixels(dataset: Dataset) -> None:
    if "PixelData" not in dataset:
        raise UnreadableVolume("expected images with pixels, got one without")
    if (dataset.get("SamplesPerPixel"), dataset.get("PhotometricInterpretation")) != (1, "MONOCHROME2"):
        raise UnusableVolume("expected images in grey whose higher values are brighter (MONOCHROME2)")


def _numbers(dataset: Dataset, keyword: str, n: int) -> tuple[float, ...]:
    """The finite numbers of an attribute. Raises UnreadableVolume if they are not `n`."""
    value = dataset.get(keyword)
    try:
        numbers = [float(number) for number in (value if n > 1 else [value])]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != n or not np.isfinite(numbers).all():
        raise UnreadableVolume(f"expected {n} numbers as {keyword} in every image")
    return tuple(numbers)


def _optional_number(dataset: Dataset, keyword: str) -> float | None:
    return None if dataset.get(keyword) in (None, "") else _numbers(dataset, keyword, 1)[0]


def _map(function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    return map_untrusted(
        function, items, refusal="expected whole DICOM images, got one that is truncated or damaged"
    )
