"""The elements of a DICOM file that are needed, taken out of it as it goes by: the rest is never held.

What comes out is a small file that pydicom parses. It does not matter how large or how nested the others are:
they are passed over in pieces, and only so many of all.
"""

from collections.abc import Collection
from dataclasses import dataclass
from struct import Struct
from typing import Final

from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from disyre.adapters.dicom_pixels import (
    ITEM,
    SEQUENCE_END,
    UNDEFINED,
    PixelHeader,
    Pixels,
    read_compressed,
    read_native,
)
from disyre.adapters.dicom_source import Source
from disyre.errors import UnreadableVolume

_ITEM_END: Final = 0xFFFEE00D
_PIXELS: Final = 0x7FE00010
_IMAGE_TYPE: Final = 0x00080008
_ROWS, _COLUMNS, _FRAMES, _SAMPLES, _BITS = 0x00280010, 0x00280011, 0x00280008, 0x00280002, 0x00280100
_OF_LENGTH: Final = (_ROWS, _COLUMNS, _FRAMES, _SAMPLES, _BITS)
SOP_CLASS, SYNTAX = 0x00020002, 0x00020010
_REMEMBERED: Final = frozenset((*_OF_LENGTH, _IMAGE_TYPE, SOP_CLASS, SYNTAX))
_META_GROUP: Final = b"\x02\x00"
_LONG: Final = frozenset(vr.encode() for vr in EXPLICIT_VR_LENGTH_32)
_MAX_VALUE_BYTES: Final = 1024
"""Of one attribute, the pixels excepted; what is longer is an attack on the parser."""
_MAX_LARGE_BYTES: Final = 2**20
_MOST_NESTED: Final = 32
"""Sequences in each other; a report has some ten."""
_MOST_ELEMENTS: Final = 500_000
_MOST_KEPT: Final = 100_000
_MOST_KEPT_BYTES: Final = 8 * 2**20
_CUT: Final = "expected whole DICOM images, got one that is cut off in its header"
_UNUSUAL: Final = "expected headers of the usual size, got one with {}"


@dataclass(frozen=True)
class Wanted:
    """Which elements are kept."""

    tags: Collection[int]
    sequences: Collection[int] = ()
    """Those that have items, and are kept with all that is wanted in them."""
    nested: Collection[int] = ()
    """In items."""
    large: Collection[int] = ()
    """Those that are kept only of a mosaic, and may be larger."""
    told: Collection[int] = ()
    """Those that are kept if they are of a usual length, and passed over if not."""


META: Final = Wanted((SOP_CLASS, SYNTAX))
"""What says how the rest of a file is to be read."""


@dataclass(frozen=True)
class _Element:
    start: bytes
    """Its tag, its kind of value and its length, as they are stored."""
    tag: int
    vr: bytes | None
    length: int


class HeaderReader:
    """Goes through a data set up to its pixels."""

    def __init__(self, source: Source, wanted: Wanted, *, syntax: str, is_little_endian: bool) -> None:
        self._source = source
        self._wanted = wanted
        self._syntax = syntax
        self._order = "<" if is_little_endian else ">"
        self._plain = Struct(f"{self._order}HHL")
        self._short = Struct(f"{self._order}HH2sH")
        self._long = Struct(f"{self._order}L")
        self._is_implicit = not _is_vr(source.peek(6)[4:])
        self._n_elements = self._n_kept = 0
        self.values: dict[int, bytes] = {}
        """Of elements by which a data set is read."""
        self.kept = bytearray()
        """What is wanted, as a data set."""
        self.unusual: UnreadableVolume | None = None
        """Why an element that is wanted was passed over."""

    def read(self, *, keep: bool) -> Pixels | None:
        """Go up to the pixels and through them; None if there are none. `keep` keeps them.

        Raises UnreadableVolume if that cannot be; `kept` has what came before.
        """
        while (element := self._next()) is not None:
            if element.tag == _PIXELS:
                return self._pixels(element, keep=keep)
            if element.tag in self._wanted.sequences and element.vr in (None, b"SQ", b"UN"):
                self._sequence(element, 0)
            elif element.tag in self._wanted.tags and element.length != UNDEFINED:
                self._keep(element)
            elif element.tag in self._wanted.told and element.length <= _MAX_VALUE_BYTES:
                self._write(element.start + self._whole(element.length))
            else:
                self._drop(element, 0)
        return None

    def read_meta(self) -> None:
        """Go through what comes in front of a data set, and not further. Raises UnreadableVolume."""
        while self._source.peek(2) == _META_GROUP and (element := self._next()) is not None:
            if element.tag in self._wanted.tags and element.length != UNDEFINED:
                self._keep(element)
            else:
                self._drop(element, 0)

    def _next(self) -> _Element | None:
        """The next element, at its value; None at the end."""
        start = self._source.take(8)
        if len(start) < 8:
            return None
        self._n_elements += 1
        if self._n_elements > _MOST_ELEMENTS:
            raise UnreadableVolume(_UNUSUAL.format(f"more than {_MOST_ELEMENTS} attributes"))
        vr = start[4:6]
        if self._is_implicit or not _is_vr(vr):
            group, number, length = self._plain.unpack(start)
            return _Element(start, group << 16 | number, None, length)
        group, number, _, length = self._short.unpack(start)
        if vr in _LONG:
            more = self._source.take(4)
            if len(more) < 4:
                return None
            start, (length,) = start + more, self._long.unpack(more)
        return _Element(start, group << 16 | number, vr, length)

    def _keep(self, element: _Element) -> None:
        is_large = element.tag in self._wanted.large
        if is_large and b"MOSAIC" not in self.values.get(_IMAGE_TYPE, b""):
            self._source.skip(element.length)
            return
        if element.length > (_MAX_LARGE_BYTES if is_large else _MAX_VALUE_BYTES):
            self.unusual = UnreadableVolume(_UNUSUAL.format(f"an attribute of {element.length} bytes"))
            self._source.skip(element.length)
            return
        value = self._source.take(element.length)
        if element.tag in _REMEMBERED:
            self.values[element.tag] = value
        self._write(element.start + value)

    def _write(self, content: bytes) -> None:
        self._n_kept += 1
        self.kept += content
        if self._n_kept > _MOST_KEPT or len(self.kept) > _MOST_KEPT_BYTES:
            raise UnreadableVolume(_UNUSUAL.format(f"more than {_MOST_KEPT} attributes that place images"))

    def _drop(self, element: _Element, depth: int) -> None:
        if element.length != UNDEFINED:
            self._source.skip(element.length)
            return
        while (length := self._item(None, depth)) is not None:
            if length == UNDEFINED:
                while (inner := self._inner(None)) is not None:
                    self._drop(inner, depth + 1)
            else:
                self._source.skip(length)

    def _sequence(self, element: _Element, depth: int) -> None:
        """Keep what is wanted of the items of a sequence; lengths are left open, as others do not fit."""
        end = None if element.length == UNDEFINED else self._source.position + element.length
        self._write(element.start[:-4] + self._long.pack(UNDEFINED))
        while (length := self._item(end, depth)) is not None:
            self._write(self._tagged(ITEM, UNDEFINED))
            item_end = None if length == UNDEFINED else self._source.position + length
            while (inner := self._inner(item_end)) is not None:
                self._nested(inner, depth + 1)
            self.kept += self._tagged(_ITEM_END, 0)
        self.kept += self._tagged(SEQUENCE_END, 0)

    def _nested(self, element: _Element, depth: int) -> None:
        if element.tag not in self._wanted.nested:
            self._drop(element, depth)
        elif element.tag in self._wanted.sequences and element.vr in (None, b"SQ", b"UN"):
            self._sequence(element, depth)
        elif element.length > _MAX_VALUE_BYTES:
            self._drop(element, depth)
        else:
            self._write(element.start + self._whole(element.length))

    def _item(self, end: int | None, depth: int) -> int | None:
        """The length of the next item of a sequence that ends somewhere, or where it says so; None there."""
        if depth > _MOST_NESTED:
            raise UnreadableVolume(_UNUSUAL.format(f"more than {_MOST_NESTED} sequences in each other"))
        if end is not None and self._source.position >= end:
            return None
        group, number, length = self._plain.unpack(self._whole(8))
        tag = group << 16 | number
        if tag == SEQUENCE_END:
            return None
        self._n_elements += 1
        if tag != ITEM or self._n_elements > _MOST_ELEMENTS:
            raise UnreadableVolume(_CUT)
        return int(length)

    def _inner(self, end: int | None) -> _Element | None:
        """The next element of an item; None at its end."""
        if end is not None and self._source.position >= end:
            return None
        element = self._next()
        if element is None:
            raise UnreadableVolume(_CUT)
        return None if element.tag == _ITEM_END else element

    def _whole(self, n_bytes: int) -> bytes:
        data = self._source.take(n_bytes)
        if len(data) < n_bytes:
            raise UnreadableVolume(_CUT)
        return data

    def _tagged(self, tag: int, length: int) -> bytes:
        return self._plain.pack(tag >> 16, tag & 0xFFFF, length)

    def _pixels(self, element: _Element, *, keep: bool) -> Pixels:
        vr = None if element.vr is None else element.vr.decode()
        rows, columns, frames, samples, bits = (self._number(tag) for tag in _OF_LENGTH)
        header = PixelHeader(rows, columns, 1 if frames is None else frames, samples, bits)
        if element.length == UNDEFINED:
            return read_compressed(self._source, vr, header, syntax=self._syntax, keep=keep)
        return read_native(self._source, element.length, vr, header, keep=keep)

    def _number(self, tag: int) -> int | None:
        value = self.values.get(tag, b"")
        if tag != _FRAMES:
            return int.from_bytes(value[:2], "little" if self._order == "<" else "big") if value else None
        text = value.strip(b" \0")
        return int(text) if text.isdigit() else None


def _is_vr(value: bytes) -> bool:
    return len(value) == 2 and b"A" <= value[:1] <= b"Z" and b"A" <= value[1:] <= b"Z"
