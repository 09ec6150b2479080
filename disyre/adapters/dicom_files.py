"""DICOM files, sorted out by their first bytes and parsed as far as is needed (pydicom).

Only the attributes that are needed are read, so nothing that names a patient gets into memory as text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import pydicom
from pydicom import uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from disyre.adapters.dicom_sequence import SEQUENCE_ATTRIBUTES
from disyre.admission import OnWarning
from disyre.containment import map_untrusted
from disyre.errors import InvalidInput, NotAnImage, NotBrainMr, UnreadableVolume, UnsupportedTransferSyntax
from disyre.wording import counted

_MR: Final = {uid.MRImageStorage, uid.EnhancedMRImageStorage, uid.LegacyConvertedEnhancedMRImageStorage}
DECODERS: Final[dict[str, str]] = {
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
    *SEQUENCE_ATTRIBUTES,
]
_PIXELS: Final = 0x7FE00010
_BATCH: Final = 64
"""Files that are looked at together."""
_MAX_VALUE_BYTES: Final = 1024
"""Of one attribute, the pixels excepted; what is longer is an attack on the parser."""

_T = TypeVar("_T")
_R = TypeVar("_R")


def map_dicom(function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """Map over DICOM files, or parts of them, in threads; what a parser raises is a refusal."""
    return map_untrusted(
        function, items, refusal="expected whole DICOM images, got one that is truncated or damaged"
    )


def read_in_batches(instances: Iterable[bytes | Path]) -> Iterator[list[bytes]]:
    """The contents of files, so many at a time that threads are worth their while."""
    remaining = iter(instances)
    while batch := [_content(instance) for instance in islice(remaining, _BATCH)]:
        yield batch


def _content(instance: bytes | Path) -> bytes:
    return instance.read_bytes() if isinstance(instance, Path) else instance


@dataclass
class SortedFiles:
    """Files, by what they are."""

    n_not_dicom: int = 0
    not_mr: list[str] = field(default_factory=list)
    """Of DICOM that is no MR image, what it is."""

    def add(self, contents: Sequence[bytes]) -> list[bytes]:
        """Sort more files in; the images among them.

        Nothing but their first bytes and their file meta information is parsed. Raises
        UnsupportedTransferSyntax or UnreadableVolume.
        """
        dicom = [content for content in contents if content[128:132] == b"DICM"]
        metas = map_dicom(_meta, dicom)
        images = [
            (content, meta) for content, meta in zip(dicom, metas, strict=True) if meta.sop_class in _MR
        ]
        for syntax in {meta.transfer_syntax for _, meta in images}:
            if syntax not in DECODERS:
                raise UnsupportedTransferSyntax(
                    "expected images that are uncompressed, RLE, JPEG, JPEG-LS or JPEG 2000, got "
                    f"{_name(syntax)}"
                )
        self.n_not_dicom += len(contents) - len(dicom)
        self.not_mr += [_name(meta.sop_class) for meta in metas if meta.sop_class not in _MR]
        return [content for content, _ in images]

    def nothing(self) -> InvalidInput:
        """Why there is nothing to read."""
        if self.not_mr:
            return NotBrainMr(f"expected MR images, got {', '.join(sorted(set(self.not_mr))[:5])}")
        return NotAnImage(f"expected DICOM files, got {counted(self.n_not_dicom, 'file')} of another kind")

    def warn(self, on_warning: OnWarning) -> None:
        """Say what was left out."""
        if self.n_not_dicom:
            on_warning(f"{counted(self.n_not_dicom, 'file')} left out, as not DICOM")
        if self.not_mr:
            on_warning(f"{counted(len(self.not_mr), 'DICOM file')} left out, as not MR")


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


def parse_image(content: bytes) -> Dataset:
    """An image with the attributes that are needed. Raises what pydicom does, or UnreadableVolume."""
    dataset = pydicom.dcmread(BytesIO(content), specific_tags=_ATTRIBUTES)
    for element in dataset.values():
        is_short = (
            element.tag == _PIXELS or element.VR == "SQ" or len(element.value or b"") <= _MAX_VALUE_BYTES
        )
        if isinstance(element, RawDataElement) and not is_short:
            raise UnreadableVolume(f"expected short attributes, got one of {element.length} bytes")
    return dataset
