"""DICOM files, sorted out by their first bytes and parsed as far as is needed (pydicom).

Only the attributes that are needed are read, so nothing that names a patient gets into memory as text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
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
from disyre.inflation import inflate
from disyre.media import BARE_DICOM, HEAD_BYTES, is_bare_dicom
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
    uid.JPEGBaseline8Bit: "imagecodecs",
    uid.JPEGExtended12Bit: "imagecodecs",
    uid.JPEGLossless: "imagecodecs",
    uid.JPEGLosslessSV1: "imagecodecs",
}
"""Transfer syntaxes that are read, and what decodes each; never left to what happens to be installed.

Deflated data sets are read too. They are inflated before they are parsed: pydicom does it without a bound.
"""
_EXPLICIT_META: Final = (
    bytes(128) + b"DICM\x02\x00\x10\x00UI\x14\x00" + uid.ExplicitVRLittleEndian.encode() + b"\x00"
)
"""In front of a data set that was inflated: its transfer syntax now."""
_MAX_INFLATED_BYTES: Final = 2 * 2**30
"""Of all deflated files of an upload together, as of the members of an archive."""
_MAX_RATIO: Final = 200
_ALWAYS_INFLATED_BYTES: Final = 4 * 2**20
"""A deflated file may grow so far whatever its ratio is: it may be a slice of air."""
_ATTRIBUTES: Final = [
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "ImageType", "EchoTime"),
    *("TemporalPositionIdentifier", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PixelData"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ModalityLUTSequence"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
    *SEQUENCE_ATTRIBUTES,
]
_PIXELS: Final = 0x7FE00010
_BATCH: Final = 64
"""Files that are looked at together, at most."""
_BATCH_BYTES: Final = 64 * 2**20
"""No file is added to so many bytes: where headers are all that is wanted, no more stays in memory."""
_MAX_VALUE_BYTES: Final = 1024
"""Of one attribute, the pixels excepted; what is longer is an attack on the parser."""

_T = TypeVar("_T")
_R = TypeVar("_R")


def map_dicom(function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """Map over DICOM files, or parts of them, in threads; what a parser raises is a refusal."""
    return map_untrusted(
        function,
        items,
        refusal="expected whole DICOM images, got one that is cut off or damaged; export the series again",
    )


def read_in_batches(instances: Iterable[bytes | Path]) -> Iterator[list[bytes]]:
    """The contents of files, so many at a time that threads are worth their while."""
    batch: list[bytes] = []
    for instance in instances:
        batch.append(_content(instance))
        if len(batch) == _BATCH or sum(map(len, batch)) >= _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def _content(instance: bytes | Path) -> bytes:
    return instance.read_bytes() if isinstance(instance, Path) else instance


@dataclass
class SortedFiles:
    """Files, by what they are."""

    n_not_dicom: int = 0
    n_bare: int = 0
    """Of what is not DICOM, what would be if it had the header of a file."""
    n_directories: int = 0
    """DICOMDIR: they list the files of a disc, and are followed nowhere."""
    not_mr: list[str] = field(default_factory=list)
    """Of DICOM that is no MR image, what it is."""
    n_inflated_bytes: int = 0

    def add(self, contents: Sequence[bytes]) -> list[bytes]:
        """Sort more files in; the images among them, inflated if they were deflated.

        Nothing but their first bytes and their file meta information is parsed. Raises
        UnsupportedTransferSyntax, UnreadableVolume, or TooLarge if they inflate too far.
        """
        dicom = [content for content in contents if content[128:132] == b"DICM"]
        metas = map_dicom(_meta, dicom)
        images = [
            (content, meta) for content, meta in zip(dicom, metas, strict=True) if meta.sop_class in _MR
        ]
        for syntax in {meta.transfer_syntax for _, meta in images}:
            if syntax not in (*DECODERS, uid.DeflatedExplicitVRLittleEndian):
                raise UnsupportedTransferSyntax(
                    "expected images that are uncompressed, deflated, RLE, JPEG, JPEG-LS or JPEG 2000, got "
                    f"{_name(syntax)}; export the series again without compression"
                )
        self._count(contents, metas)
        return [self._inflated(content, meta) for content, meta in images]

    def nothing(self) -> InvalidInput:
        """Why there is nothing to read."""
        if self.not_mr:
            return NotBrainMr(f"expected MR images, got {', '.join(sorted(set(self.not_mr))[:5])}")
        if self.n_bare:
            return NotAnImage(f"expected DICOM files, got {BARE_DICOM}")
        if self.n_directories:
            return NotAnImage(
                "expected DICOM images, got a DICOMDIR, which only lists the files of a disc; send the "
                "folders beside it too"
            )
        return NotAnImage(f"expected DICOM files, got {counted(self.n_not_dicom, 'file')} of another kind")

    def warn(self, on_warning: OnWarning) -> None:
        """Say what was left out."""
        n_foreign = self.n_not_dicom - self.n_bare
        if n_foreign:
            on_warning(f"{counted(n_foreign, 'file')} left out, as not DICOM")
        if self.n_bare:
            on_warning(f"{counted(self.n_bare, 'file')} left out: {BARE_DICOM}")
        if self.n_directories:
            on_warning(f"{counted(self.n_directories, 'DICOMDIR')} left out: it lists files, and is no image")
        if self.not_mr:
            on_warning(f"{counted(len(self.not_mr), 'DICOM file')} left out, as not MR")

    def _count(self, contents: Sequence[bytes], metas: Sequence["_Meta"]) -> None:
        """Remember what is no image."""
        others = [meta.sop_class for meta in metas if meta.sop_class not in _MR]
        self.n_not_dicom += len(contents) - len(metas)
        self.n_bare += sum(is_bare_dicom(content[:HEAD_BYTES]) for content in contents)
        self.n_directories += others.count(uid.MediaStorageDirectoryStorage)
        self.not_mr += [_name(other) for other in others if other != uid.MediaStorageDirectoryStorage]

    def _inflated(self, content: bytes, meta: "_Meta") -> bytes:
        """The file itself, or as it would be had nobody deflated it."""
        if meta.transfer_syntax != uid.DeflatedExplicitVRLittleEndian:
            return content
        honest_bytes = max(_ALWAYS_INFLATED_BYTES, _MAX_RATIO * len(content))
        left_bytes = _MAX_INFLATED_BYTES - self.n_inflated_bytes
        dataset = inflate(content[meta.end :], max_bytes=min(honest_bytes, left_bytes))
        self.n_inflated_bytes += len(dataset)
        return _EXPLICIT_META + dataset


def _name(value: str) -> str:
    """What the standard calls a UID; others are not repeated."""
    name = uid.UID(value).name
    return "an unknown kind" if name == value else name


@dataclass(frozen=True)
class _Meta:
    """What comes in front of a data set."""

    sop_class: str
    transfer_syntax: str
    end: int
    """Where the data set begins, in bytes."""


def _meta(content: bytes) -> _Meta:
    file = BytesIO(content)
    file.seek(132)
    meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_is_behind_meta)
    if "MediaStorageSOPClassUID" not in meta or "TransferSyntaxUID" not in meta:
        raise UnreadableVolume(
            "expected DICOM files that say what they are, got one whose first part (file meta information, "
            "group 0002) is missing or damaged; export the series again"
        )
    return _Meta(str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID), file.tell())


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
            raise UnreadableVolume(
                f"expected headers of the usual size, got one with an attribute of {element.length} bytes"
            )
    return dataset
