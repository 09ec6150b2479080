"""Images of DICOM, single or as frames of one file: what their headers say (pydicom)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from disyre.adapters.dicom_image import FRAME_GROUPS, Image, check_pixels_described
from disyre.adapters.dicom_jpeg import NO_SIZE, states_its_end, wrong_size
from disyre.adapters.dicom_mosaic import Mosaic, mosaic_of, without_mosaic
from disyre.adapters.dicom_numbers import numbers, optional_number
from disyre.adapters.dicom_opening import DECODERS
from disyre.adapters.dicom_pixels import Pixels
from disyre.adapters.dicom_scale import scale_of
from disyre.adapters.dicom_sequence import acquired, sequence_of, stated_number
from disyre.errors import UnreadableVolume, UnsupportedGeometry, UnusableVolume
from disyre.series import Reject
from disyre.shared_values import SharedValues
from disyre.stacks import Slice, Vector

_LARGEST_PIXEL_MM: Final = 1000.0
_LARGEST_NUMBER: Final = 1e6
"""Of cosines, and of millimetres from the origin: a kilometre."""
_IS_DERIVED: Final = {"ORIGINAL": False, "DERIVED": True}
"""By the first value of ImageType."""
_CUT: Final = "expected whole compressed images, got one that is cut off"
_BITS: Final = (1, 8, 16, 32, 64)
"""That a pixel may take, as those who decode them have it."""
_STORED: Final = (
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
)
"""What decides which values stored pixels stand for, beside the scale of the image."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One image: a single-frame data set, a frame of an enhanced one, or a tile of a mosaic."""

    image: Image
    """The file that it is in."""
    index: int
    header: Dataset
    """What is said of this frame, wherever it is written."""
    pixels_hash: bytes
    """Of all pixels in the file."""
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
    pixels = _checked_pixels(image)
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    n_frames = 1 if per_frame is None else len(per_frame)
    n_said = optional_number(dataset, "NumberOfFrames") or 1
    if n_frames != n_said:
        raise UnreadableVolume(
            f"expected a description of each of as many frames as NumberOfFrames says ({n_said:.15g}), got "
            f"{n_frames}; export the series as single images or as Enhanced MR"
        )
    _check_length(dataset, pixels, n_frames)
    if per_frame is None:
        mosaic = mosaic_of(dataset)
        n_tiles = mosaic.facts.n_slices if mosaic else 1
        return [Frame(image, index, dataset, pixels.hash, mosaic) for index in range(n_tiles)]
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    headers = [_flat([*shared, groups]) for groups in per_frame]
    return [Frame(image, index, header, pixels.hash) for index, header in enumerate(headers)]


def _flat(groups: Sequence[Dataset]) -> Dataset:
    """The attributes of functional groups in one data set; the last group that has one wins."""
    header = Dataset()
    for group in groups:
        for name in FRAME_GROUPS:
            for item in group.get(name) or []:
                header.update(item)
    return header


def slice_of(numbered: tuple[int, Frame], *, shared: SharedValues) -> Slice:
    """What decides on the place of an image, checked; `shared` has what others of the upload say as well."""
    number, frame = numbered
    dataset, header = frame.dataset, frame.header
    (rows,), (columns,) = (numbers(dataset, name, 1) for name in ("Rows", "Columns"))
    if rows < 1 or columns < 1:
        raise UnreadableVolume(f"expected images with pixels, got one of {columns:g} x {rows:g}")
    spacing_mm = _spacing_mm(header)
    orientation = _reckoned(header, "ImageOrientationPatient", 6)
    position = _reckoned(header, "ImagePositionPatient", 3)
    shape = (int(columns), int(rows))
    image_type = _words(header, "FrameType" if frame.is_enhanced else "ImageType")
    if frame.mosaic is not None:
        shape, image_type = frame.mosaic.shape, without_mosaic(image_type)
        position = frame.mosaic.position(
            frame.index, said=position, orientation=orientation, spacing_mm=spacing_mm
        )
    shared_number = partial(shared.of, "number")
    n_in_acquisition = stated_number(header, "ImagesInAcquisition")
    series_number = stated_number(dataset, "SeriesNumber", least=0.0)
    echo_time = "EffectiveEchoTime" if frame.is_enhanced else "EchoTime"
    time = "TemporalPositionIndex" if frame.is_enhanced else "TemporalPositionIdentifier"
    return Slice(
        number=number,
        **shared.of("origin", frame.image.origin)._asdict(),
        frame_of_reference=shared.of("frame of reference", str(dataset.get("FrameOfReferenceUID") or "")),
        shape=shared.of("shape", shape),
        spacing_mm=shared.of("spacing", (spacing_mm[0], spacing_mm[1])),
        orientation=shared.vector(orientation),
        position=shared.vector(position),
        echo_time_ms=shared_number(optional_number(header, echo_time)),
        temporal_position=shared_number(optional_number(header, time)),
        image_type=shared.of("kind of image", image_type[2:]),
        is_derived=_IS_DERIVED.get(image_type[0]) if image_type else None,
        n_in_acquisition=None if n_in_acquisition is None else int(n_in_acquisition),
        gap_stated_mm=shared_number(stated_number(header, "SpacingBetweenSlices")),
        thickness_mm=shared_number(stated_number(header, "SliceThickness")),
        sequence=shared.of("sequence", sequence_of(dataset, header)),
        acquired=acquired(dataset, header),
        slope=shared_number(optional_number(header, "RescaleSlope")),
        series_number=None if series_number is None else int(series_number),
        pixels=_compared(frame),
    )


def _spacing_mm(header: Dataset) -> tuple[float, ...]:
    spacing_mm = numbers(header, "PixelSpacing", 2)
    if not 0 < min(spacing_mm) <= max(spacing_mm) <= _LARGEST_PIXEL_MM:
        raise UnsupportedGeometry(
            f"expected pixels of a size above 0 mm and up to {_LARGEST_PIXEL_MM:g} mm (PixelSpacing), "
            "got {:.4g} x {:.4g} mm".format(*spacing_mm)
        )
    return spacing_mm


def _reckoned(header: Dataset, keyword: str, n: int) -> Vector:
    """Numbers of a size that can be reckoned with."""
    values = numbers(header, keyword, n)
    if max(map(abs, values)) > _LARGEST_NUMBER:
        raise UnsupportedGeometry(
            f"expected numbers up to {_LARGEST_NUMBER:g} ({keyword}), got {max(values, key=abs):.4g}"
        )
    return np.array(values)


def _words(header: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of an attribute that has text, of which there may be one, or none."""
    values = header.get(keyword) or ()
    return (values,) if isinstance(values, str) else tuple(values)


def _compared(frame: Frame) -> bytes:
    """What tells a copy of an image: a hash of its pixels and of all that says which values they stand for.

    That is of the pixels of the whole file and of which of its frames it is, so that no two frames of one
    file are taken for copies, and those of two files only if the files have the same pixels.
    """
    syntax = frame.dataset.file_meta.TransferSyntaxUID
    encoding = syntax if syntax.is_encapsulated else syntax.is_little_endian
    stored = [frame.dataset.get(name) for name in _STORED]
    facts = (frame.pixels_hash, frame.index, scale_of(frame.header), encoding, stored)
    return sha256(repr(facts).encode()).digest()


def reject_of(image: Image, *, shared: SharedValues) -> Reject:
    """An image that cannot be used, of a series, as many others may be. Raises why not if it says of none."""
    error = image.error
    assert error is not None
    if not image.is_read_to_its_series:
        raise error
    reject = Reject(
        origin=shared.of("origin", image.origin),
        error=shared.error(error),
        sequence=shared.of("sequence", sequence_of(image.dataset, image.dataset)),
    )
    return shared.of("reject", reject)


def _checked_pixels(image: Image) -> Pixels:
    """The pixels of an image, of a kind that can be used."""
    dataset = image.dataset
    if image.pixels is None:
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
    return image.pixels


def _check_length(dataset: Dataset, pixels: Pixels, n_frames: int) -> None:
    """Raise UnreadableVolume if there are too few pixels, as far as that shows without decoding them.

    And if there are far too many.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    (n_bits,) = numbers(dataset, "BitsAllocated", 1)
    if n_bits not in _BITS:
        known = ", ".join(map(str, _BITS))
        raise UnreadableVolume(f"expected pixels of {known} bits (BitsAllocated), got {n_bits:g}")
    n_pixels = n_frames * math.prod(int(numbers(dataset, name, 1)[0]) for name in ("Rows", "Columns"))
    n_bytes = math.ceil(n_pixels * n_bits / 8)
    if pixels.is_too_long:
        kind = " of compressed pixels at the most" if syntax.is_encapsulated else " of pixels"
        raise UnreadableVolume(
            f"expected about {n_bytes} bytes{kind}, as the header says (Rows, Columns, NumberOfFrames, "
            f"BitsAllocated), got {pixels.n_bytes}; export the series again"
        )
    if syntax.is_encapsulated:
        _check_fragments(dataset, pixels, n_frames)
    elif pixels.n_bytes < n_bytes:
        raise UnreadableVolume(
            f"expected {n_bytes} bytes of pixels, as the header says, got {pixels.n_bytes}: the "
            "file is cut off; export the series again"
        )


def _check_fragments(dataset: Dataset, pixels: Pixels, n_frames: int) -> None:
    """There is at least one for each frame, of its size and whole, as far as its first bytes and last show.

    Where frames are of several fragments, only the first and the last are looked at: the decoder sees to
    the others.
    """
    if len(pixels.fragments) < n_frames:
        raise UnreadableVolume(_CUT)
    syntax = dataset.file_meta.TransferSyntaxUID
    if DECODERS[syntax] == "pydicom":
        return
    is_one_each = len(pixels.fragments) == n_frames
    starts = pixels.fragments if is_one_each else pixels.fragments[:1]
    ends = pixels.fragments if is_one_each else pixels.fragments[-1:]
    for fragment in starts:
        if fragment.size is None and fragment.is_seen_to_its_end:
            raise UnreadableVolume(NO_SIZE)
        if fragment.size not in (None, (dataset.Rows, dataset.Columns, 1)):
            raise wrong_size(dataset)
    if states_its_end(syntax) and not all(fragment.has_end for fragment in ends):
        raise UnreadableVolume(_CUT)
