"""DICOM files, sorted out by their first bytes: images, and what is left out (pydicom)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from pydicom import uid
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from disyre.adapters.dicom_image import Image, OpenedFile, identity_of, parsed_image
from disyre.admission import OnWarning
from disyre.containment import map_untrusted, sort_untrusted
from disyre.errors import InvalidInput, NotAnImage, NotBrainMr, UnreadableVolume, UnsupportedTransferSyntax
from disyre.inflation import inflate, inflate_start
from disyre.media import BARE_DICOM, HEAD_BYTES, is_bare_dicom, is_gzip
from disyre.slice_names import LostSlices, NamedFile
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
_BATCH: Final = 16
"""Files that are looked at together, at most."""
_BATCH_BYTES: Final = 8 * 2**20
"""No file is added to so many bytes: where headers are all that is wanted, no more stays in memory."""
_HEADER_BYTES: Final = 2**16
"""As much of a deflated file that is cut off is looked at, for the series that it is of."""
_REFUSAL: Final = "expected whole DICOM images, got one that is cut off or damaged; export the series again"

_GZIP: Final = "compressed with gzip, which is not read inside a zip but for NIfTI; send DICOM without it"

Instance: TypeAlias = bytes | Path | NamedFile
"""A file that may be DICOM."""

_T = TypeVar("_T")
_R = TypeVar("_R")


def map_dicom(function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """Map over DICOM files, or parts of them, in threads; what a parser raises is a refusal."""
    return map_untrusted(function, items, refusal=_REFUSAL)


def sort_dicom(function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R | InvalidInput]:
    """The same, with the refusal of an item in its place."""
    return sort_untrusted(function, items, refusal=_REFUSAL)


def read_in_batches(instances: Iterable[Instance]) -> Iterator[list[NamedFile]]:
    """Files with their contents, so many at a time that threads are worth their while."""
    batch: list[NamedFile] = []
    for instance in instances:
        batch.append(_named(instance))
        if len(batch) == _BATCH or sum(len(file.content) for file in batch) >= _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def _named(instance: Instance) -> NamedFile:
    """A file with its content; what comes without a name, or under one that we gave it, has none."""
    if isinstance(instance, NamedFile):
        return instance
    return NamedFile("", instance.read_bytes() if isinstance(instance, Path) else instance)


@dataclass
class SortedFiles:
    """Files, by what they are."""

    n_not_dicom: int = 0
    n_empty: int = 0
    """Of what is not DICOM, files of 0 bytes."""
    n_gzip: int = 0
    """Of what is not DICOM, what gzip made."""
    n_bare: int = 0
    """Of what is not DICOM, what would be if it had the header of a file."""
    n_directories: int = 0
    """DICOMDIR: they list the files of a disc, and are followed nowhere."""
    not_mr: list[str] = field(default_factory=list)
    """Of DICOM that is no MR image, what it is."""
    lost: list[InvalidInput] = field(default_factory=list)
    """Of images that cannot be used and do not say which series they are of, why not."""
    n_without_series: int = 0
    """Images that state no series by which they could be picked."""
    n_inflated_bytes: int = 0
    lost_slices: LostSlices = field(default_factory=LostSlices)
    """Of what is not DICOM, what may have been."""

    def add(self, files: Sequence[NamedFile]) -> list[Image]:
        """Sort more files in; the images among them that say which series they are of.

        Nothing but their headers is parsed. Raises TooLarge if they inflate too far.
        """
        contents = [file.content for file in files]
        dicom = [content for content in contents if _is_dicom(content)]
        metas = sort_dicom(_meta, dicom)
        opened = [
            self._opened(content, meta)
            for content, meta in zip(dicom, metas, strict=True)
            if isinstance(meta, _Meta) and meta.sop_class in _MR
        ]
        self._count(contents, metas)
        for file in files:
            self.lost_slices.note(file, is_image=_is_dicom(file.content))
        parsed = sort_dicom(parsed_image, opened)
        return [*(each for each in parsed if isinstance(each, Image)), *self._broken(opened, parsed)]

    def nothing(self) -> InvalidInput:
        """Why there is nothing to read."""
        if self.lost:
            return self.lost[0]
        if self.not_mr:
            return NotBrainMr(f"expected MR images, got {', '.join(sorted(set(self.not_mr))[:5])}")
        if self.n_bare:
            return NotAnImage(f"expected DICOM files, got {BARE_DICOM}")
        if self.n_directories:
            return NotAnImage(
                "expected DICOM images, got a DICOMDIR, which only lists the files of a disc; send the "
                "folders beside it too"
            )
        return NotAnImage(
            "expected DICOM, NIfTI (.nii, .nii.gz), or both files of a NIfTI pair (.hdr and .img) in a zip, "
            f"got {counted(self.n_not_dicom, 'file')} {_GZIP if self.n_gzip else 'of another kind'}"
        )

    def warn(self, on_warning: OnWarning) -> None:
        """Say what was left out."""
        n_foreign = self.n_not_dicom - self.n_bare - self.n_empty - self.n_gzip
        if self.n_empty:
            on_warning(f"{counted(self.n_empty, 'file')} left out, as empty (0 bytes)")
        if self.n_gzip:
            on_warning(f"{counted(self.n_gzip, 'file')} left out, as {_GZIP}")
        if n_foreign:
            on_warning(f"{counted(n_foreign, 'file')} left out, as not DICOM")
        if self.n_bare:
            on_warning(f"{counted(self.n_bare, 'file')} left out: {BARE_DICOM}")
        if self.n_directories:
            on_warning(f"{counted(self.n_directories, 'DICOMDIR')} left out: it lists files, and is no image")
        if self.not_mr:
            on_warning(f"{counted(len(self.not_mr), 'DICOM file')} left out, as not MR")
        if self.lost:
            on_warning(
                f"{counted(len(self.lost), 'DICOM file')} left out, as cut off or damaged before it is "
                "said which series they are of; the first or the last slice of a series may be missing"
            )
        if self.n_without_series:
            on_warning(
                f"{counted(self.n_without_series, 'DICOM file')} without a usable SeriesInstanceUID: those "
                "of a study were taken for one series, under a series_uid that is made up"
            )
        if n_slices := self.lost_slices.n:
            on_warning(
                f"{counted(n_slices, 'file')} of those that were left out may have been slices, by name or "
                "by what is left of them: slices at the ends of a series may be missing, which nothing else "
                "shows; compare the number of slices, and send the series again"
            )

    def _count(self, contents: Sequence[bytes], metas: Sequence["_Meta | InvalidInput"]) -> None:
        """Remember what is no image."""
        self.lost += [meta for meta in metas if isinstance(meta, InvalidInput)]
        others = [m.sop_class for m in metas if isinstance(m, _Meta) and m.sop_class not in _MR]
        self.n_not_dicom += len(contents) - len(metas)
        self.n_empty += contents.count(b"")
        self.n_gzip += sum(map(is_gzip, contents))
        self.n_bare += sum(is_bare_dicom(content[:HEAD_BYTES]) for content in contents)
        self.n_directories += others.count(uid.MediaStorageDirectoryStorage)
        self.not_mr += [_name(other) for other in others if other != uid.MediaStorageDirectoryStorage]

    def _broken(self, opened: Sequence[OpenedFile], parsed: Sequence[Image | InvalidInput]) -> list[Image]:
        """Those of some files that cannot be parsed, by what they still say of themselves."""
        broken = [
            (file.content, error)
            for file, error in zip(opened, parsed, strict=True)
            if isinstance(error, InvalidInput)
        ]
        said = sort_dicom(identity_of, [content for content, _ in broken])
        named = list(zip(said, (error for _, error in broken), strict=True))
        self.lost += [error for image, error in named if isinstance(image, InvalidInput)]
        return [replace(image, error=error) for image, error in named if isinstance(image, Image)]

    def _opened(self, content: bytes, meta: "_Meta") -> OpenedFile:
        """A file as it would be had nobody deflated it, or as much of it as says why it cannot be read."""
        syntax = _name(meta.transfer_syntax)
        if meta.transfer_syntax == uid.DeflatedExplicitVRLittleEndian:
            return self._inflated(content[meta.end :], syntax)
        if meta.transfer_syntax in DECODERS:
            return OpenedFile(content, syntax)
        return OpenedFile(
            content,
            syntax,
            UnsupportedTransferSyntax(
                "expected images that are uncompressed, deflated, RLE, JPEG, JPEG-LS or JPEG 2000, got "
                f"{syntax}; export the series again without compression"
            ),
        )

    def _inflated(self, packed: bytes, syntax: str) -> OpenedFile:
        honest_bytes = max(_ALWAYS_INFLATED_BYTES, _MAX_RATIO * len(packed))
        left_bytes = _MAX_INFLATED_BYTES - self.n_inflated_bytes
        try:
            dataset = inflate(packed, max_bytes=min(honest_bytes, left_bytes))
        except UnreadableVolume as error:
            return OpenedFile(_EXPLICIT_META + inflate_start(packed, _HEADER_BYTES), syntax, error)
        self.n_inflated_bytes += len(dataset)
        return OpenedFile(_EXPLICIT_META + dataset, syntax)


def _is_dicom(content: bytes) -> bool:
    return content[128:132] == b"DICM"


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
