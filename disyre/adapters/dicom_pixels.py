"""The pixels of a DICOM image, looked at as they go by: how many, their hash, what frames say of themselves.

They are kept only for whoever decodes them. A file with far more pixels than its header says is an attack:
what is too much is not even read.
"""

import math
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import Final

from disyre.adapters.dicom_jpeg import END, FrameSize, stated_size
from disyre.adapters.dicom_source import Source
from disyre.errors import UnreadableVolume

ITEM: Final = 0xFFFEE000
SEQUENCE_END: Final = 0xFFFEE0DD
UNDEFINED: Final = 0xFFFFFFFF
_ITEM_START: Final = Struct("<HHL")
_SLACK_BYTES: Final = 2**16
"""Of padding behind pixels, as some programs write it."""
_MOST_GROWTH: Final = 2
"""Compressed pixels may take so many times the room of others; noise in RLE comes close to it."""
_MOST_FRAGMENTS: Final = 100_000
_CUT: Final = "expected whole DICOM images, got one whose compressed pixels are cut off"


@dataclass(frozen=True)
class Fragment:
    """A part of compressed pixels, most often a frame."""

    size: FrameSize | None
    """What it says of its image if it begins with that, as far as its beginning shows."""
    is_seen_to_its_end: bool
    """Whether all of it was looked through for that."""
    has_end: bool
    """Whether it ends as a whole frame does, padding not counted."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """What is known of the pixels of a file."""

    n_bytes: int
    """As many are there; as many as were announced, if those are too many."""
    hash: bytes
    """Of all; nothing if there are too many."""
    vr: str | None = None
    fragments: tuple[Fragment, ...] = ()
    """If they are compressed, but for the table of offsets in front."""
    content: bytes | None = None
    """They themselves, if they were to be kept."""
    is_too_long: bool = False
    """Whether there are more than the header says, which were not read."""


@dataclass(frozen=True)
class PixelHeader:
    """What a header says of the number of pixels; None where it does not."""

    rows: int | None
    columns: int | None
    frames: int | None
    samples: int | None
    bits: int | None

    @property
    def n_bytes(self) -> int | None:
        """What pixels take that are not compressed; None if that is not said."""
        factors = (self.rows, self.columns, self.frames, self.samples, self.bits)
        known = [factor for factor in factors if factor is not None]
        return math.ceil(max(0, math.prod(known)) / 8) if len(known) == len(factors) else None


def read_native(source: Source, length: int, vr: str | None, header: PixelHeader, *, keep: bool) -> Pixels:
    """Pixels that are not compressed, `length` bytes as their element says."""
    expected = header.n_bytes
    if expected is not None and length > expected + _SLACK_BYTES:
        return Pixels(length, b"", is_too_long=True)
    found, kept, n_bytes = sha256(), [], 0
    for piece in source.through(length):
        found.update(piece)
        n_bytes += len(piece)
        if keep and expected is not None:
            kept.append(piece)
    return Pixels(n_bytes, found.digest(), vr, content=b"".join(kept) if kept else None)


def read_compressed(
    source: Source, vr: str | None, header: PixelHeader, *, syntax: str, keep: bool
) -> Pixels:
    """Pixels in fragments, the first of which is a table of offsets. Raises UnreadableVolume if cut off."""
    expected = header.n_bytes
    most = None if expected is None else _MOST_GROWTH * expected + _SLACK_BYTES * (1 + (header.frames or 0))
    found, n_bytes = sha256(), 0
    fragments: list[Fragment] = []
    kept: list[bytes] | None = [] if keep and most is not None else None
    for number in range(_MOST_FRAGMENTS):
        length = _fragment_length(start := source.take(8))
        if length is None:
            content = None if kept is None else b"".join(kept)
            return Pixels(n_bytes, found.digest(), vr, tuple(fragments), content)
        n_bytes += len(start) + length
        if most is not None and n_bytes > most:
            return Pixels(n_bytes, b"", is_too_long=True)
        looked = _Looked(syntax)
        found.update(start)
        if kept is not None:
            kept.append(start)
        for piece in source.through(length):
            length -= len(piece)
            looked.take(piece)
            found.update(piece)
            if kept is not None:
                kept.append(piece)
        if length:
            raise UnreadableVolume(_CUT)
        if number > 0:
            fragments.append(looked.facts())
    raise UnreadableVolume("expected compressed images in fewer parts")


def _fragment_length(start: bytes) -> int | None:
    """What the eight bytes in front of a fragment say; None if they are the end of all."""
    if len(start) < _ITEM_START.size:
        raise UnreadableVolume(_CUT)
    group, element, length = _ITEM_START.unpack(start)
    tag = group << 16 | element
    if tag == SEQUENCE_END:
        return None
    if tag != ITEM or length == UNDEFINED:
        raise UnreadableVolume(_CUT)
    return int(length)


class _Looked:
    """A fragment, looked at while it goes by."""

    def __init__(self, syntax: str) -> None:
        self._syntax = syntax
        self._size: FrameSize | None = None
        self._n_pieces = 0
        self._end = b""
        self._is_padded = False

    def take(self, piece: bytes) -> None:
        """The next bytes."""
        self._n_pieces += 1
        if self._n_pieces == 1:
            self._size = stated_size(piece, self._syntax)
        if stripped := piece.rstrip(b"\0"):
            self._end = (self._end + b"\0" * self._is_padded + stripped)[-2:]
            self._is_padded = False
        self._is_padded |= len(stripped) < len(piece)

    def facts(self) -> Fragment:
        """What is known of it now that it is over."""
        return Fragment(self._size, self._n_pieces <= 1, self._end == END)
