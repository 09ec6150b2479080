"""Images of DICOM, single or as frames of one file: what their headers say, and their voxels (pydicom)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from disyre.adapters.dicom_files import DECODERS, map_dicom
from disyre.adapters.dicom_sequence import SEQUENCE_GROUPS, sequence_of
from disyre.errors import UnreadableVolume, UnusableVolume
from disyre.stacks import Slice
from disyre.types import Voxels

_FRAME_GROUPS: Final = [
    *("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence", "FrameContentSequence"),
    *("PixelValueTransformationSequence", "MREchoSequence", "MRImageFrameTypeSequence"),
    *SEQUENCE_GROUPS,
]
"""Where an enhanced image keeps for a frame, or for all, what a single-frame image has at the top."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One image: a single-frame data set, or a frame of an enhanced one."""

    dataset: Dataset
    index: int
    header: Dataset
    """What is said of this frame, wherever it is written."""

    @property
    def is_enhanced(self) -> bool:
        return self.header is not self.dataset


def frames_of(dataset: Dataset) -> list[Frame]:
    """The images of a file. Raises UnreadableVolume or UnusableVolume."""
    _check_pixels(dataset)
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    n_frames = 1 if per_frame is None else len(per_frame)
    n_said = _optional_number(dataset, "NumberOfFrames") or 1
    if n_frames != n_said:
        raise UnreadableVolume(f"expected as many frames as NumberOfFrames says ({n_said:g}), got {n_frames}")
    if per_frame is None:
        return [Frame(dataset, 0, dataset)]
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    return [Frame(dataset, index, _flat([*shared, groups])) for index, groups in enumerate(per_frame)]


def _flat(groups: Sequence[Dataset]) -> Dataset:
    """The attributes of functional groups in one data set; the last group that has one wins."""
    header = Dataset()
    for group in groups:
        for name in _FRAME_GROUPS:
            for item in group.get(name) or []:
                header.update(item)
    return header


def slice_of(numbered: tuple[int, Frame]) -> Slice:
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
        sequence=sequence_of(dataset, header),
        # Of enhanced images, no two frames are taken for copies.
        pixels=str(frame.index).encode() if frame.is_enhanced else dataset.PixelData,
    )


def read_voxels(frames: Sequence[Frame], shape: tuple[int, int]) -> Voxels:
    """Decode frames that lie one behind another; each file is decoded once."""
    voxels = np.empty((*shape, len(frames)), dtype=np.float32, order="F")
    places: dict[int, list[int]] = defaultdict(list)
    for k, frame in enumerate(frames):
        places[id(frame.dataset)].append(k)

    def fill(ks: list[int]) -> None:
        dataset = frames[ks[0]].dataset
        plugin = DECODERS[dataset.file_meta.TransferSyntaxUID]
        images = pixel_array(dataset, decoding_plugin=plugin).reshape(-1, shape[1], shape[0])
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and counted later
            for k in ks:
                voxels[:, :, k] = _rescaled(images[frames[k].index], frames[k].header).T

    map_dicom(fill, list(places.values()))
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
