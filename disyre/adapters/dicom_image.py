"""A DICOM image: the attributes that are needed, parsed from the bytes of a file (pydicom).

Nothing else is read, so nothing that names a patient gets into memory as text.
"""

from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Final

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from disyre.adapters.dicom_header import Wanted
from disyre.adapters.dicom_mosaic import CSA_ATTRIBUTES, is_mosaic
from disyre.adapters.dicom_pixels import Pixels
from disyre.adapters.dicom_sequence import FRAME_ATTRIBUTES, SEQUENCE_ATTRIBUTES, SEQUENCE_GROUPS
from disyre.adapters.dicom_subject import TAGS as SUBJECT_TAGS
from disyre.errors import InvalidInput, UnreadableVolume
from disyre.series_uid import is_series_uid, made_up_uid
from disyre.stacks import Origin

_IDENTITY: Final = (0x00100010, 0x00100020, 0x00100030, 0x0020000D, 0x0020000E)
"""PatientName, PatientID, PatientBirthDate, StudyInstanceUID, SeriesInstanceUID."""
_ATTRIBUTES: Final = [
    *("SOPClassUID", "SOPInstanceUID", "FrameOfReferenceUID", "ImageType", "EchoTime"),
    *("SpacingBetweenSlices", "SliceThickness", "ImagesInAcquisition"),
    *("TemporalPositionIdentifier", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ModalityLUTSequence"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "SeriesNumber"),
    *SEQUENCE_ATTRIBUTES,
]
FRAME_GROUPS: Final = (
    *("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence", "FrameContentSequence"),
    *("PixelValueTransformationSequence", "MREchoSequence", "MRImageFrameTypeSequence"),
    *SEQUENCE_GROUPS,
)
"""Where an enhanced image keeps for a frame, or for all, what a single-frame image has at the top."""
_TAGS: Final = [*(Tag(name) for name in _ATTRIBUTES), *(Tag(tag) for tag in (*_IDENTITY, *CSA_ATTRIBUTES))]
_SEQUENCES: Final = {Tag(name) for name in _ATTRIBUTES if dictionary_VR(name) == "SQ"}
_GROUPS: Final = {int(Tag(name)) for name in FRAME_GROUPS}
WANTED: Final = Wanted(
    tags=frozenset(map(int, _TAGS)),
    sequences=frozenset(map(int, _SEQUENCES)) | _GROUPS,
    nested=frozenset(int(Tag(name)) for name in (*FRAME_ATTRIBUTES, *_ATTRIBUTES)) | _GROUPS,
    large=frozenset(CSA_ATTRIBUTES),
    told=SUBJECT_TAGS,
)
_PIXELS: Final = Tag("PixelData")
_UNDEFINED: Final = 0xFFFFFFFF
_OF_PIXELS: Final = {
    "SamplesPerPixel": "how many values a pixel has",
    "PhotometricInterpretation": "whether it is grey, and which values are bright",
    "BitsAllocated": "how many bits a pixel takes",
    "BitsStored": "how many of its bits are used",
    "PixelRepresentation": "whether its values have a sign",
}
"""Without these, pixels could only be guessed at."""


@dataclass(frozen=True, eq=False)
class OpenedFile:
    """What a file holds, or why it cannot be read."""

    content: bytes
    """A file with what is needed of it, but for the pixels."""
    transfer_syntax: str
    """What the standard calls it."""
    pixels: Pixels | None = None
    error: InvalidInput | None = None


@dataclass(frozen=True, eq=False)
class Image:
    """The attributes of an image that are needed; only those that say what it is of, if it cannot be used."""

    dataset: Dataset
    origin: Origin
    pixels: Pixels | None = None
    error: InvalidInput | None = None
    transfer_syntax: str = ""
    """How the file was stored, as the standard calls it; nothing if it cannot be used."""
    header: bytes = b""
    """What is kept of the file, as it is stored; nothing if it cannot be used."""

    @property
    def is_read_to_its_series(self) -> bool:
        """Whether what comes behind the SeriesInstanceUID was read, so that no cut took that."""
        return max(self.dataset.keys(), default=0) >= _IDENTITY[-1]

    @property
    def states_no_series(self) -> bool:
        """Whether the UID of its series had to be made up."""
        return self.is_read_to_its_series and not is_series_uid(_stated_series(self.dataset))


def parsed_image(opened: OpenedFile) -> Image:
    """An image that can be parsed. Raises what pydicom does, or InvalidInput."""
    if opened.error is not None:
        raise opened.error
    dataset = pydicom.dcmread(BytesIO(opened.content), specific_tags=_TAGS)
    if not dataset:  # pydicom gives nothing at all where it cannot go on, and only warns
        raise UnreadableVolume(_why_nothing(dataset))
    for element in dataset.values():
        if isinstance(element, RawDataElement):
            _check_element(element)
    if opened.pixels is not None and opened.pixels.content is not None:
        dataset[_PIXELS] = _element_of(opened.pixels, opened.pixels.content, dataset)
    if not is_mosaic(dataset):  # others need no private header
        for tag in CSA_ATTRIBUTES:
            dataset.pop(tag, None)
    return Image(
        dataset,
        _origin(dataset),
        opened.pixels,
        transfer_syntax=opened.transfer_syntax,
        header=opened.content,
    )


def _element_of(pixels: Pixels, content: bytes, dataset: FileDataset) -> RawDataElement:
    """Pixels as pydicom has them."""
    syntax = dataset.file_meta.TransferSyntaxUID
    length = _UNDEFINED if syntax.is_encapsulated else len(content)
    is_implicit, is_little = pixels.vr is None, syntax.is_little_endian
    return RawDataElement(_PIXELS, pixels.vr, length, content, 0, is_implicit, is_little)


def _why_nothing(dataset: FileDataset) -> str:
    """What is wrong with a file of which nothing could be parsed."""
    return (
        "expected images that are stored as their first part (file meta information) says, got one that is "
        f"not {dataset.file_meta.TransferSyntaxUID.name}, or is cut off; export the series again"
    )


def check_pixels_described(dataset: Dataset) -> None:
    """Raise UnreadableVolume, with the name of what is missing, if a header does not say what pixels are."""
    for name, meaning in _OF_PIXELS.items():
        if dataset.get(name) in (None, ""):
            raise UnreadableVolume(
                f"expected every image to say {meaning} ({name}), got one that does not; export the series "
                "again"
            )


def _check_element(element: RawDataElement) -> None:
    if element.length not in (len(element.value or b""), _UNDEFINED):
        raise UnreadableVolume("expected whole DICOM images, got one that is cut off in its header")


def identity_of(content: bytes) -> Image:
    """What an image is of, of one that cannot be used. Raises what pydicom does, or UnreadableVolume."""
    dataset = read_partial(BytesIO(content), stop_when=_is_behind_identity, specific_tags=[*_IDENTITY])
    series = dataset.get_item("SeriesInstanceUID")
    if not isinstance(series, RawDataElement):
        raise UnreadableVolume("expected images that say which series they are of, got one that does not")
    _check_element(series)
    return Image(dataset, _origin(dataset))


def _origin(dataset: Dataset) -> Origin:
    """Whose an image is, and what it is of. What names a patient is hashed as it is, and never becomes text.

    That is the PatientID, and name and date of birth together.
    """
    number = _raw(dataset, "PatientID")
    named = (_raw(dataset, "PatientName").upper(), _raw(dataset, "PatientBirthDate"))
    said = b"\0".join(named) if any(named) else b""
    study, series = str(dataset.get("StudyInstanceUID")), _stated_series(dataset)
    return Origin(
        patient=sha256(number).hexdigest() if number else "",
        person=sha256(said).hexdigest() if said else "",
        study=study,
        series=series if is_series_uid(series) else made_up_uid(study, series),
    )


def _stated_series(dataset: Dataset) -> str:
    return str(dataset.get("SeriesInstanceUID") or "")


def _raw(dataset: Dataset, keyword: str) -> bytes:
    """The value of an attribute as it is stored, without padding; nothing if there is none."""
    element = dataset.get_item(keyword)
    value = None if element is None else element.value
    return value.strip(b" \0") if isinstance(value, bytes) else b""


def _is_behind_identity(tag: BaseTag, vr: str | None, length: int) -> bool:
    return int(tag) > _IDENTITY[-1]
