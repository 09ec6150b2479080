"""Images of DICOM, single or as frames of one file: what their headers say, and their voxels (pydicom)."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import parse_fragments
from pydicom.pixels.utils import pixel_array

from disyre.adapters.dicom_files import DECODERS, map_dicom
from disyre.adapters.dicom_image import Image, check_pixels_described
from disyre.adapters.dicom_jpeg import checked_frames, decode_jpeg
from disyre.adapters.dicom_mosaic import Mosaic, mosaic_of, without_mosaic
from disyre.adapters.dicom_sequence import SEQUENCE_GROUPS, sequence_of, stated_number
from disyre.admission import OnWarning
from disyre.errors import UnreadableVolume, UnusableVolume
from disyre.series import Reject
from disyre.stacks import Slice
from disyre.types import Voxels
from disyre.wording import counted

_FRAME_GROUPS: Final = [
    *("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence", "FrameContentSequence"),
    *("PixelValueTransformationSequence", "MREchoSequence", "MRImageFrameTypeSequence"),
    *SEQUENCE_GROUPS,
]
"""Where an enhanced image keeps for a frame, or for all, what a single-frame image has at the top."""
_MEANING: Final = {
    "ImagePositionPatient": "where it lies in the patient",
    "ImageOrientationPatient": "how it is turned in the patient",
    "PixelSpacing": "how large its pixels are",
    "Rows": "how many rows it has",
    "Columns": "how many columns it has",
}
"""What attributes that every image needs are for."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One image: a single-frame data set, a frame of an enhanced one, or a tile of a mosaic."""

    image: Image
    """The file that it is in."""
    index: int
    header: Dataset
    """What is said of this frame, wherever it is written."""
    mosaic: Mosaic | None = None
    """What it is a tile of."""

    @property
    def dataset(self) -> Dataset:
        """What is said of all images in the file."""
        return self.image.dataset

    @property
    def is_enhanced(self) -> bool:
        return self.header is not self.dataset


def frames_of(image: Image) -> list[Frame]:
    """The images of a file. Raises UnreadableVolume or UnusableVolume, or what is wrong with the file."""
    if image.error is not None:
        raise image.error
    dataset = image.dataset
    _check_pixels(dataset)
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    n_frames = 1 if per_frame is None else len(per_frame)
    n_said = _optional_number(dataset, "NumberOfFrames") or 1
    if n_frames != n_said:
        raise UnreadableVolume(
            f"expected a description of each of as many frames as NumberOfFrames says ({n_said:g}), got "
            f"{n_frames}; export the series as single images or as Enhanced MR"
        )
    _check_length(dataset, n_frames)
    if per_frame is None:
        mosaic = mosaic_of(dataset)
        n_tiles = mosaic.facts.n_slices if mosaic else 1
        return [Frame(image, index, dataset, mosaic) for index in range(n_tiles)]
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    return [Frame(image, index, _flat([*shared, groups])) for index, groups in enumerate(per_frame)]


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
    if rows < 1 or columns < 1:
        raise UnreadableVolume(f"expected images with pixels, got one of {columns:g} x {rows:g}")
    spacing_mm = _numbers(header, "PixelSpacing", 2)
    orientation = np.array(_numbers(header, "ImageOrientationPatient", 6))
    position = np.array(_numbers(header, "ImagePositionPatient", 3))
    shape = (int(columns), int(rows))
    image_type = header.get("FrameType" if frame.is_enhanced else "ImageType")
    if frame.mosaic is not None:
        shape, image_type = frame.mosaic.shape, without_mosaic(image_type)
        position = frame.mosaic.position(
            frame.index, said=position, orientation=orientation, spacing_mm=spacing_mm
        )
    n_in_acquisition = stated_number(header, "ImagesInAcquisition")
    time = "TemporalPositionIndex" if frame.is_enhanced else "TemporalPositionIdentifier"
    return Slice(
        number=number,
        **frame.image.origin._asdict(),
        frame_of_reference=str(dataset.get("FrameOfReferenceUID")),
        shape=shape,
        spacing_mm=(spacing_mm[0], spacing_mm[1]),
        orientation=orientation,
        position=position,
        echo_time_ms=_optional_number(header, "EffectiveEchoTime" if frame.is_enhanced else "EchoTime"),
        temporal_position=_optional_number(header, time),
        image_type=tuple(image_type or ())[2:],
        n_in_acquisition=None if n_in_acquisition is None else int(n_in_acquisition),
        gap_stated_mm=stated_number(header, "SpacingBetweenSlices"),
        thickness_mm=stated_number(header, "SliceThickness"),
        sequence=sequence_of(dataset, header),
        pixels=_compared(frame),
    )


def _compared(frame: Frame) -> bytes:
    """What tells a copy of an image: its pixels; of enhanced images, no two frames are taken for copies."""
    if frame.mosaic is not None:
        return frame.mosaic.pixels_hash
    return str(frame.index).encode() if frame.is_enhanced else bytes(frame.dataset.PixelData)


def reject_of(image: Image) -> Reject:
    """An image that cannot be used, of a series. Raises why not if it does not say of which."""
    assert image.error is not None
    if not image.is_read_to_its_series:
        raise image.error
    parameters = sequence_of(image.dataset, image.dataset)
    return Reject(origin=image.origin, error=image.error, sequence=parameters)


def read_voxels(frames: Sequence[Frame], shape: tuple[int, int], on_warning: OnWarning) -> Voxels:
    """Decode frames that lie one behind another; each file is decoded once.

    What the headers call padding (PixelPaddingValue) and is not 0 becomes as dark as the darkest other voxel.
    """
    voxels = np.empty((*shape, len(frames)), dtype=np.float32, order="F")
    places: dict[int, list[int]] = defaultdict(list)
    for k, frame in enumerate(frames):
        places[id(frame.dataset)].append(k)

    def fill(ks: list[int]) -> bool:
        dataset = frames[ks[0]].dataset
        images, mosaic = _decoded(dataset), frames[ks[0]].mosaic
        images = mosaic.tiles(images) if mosaic else images.reshape(-1, shape[1], shape[0])
        is_padded = False
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and counted later
            for k in ks:
                stored = images[frames[k].index]
                voxels[:, :, k] = _rescaled(stored, frames[k].header).T
                padding = _padding(stored, dataset)
                if padding is not None:
                    missing = padding.T & (voxels[:, :, k] != 0)
                    voxels[:, :, k][missing] = np.nan
                    is_padded = is_padded or bool(missing.any())
        return is_padded

    if any(map_dicom(fill, list(places.values()))):
        _fill_padding(voxels, on_warning)
    return voxels


def least_slope(frames: Sequence[Frame]) -> float:
    """The least of the slopes by which the values of frames are scaled."""
    slopes = (_optional_number(frame.header, "RescaleSlope") for frame in frames)
    return min(1.0 if slope is None else slope for slope in slopes)


def _decoded(dataset: Dataset) -> npt.NDArray[np.number]:
    plugin = DECODERS[dataset.file_meta.TransferSyntaxUID]
    if plugin == "imagecodecs":
        return decode_jpeg(dataset)
    if plugin in ("pyjpegls", "pylibjpeg"):
        # They make room for any size, and CharLS does not come back from some frames that are cut off.
        checked_frames(dataset)
    return pixel_array(dataset, decoding_plugin=plugin)


def _padding(stored: npt.NDArray[np.number], dataset: Dataset) -> npt.NDArray[np.bool_] | None:
    """Which pixels were never measured; None if the header does not say."""
    value, limit = (dataset.get(f"PixelPadding{name}") for name in ("Value", "RangeLimit"))
    if not isinstance(value, int):
        return None
    ends = [value, limit if isinstance(limit, int) else value]
    if dataset.get("PixelRepresentation") == 1:  # some write a signed value as if it had no sign
        ends = [end - (end >= 2**15) * 2**16 for end in ends]
    return np.asarray((stored >= min(ends)) & (stored <= max(ends)))


def _fill_padding(voxels: Voxels, on_warning: OnWarning) -> None:
    padding = np.isnan(voxels)
    voxels[padding] = np.min(voxels, where=np.isfinite(voxels), initial=np.inf)
    voxels[padding & np.isinf(voxels)] = 0.0  # there is nothing but padding
    on_warning(
        f"{counted(int(np.count_nonzero(padding)), 'voxel')} set to the darkest value of the others, as the "
        "headers call them padding"
    )


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
        raise UnreadableVolume("expected images with pixels, got one without, or one that is cut off")
    check_pixels_described(dataset)
    kind = dataset.get("PhotometricInterpretation")
    if (dataset.get("SamplesPerPixel"), kind) != (1, "MONOCHROME2"):
        came = "inverted ones (MONOCHROME1)" if kind == "MONOCHROME1" else "colour"
        raise UnusableVolume(
            f"expected grey images in which higher values are brighter (MONOCHROME2), got {came}; send the "
            "images of the scanner, not a capture of them"
        )
    if dataset.get("ModalityLUTSequence"):
        raise UnusableVolume(
            "expected values that a slope and an intercept scale, got a table (Modality LUT)"
        )
    if dataset.get("HighBit") not in (None, dataset.get("BitsStored", 0) - 1):
        raise UnusableVolume(
            "expected pixel values in the lowest bits (HighBit one less than BitsStored), got others, as old "
            "programs wrote them; export the series again"
        )


def _check_length(dataset: Dataset, n_frames: int) -> None:
    """Raise UnreadableVolume if there are too few pixels, as far as that shows without decoding them."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        n_pixels = n_frames * math.prod(int(_numbers(dataset, name, 1)[0]) for name in ("Rows", "Columns"))
        n_bytes = math.ceil(n_pixels * _numbers(dataset, "BitsAllocated", 1)[0] / 8)
        if len(dataset.PixelData) < n_bytes:
            raise UnreadableVolume(
                f"expected {n_bytes} bytes of pixels, as the header says, got {len(dataset.PixelData)}: the "
                "file is cut off; export the series again"
            )
    elif DECODERS[syntax] != "pydicom":
        checked_frames(dataset)
    else:
        _check_fragments(dataset.PixelData, n_frames)


def _check_fragments(encapsulated: bytes, n_frames: int) -> None:
    """Fragments are as long as they say, and at least one for each frame."""
    n_fragments, offsets = parse_fragments(encapsulated)
    ends = [at + 8 + int.from_bytes(encapsulated[at + 4 : at + 8], "little") for at in offsets]
    if n_fragments < n_frames or max(ends) > len(encapsulated):
        raise UnreadableVolume("expected whole compressed images, got one that is cut off")


def _numbers(dataset: Dataset, keyword: str, n: int) -> tuple[float, ...]:
    """The finite numbers of an attribute. Raises UnreadableVolume if they are not `n`."""
    value = dataset.get(keyword)
    try:
        numbers = [float(number) for number in (value if n > 1 else [value])]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != n or not np.isfinite(numbers).all():
        meaning = _MEANING.get(keyword)
        if meaning is None:
            raise UnreadableVolume(f"expected {counted(n, 'number')} as {keyword}, got something else")
        raise UnreadableVolume(
            f"expected every image to say {meaning} ({keyword}, {counted(n, 'number')}), got one that does "
            "not"
        )
    return tuple(numbers)


def _optional_number(dataset: Dataset, keyword: str) -> float | None:
    return None if dataset.get(keyword) in (None, "") else _numbers(dataset, keyword, 1)[0]
