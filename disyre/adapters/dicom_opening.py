"""A file that may be DICOM, opened: what it is, and what is needed of it, read in pieces (pydicom)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from pydicom import uid

from disyre.adapters.dicom_header import META, HeaderReader
from disyre.adapters.dicom_image import WANTED, OpenedFile
from disyre.adapters.dicom_pixels import Pixels
from disyre.adapters.dicom_source import PIECE_BYTES, Source
from disyre.errors import InvalidInput, UnreadableVolume, UnsupportedTransferSyntax
from disyre.inflation import inflated
from disyre.media import HEAD_BYTES
from disyre.slice_names import NamedFile, NamedPieces

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
_PREAMBLE: Final = bytes(128) + b"DICM"
_MAX_INFLATED_BYTES: Final = 2 * 2**30
"""Of all deflated files of an upload together, as of the members of an archive."""
_MAX_RATIO: Final = 200
_ALWAYS_INFLATED_BYTES: Final = 4 * 2**20
"""A deflated file may grow so far whatever its ratio is: it may be a slice of air."""

Instance: TypeAlias = bytes | Path | NamedFile | NamedPieces
"""A file that may be DICOM."""


@dataclass(frozen=True, eq=False)
class LookedFile:
    """What a file is."""

    name: str
    start: bytes
    """As much of it as tells what kind of file it is."""
    sop_class: str = ""
    opened: OpenedFile | None = None
    """If it is an MR image."""
    error: InvalidInput | None = None
    """Why it cannot be told what kind of DICOM it is."""

    @property
    def is_dicom(self) -> bool:
        return _is_dicom(self.start)

    @property
    def n_held_bytes(self) -> int:
        """What it takes of the memory."""
        if self.opened is None:
            return len(self.start)
        pixels = self.opened.pixels
        return len(self.opened.content) + len((pixels and pixels.content) or b"")


@dataclass
class Opening:
    """Opens the files of an upload one by one."""

    keep_pixels: bool = False
    """Whether pixels are to be decoded; else they go by."""
    n_inflated_bytes: int = field(default=0)

    def all(self, instances: Iterable[Instance]) -> Iterator[LookedFile]:
        """What all files are, in order. Raises TooLarge if they inflate too far."""
        for instance in instances:
            yield self.look(instance)

    def look(self, instance: Instance) -> LookedFile:
        """What a file is. What comes without a name, or under one that we gave it, has none.

        Raises TooLarge, and UnusableArchive if it is of an archive and damaged there.
        """
        name, size_bytes, pieces = _content(instance)
        source = Source(pieces)
        start = source.peek(HEAD_BYTES)[:HEAD_BYTES]
        looked = self._looked(name, start, source, size_bytes)
        pixels = looked.opened and looked.opened.pixels
        if isinstance(instance, NamedPieces) and not (pixels and pixels.is_too_long):
            source.drain()  # at its end it is seen whether it is whole
        return looked

    def _looked(self, name: str, start: bytes, source: Source, size_bytes: int) -> LookedFile:
        if not _is_dicom(start):
            return LookedFile(name, start)
        source.skip(len(_PREAMBLE))
        try:
            meta = _read_meta(source)
        except UnreadableVolume as error:
            return LookedFile(name, start, error=error)
        if meta.sop_class not in _MR:
            return LookedFile(name, start, meta.sop_class)
        return LookedFile(
            name, start, meta.sop_class, self._opened(source, meta, size_bytes - source.position)
        )

    def _opened(self, source: Source, meta: "_Meta", n_bytes: int) -> OpenedFile:
        """A file as it would be had nobody deflated it, or as much of it as says why it cannot be read."""
        syntax = meta.transfer_syntax
        if syntax == uid.DeflatedExplicitVRLittleEndian:
            return self._inflated(source, meta, n_bytes)
        opened = _read(source, syntax, syntax, keep_pixels=self.keep_pixels)
        if syntax in DECODERS:
            return opened
        error = UnsupportedTransferSyntax(
            "expected images that are uncompressed, deflated, RLE, JPEG, JPEG-LS or JPEG 2000, got "
            f"{name_of(syntax)}; export the series again without compression"
        )
        return OpenedFile(opened.content, opened.transfer_syntax, error=error)

    def _inflated(self, source: Source, meta: "_Meta", n_bytes: int) -> OpenedFile:
        honest_bytes = max(_ALWAYS_INFLATED_BYTES, _MAX_RATIO * n_bytes)
        left_bytes = _MAX_INFLATED_BYTES - self.n_inflated_bytes
        inside = Source(inflated(source.rest(), max_bytes=min(honest_bytes, left_bytes)))
        syntax = uid.ExplicitVRLittleEndian
        opened = _read(inside, syntax, meta.transfer_syntax, keep_pixels=self.keep_pixels)
        try:
            inside.drain()
        except UnreadableVolume as error:
            return OpenedFile(opened.content, opened.transfer_syntax, error=opened.error or error)
        finally:
            self.n_inflated_bytes += inside.position
        return opened


def name_of(value: str) -> str:
    """What the standard calls a UID; others are not repeated."""
    name = uid.UID(value).name
    return "an unknown kind" if name == value else name


@dataclass(frozen=True)
class _Meta:
    """What comes in front of a data set."""

    sop_class: str
    transfer_syntax: str


def _content(instance: Instance) -> tuple[str, int, Iterator[bytes]]:
    """The name of a file, its size in bytes, and its content in pieces."""
    if isinstance(instance, NamedPieces):
        return instance.name, instance.size_bytes, instance.pieces()
    if isinstance(instance, Path):
        return "", instance.stat().st_size, _pieces(instance)
    named = instance if isinstance(instance, NamedFile) else NamedFile("", instance)
    return named.name, len(named.content), iter([named.content])


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(partial(file.read, PIECE_BYTES), b"")


def _is_dicom(start: bytes) -> bool:
    return start[128:132] == b"DICM"


def _read_meta(source: Source) -> _Meta:
    reader = HeaderReader(source, META, syntax="", is_little_endian=True)
    reader.read_meta()
    sop_class, syntax = (_uid(reader.values.get(tag, b"")) for tag in META.tags)
    if not sop_class or not syntax:
        raise UnreadableVolume(
            "expected DICOM files that say what they are, got one whose first part (file meta information, "
            "group 0002) is missing or damaged; export the series again"
        )
    return _Meta(sop_class, syntax)


def _uid(value: bytes) -> str:
    return value.decode("ascii", errors="replace").strip(" \0")


def _read(source: Source, syntax: str, stored_as: str, *, keep_pixels: bool) -> OpenedFile:
    """What is needed of a data set."""
    is_little_endian = syntax != uid.ExplicitVRBigEndian
    content, shown = bytearray(_PREAMBLE + _stated(syntax)), name_of(stored_as)
    error: UnreadableVolume | None = None
    pixels: Pixels | None = None
    reader: HeaderReader | None = None
    try:
        reader = HeaderReader(source, WANTED, syntax=syntax, is_little_endian=is_little_endian)
        pixels = reader.read(keep=keep_pixels)
        error = reader.unusual
    except UnreadableVolume as refusal:
        error = refusal
    if reader is not None:
        content += reader.kept
    return OpenedFile(bytes(content), shown, pixels, error)


def _stated(syntax: str) -> bytes:
    """The element that states a transfer syntax."""
    value = syntax.encode()
    value += b"\0" * (len(value) % 2)
    return b"\x02\x00\x10\x00UI" + len(value).to_bytes(2, "little") + value
