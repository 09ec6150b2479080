"""JPEG, JPEG-LS and JPEG 2000 in DICOM: what a frame says of itself, and JPEG as values (imagecodecs).

A decoder believes the frame, and makes room for the size that it finds there; so that is compared with the
header first. JPEG has no checksum: a frame that is damaged in its middle may decode. One that is cut off has
lost its end marker, and is refused.
"""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from disyre.errors import UnreadableVolume

_START: Final = b"\xff\xd8"
END: Final = b"\xff\xd9"
"""Of JPEG and JPEG-LS."""
_SIZES: Final = (0xC0, 0xC1, 0xC3, 0xF7)
"""Markers of baseline, extended and lossless JPEG and of JPEG-LS in front of the size of the image."""
_START_AND_SIZE_2000: Final = b"\xff\x4f\xff\x51"
_2000: Final = {*uid.JPEG2000TransferSyntaxes}
"""HTJ2K too."""

NO_SIZE: Final = "expected compressed images that begin with their size, got one without"
FrameSize: TypeAlias = tuple[int, int, int]
"""Rows, columns and colours."""


def stated_size(start: bytes, syntax: str) -> FrameSize | None:
    """The size of a compressed image that begins so; None if its beginning does not say it."""
    try:
        return _size_2000(start) if syntax in _2000 else _size(start)
    except UnreadableVolume:
        return None


def states_its_end(syntax: str) -> bool:
    """Whether a frame that is cut off has lost its end marker, and is not seen to be so by its decoder."""
    return syntax not in _2000


def wrong_size(dataset: Dataset) -> UnreadableVolume:
    """What to say of frames that are not of the size that their header says."""
    return UnreadableVolume(
        f"expected compressed images of {dataset.Columns} x {dataset.Rows} pixels, as their headers "
        "say, got others"
    )


def checked_frames(dataset: Dataset) -> list[bytes]:
    """The frames of an image, each of the size that its header says and, but for JPEG 2000, with an end.

    Raises UnreadableVolume. JPEG 2000 is left to its decoder, which sees by itself that something is missing.
    """
    n_frames = int(dataset.get("NumberOfFrames") or 1)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=n_frames))
    syntax = dataset.file_meta.TransferSyntaxUID
    for frame in frames:
        size = _size_2000(frame) if syntax in _2000 else _size(frame)
        if size != (dataset.Rows, dataset.Columns, 1):
            raise wrong_size(dataset)
        if states_its_end(syntax) and not frame.rstrip(b"\0").endswith(END):
            raise UnreadableVolume("expected whole compressed images, got one that is cut off")
    return frames


def decode_jpeg(dataset: Dataset) -> npt.NDArray[np.integer]:
    """The frames of an image in JPEG (frame, row, column), as they are stored.

    Raises UnreadableVolume, or what imagecodecs does.
    """
    import imagecodecs  # late: the API has no codecs, and decodes nothing

    frames = [imagecodecs.jpeg8_decode(frame) for frame in checked_frames(dataset)]
    return np.stack([_stored(frame, dataset) for frame in frames])


def _size(frame: bytes) -> FrameSize:
    """Rows, columns and colours of an image in JPEG or JPEG-LS. Raises UnreadableVolume."""
    place = len(_START)
    while frame.startswith(_START) and place + 10 <= len(frame) and frame[place] == 0xFF:
        marker, length = frame[place + 1], _number(frame, place + 2, 2)
        if marker in _SIZES:
            return _number(frame, place + 5, 2), _number(frame, place + 7, 2), frame[place + 9]
        place += 1 if marker == 0xFF else 2 + length  # a marker may have more than one 0xFF in front
    raise UnreadableVolume(NO_SIZE)


def _size_2000(frame: bytes) -> FrameSize:
    """The same of JPEG 2000, which some wrap into a file format of its own."""
    place = frame.find(_START_AND_SIZE_2000) + 8
    if place < 8 or len(frame) < place + 34:
        raise UnreadableVolume(NO_SIZE)
    right, bottom, left, top = (_number(frame, place + at, 4) for at in (0, 4, 8, 12))
    return bottom - top, right - left, _number(frame, place + 32, 2)


def _number(frame: bytes, place: int, n_bytes: int) -> int:
    return int.from_bytes(frame[place : place + n_bytes], "big")


def _stored(image: npt.NDArray[np.unsignedinteger], dataset: Dataset) -> npt.NDArray[np.integer]:
    """Without what is in bits that are not used, and with a sign if there is to be one."""
    unused = max(0, 8 * image.itemsize - dataset.BitsStored)
    is_signed = dataset.PixelRepresentation == 1
    values = image.view(image.dtype.str.replace("u", "i")) if is_signed else image
    return np.asarray((values << unused) >> unused)
