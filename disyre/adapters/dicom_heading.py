"""What a DICOM image says of itself and its series; read in pieces, so that no header takes much memory."""

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag

from disyre.adapters.dicom_header import SOP_CLASS, SYNTAX, HeaderReader, Wanted
from disyre.adapters.dicom_opening import DECODERS
from disyre.adapters.dicom_sequence import stated_number
from disyre.adapters.dicom_source import PIECE_BYTES, Source
from disyre.eligibility import SeriesFacts
from disyre.errors import UnreadableVolume

_NAMES: Final = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SpecificCharacterSet"),
    *("Modality", "SeriesDescription", "SeriesNumber", "SliceThickness", "NumberOfFrames"),
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"),
)
_GROUPS: Final = {int(Tag("SharedFunctionalGroupsSequence")), int(Tag("PixelMeasuresSequence"))}
_WANTED: Final = Wanted(
    tags=frozenset(int(Tag(name)) for name in _NAMES),
    sequences=_GROUPS,
    nested={int(Tag("PixelMeasuresSequence")), int(Tag("SliceThickness"))},
)
_META: Final = Wanted((SOP_CLASS, int(Tag("MediaStorageSOPInstanceUID")), SYNTAX))
_PREAMBLE_BYTES: Final = 132
_LARGEST_SERIES_NUMBER: Final = 999_999
"""What is longer may be the number of something else."""
_MAGIC: Final = b"DICM"


class Fault(Enum):
    """What is wrong with what came."""

    DAMAGED = "damaged"
    """It is no whole DICOM image."""
    SYNTAX = "syntax"
    """It is encoded in a way that is not taken."""
    CLASS = "class"
    """It is another kind of DICOM than was asked for."""


class NotAnImage(Exception):
    """What came is no whole image, or not one that is wanted."""

    def __init__(self, message: str, fault: Fault = Fault.DAMAGED, said: "Named | None" = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.said = said
        """What the file says that it is, as far as it was read."""


@dataclass(frozen=True)
class Named:
    """An instance."""

    sop_class: str
    sop_instance: str


@dataclass(frozen=True)
class Heading:
    """What is needed of an image."""

    sop_class: str
    sop_instance: str
    said: Named | None
    """What it is by the header of its file; None if that does not say it."""
    study: str
    series: str
    modality: str
    description: str
    n_frames: int
    thickness_mm: float | None
    series_number: int | None = None
    """None if it says none."""


def read_heading(path: Path, *, classes: Collection[str] | None = None) -> Heading:
    """The heading of a DICOM file whose pixels are all there. Raises NotAnImage, or OSError.

    `classes` are the SOP classes that are wanted; None is any that has pixels.
    """
    with path.open("rb") as file:
        source = Source(iter(partial(file.read, PIECE_BYTES), b""))
        said: Named | None = None
        try:
            if not source.take(_PREAMBLE_BYTES).endswith(_MAGIC):
                raise NotAnImage("expected a DICOM file, got another")
            meta = _meta(source)
            said = _named(meta)
            if said is not None and classes is not None and said.sop_class not in classes:
                raise NotAnImage("expected an MR image, got another kind of DICOM", Fault.CLASS)
            heading = _heading(_dataset(source, str(meta.get("TransferSyntaxUID") or "")), said)
        except UnreadableVolume as error:
            raise NotAnImage(str(error), said=said) from None
        except NotAnImage as error:
            raise NotAnImage(str(error), error.fault, said) from None
        except OSError:
            raise
        except Exception as error:  # pydicom raises all kinds at what is damaged, and quotes it
            what = f"expected a DICOM image, got one that is damaged ({type(error).__name__})"
            raise NotAnImage(what, said=said) from None
    if classes is not None and heading.sop_class not in classes:
        what = "expected an MR image, got another kind of DICOM"
        raise NotAnImage(what, Fault.CLASS, Named(heading.sop_class, heading.sop_instance))
    return heading


def facts_of(headings: Iterable[Heading]) -> SeriesFacts:
    """What the rules look at, of a series with one image or more."""
    every = list(headings)
    first = every[0]
    thickness = next((each.thickness_mm for each in every if each.thickness_mm is not None), None)
    n_slices = sum(each.n_frames for each in every)
    return SeriesFacts(first.modality, first.description, n_slices, thickness, first.series_number)


def _meta(source: Source) -> Dataset:
    """The header of the file, in front of the data set."""
    reader = HeaderReader(source, _META, syntax="", is_little_endian=True)
    reader.read_meta()
    return read_dataset(BytesIO(bytes(reader.kept)), is_implicit_VR=False, is_little_endian=True)


def _named(meta: Dataset) -> Named | None:
    """What the header says that follows; None if it says nothing that can be right."""
    found = [meta.get(name) for name in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID")]
    if not all(isinstance(each, uid.UID) and each.is_valid for each in found):
        return None
    return Named(*map(str, found))


def _dataset(source: Source, syntax: str) -> Dataset:
    if syntax not in DECODERS:
        raise NotAnImage("expected a transfer syntax that is taken, got another", Fault.SYNTAX)
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


def _heading(image: Dataset, said: Named | None) -> Heading:
    n_frames = int(image.get("NumberOfFrames") or 1)
    if n_frames < 1:
        raise NotAnImage("expected one frame or more, got fewer")
    text = str(image.get("SeriesDescription") or "")
    return Heading(
        sop_class=_uid(image, "SOPClassUID"),
        sop_instance=_uid(image, "SOPInstanceUID"),
        said=said,
        study=_uid(image, "StudyInstanceUID"),
        series=_uid(image, "SeriesInstanceUID"),
        modality=str(image.get("Modality") or ""),
        description=text,
        n_frames=n_frames,
        thickness_mm=_thickness(image),
        series_number=_series_number(image),
    )


def _series_number(image: Dataset) -> int | None:
    number = stated_number(image, "SeriesNumber", least=0.0)
    if number is None or number != int(number) or number > _LARGEST_SERIES_NUMBER:
        return None
    return int(number)


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
