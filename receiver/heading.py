"""What a DICOM image says of itself and its series; read in pieces, so that no header takes much memory."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag

from disyre.adapters.dicom_header import META, SYNTAX, HeaderReader, Wanted
from disyre.adapters.dicom_opening import DECODERS
from disyre.adapters.dicom_source import PIECE_BYTES, Source
from disyre.eligibility import SeriesFacts
from disyre.errors import DisyreError, UnreadableVolume

_NAMES: Final = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SpecificCharacterSet"),
    *("Modality", "SeriesDescription", "SliceThickness", "NumberOfFrames"),
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"),
)
_GROUPS: Final = {int(Tag("SharedFunctionalGroupsSequence")), int(Tag("PixelMeasuresSequence"))}
_WANTED: Final = Wanted(
    tags=frozenset(int(Tag(name)) for name in _NAMES),
    sequences=_GROUPS,
    nested={int(Tag("PixelMeasuresSequence")), int(Tag("SliceThickness"))},
)
_PREAMBLE_BYTES: Final = 132


class NotAnImage(DisyreError):
    """What came is no whole image."""

    code = "not-an-image"


@dataclass(frozen=True)
class Heading:
    """What is needed of an image."""

    sop_class: str
    sop_instance: str
    study: str
    series: str
    modality: str
    description: str
    n_frames: int
    thickness_mm: float | None


def read_heading(path: Path) -> Heading:
    """The heading of a DICOM file whose pixels are all there. Raises NotAnImage, or OSError."""
    with path.open("rb") as file:
        source = Source(iter(partial(file.read, PIECE_BYTES), b""))
        source.skip(_PREAMBLE_BYTES)
        try:
            return _heading(_dataset(source))
        except UnreadableVolume as error:
            raise NotAnImage(str(error)) from None
        except (OSError, NotAnImage):
            raise
        except Exception as error:  # pydicom raises all kinds at what is damaged, and quotes it
            raise NotAnImage(
                f"expected a DICOM image, got one that is damaged ({type(error).__name__})"
            ) from None


def facts_of(headings: Iterable[Heading]) -> SeriesFacts:
    """What the rules look at, of a series with one image or more."""
    every = list(headings)
    first = every[0]
    thickness = next((each.thickness_mm for each in every if each.thickness_mm is not None), None)
    return SeriesFacts(first.modality, first.description, sum(each.n_frames for each in every), thickness)


def _dataset(source: Source) -> Dataset:
    meta = HeaderReader(source, META, syntax="", is_little_endian=True)
    meta.read_meta()
    syntax = meta.values.get(SYNTAX, b"").decode("ascii", errors="replace").strip(" \0")
    if syntax not in DECODERS:
        raise NotAnImage("expected a transfer syntax that was agreed on, got another")
    little = syntax != uid.ExplicitVRBigEndian
    reader = HeaderReader(source, _WANTED, syntax=syntax, is_little_endian=little)
    pixels = reader.read(keep=False)
    if pixels is None:
        raise NotAnImage("expected an image, got a data set without pixels")
    if reader.unusual is not None:
        raise reader.unusual
    if pixels.is_too_long:
        raise NotAnImage("expected as many pixels as the header says, got more")
    implicit = syntax == uid.ImplicitVRLittleEndian
    image = read_dataset(BytesIO(bytes(reader.kept)), is_implicit_VR=implicit, is_little_endian=little)
    if DECODERS[syntax] == "" and pixels.n_bytes < _n_bytes(image):
        raise NotAnImage("expected as many pixels as the header says, got fewer")
    return image


def _n_bytes(image: Dataset) -> int:
    """What pixels take that are not compressed. Raises NotAnImage if the header does not say it."""
    sizes = [image.get(name) for name in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")]
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise NotAnImage("expected an image that says how large it is, got one that does not")
    return int(math.prod(sizes)) * int(image.get("NumberOfFrames") or 1) // 8


def _heading(image: Dataset) -> Heading:
    n_frames = int(image.get("NumberOfFrames") or 1)
    if n_frames < 1:
        raise NotAnImage("expected one frame or more, got fewer")
    text = str(image.get("SeriesDescription") or "")
    return Heading(
        sop_class=_uid(image, "SOPClassUID"),
        sop_instance=_uid(image, "SOPInstanceUID"),
        study=_uid(image, "StudyInstanceUID"),
        series=_uid(image, "SeriesInstanceUID"),
        modality=str(image.get("Modality") or ""),
        description=text,
        n_frames=n_frames,
        thickness_mm=_thickness(image),
    )


def _uid(image: Dataset, name: str) -> str:
    value = image.get(name)
    if not isinstance(value, uid.UID) or not value.is_valid:
        raise NotAnImage(f"expected a {name}, got none that is valid")
    return str(value)


def _thickness(image: Dataset) -> float | None:
    """Slice thickness in mm, of all images or of an enhanced one's frames together."""
    return next((float(each) for each in _stated(image) if each is not None), None)


def _stated(image: Dataset) -> Iterator[Any]:
    yield image.get("SliceThickness")
    for group in image.get("SharedFunctionalGroupsSequence") or ():
        for measures in group.get("PixelMeasuresSequence") or ():
            yield measures.get("SliceThickness")
