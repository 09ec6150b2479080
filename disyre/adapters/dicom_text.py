"""Text of a DICOM header, by the character sets that the header states (PS3.5 6.1.2; PS3.3 C.12.1.1.2).

What cannot be told by them is marked as such: letters that are only likely are none. pydicom takes what is of
no stated set for Latin-1, leaves the escapes of Chinese in the text, and has no word of what it replaced.
"""

import re
from collections.abc import Sequence
from typing import Final

from pydicom.charset import CODES_TO_ENCODINGS, STAND_ALONE_ENCODINGS, python_encoding

_ASCII: Final = "ascii"
_DEFAULTS: Final = ("", "ISO_IR 6", "ISO 2022 IR 6")
_ALONE: Final = (*STAND_ALONE_ENCODINGS, "ISO 2022 GBK", "ISO 2022 58")
"""Sets that no others can be added to, and that cannot be added to others."""
_ENCODINGS: Final = {**python_encoding, **dict.fromkeys(_DEFAULTS, _ASCII)}
_LOW: Final = (b"\x1b(B", b"\x1b(J")
"""Lead to ASCII and to JIS X 0201, which is nearly the same; bytes above 127 mean what they meant."""
_KEEP_ESCAPES: Final = ("iso2022_jp", "iso2022_jp_2")
"""Pairs of bytes below 128, which may be those of delimiters; Python knows their escapes."""
_NAME_DELIMITERS: Final = rb"[\^=]"
_TEXT_DELIMITERS: Final = rb"[\r\n\t\f\\]"
"""Behind these the first set holds again."""
_UNKNOWN: Final = "\ufffd"
_UNSURE: Final = re.compile("[\ufffd\x1b\x80-\x9f]")


def text_of(value: bytes, stated: Sequence[str], *, is_name: bool = False) -> str:
    r"""A value as text; `is_sure` says of it, or of a part of it, whether that is what was meant.

    >>> text_of(b"\xb8\xd2\xd0\xdd", ["ISO 2022 IR 144", "ISO 2022 IR 6"])
    'Иван'
    """
    names = [_spelled(each) for each in stated] or [""]
    first = _ENCODINGS.get(names[0], _ASCII)
    if names[0] in _ALONE:
        return value.decode(first, "replace")
    others = {_ENCODINGS[name] for name in names[1:] if name in _ENCODINGS and name not in _ALONE}
    upper = others.difference([_ASCII], _KEEP_ESCAPES)
    if names[0] in _DEFAULTS and len(upper) == 1:  # its escape may be left out: no other has such bytes
        (first,) = upper
    decoder = _Decoder(first, {first, *others}, _NAME_DELIMITERS if is_name else _TEXT_DELIMITERS)
    return "".join(map(decoder.decoded, re.findall(rb"^[^\x1b]+|\x1b[^\x1b]*", value)))


def is_sure(text: str) -> bool:
    """Whether all letters were of the sets that were stated."""
    return _UNSURE.search(text) is None


def _spelled(stated: str) -> str:
    """The name of a set as the standard writes it; headers have `ISO-IR 100` and the like."""
    words = re.split(r"[ _-]+", stated.strip(" \0").upper())
    return f"ISO_IR {words[2]}" if words[:2] == ["ISO", "IR"] and len(words) == 3 else " ".join(words)


class _Decoder:
    """Decodes one value, part by part; each but the first begins with an escape."""

    def __init__(self, first: str, encodings: set[str], delimiters: bytes) -> None:
        self._first = first
        self._encodings = encodings
        self._delimiters = delimiters
        self._upper = first
        """Of bytes above 127."""

    def decoded(self, part: bytes) -> str:
        if not part.startswith(b"\x1b"):
            return part.decode(self._first, "replace")
        escape = part[: 4 if part.startswith((b"\x1b$(", b"\x1b$)")) else 3]
        encoding, rest = CODES_TO_ENCODINGS.get(escape, ""), part[len(escape) :]
        if escape in _LOW:
            return self._to_delimiter(rest)
        if encoding not in self._encodings:
            return self._lost(rest, is_pairs=part.startswith(b"\x1b$") and not part.startswith(b"\x1b$)"))
        if encoding in _KEEP_ESCAPES:
            return part.decode(encoding, "replace")
        self._upper = encoding
        return self._to_delimiter(rest)

    def _to_delimiter(self, rest: bytes) -> str:
        """Text in the set that holds, and behind a delimiter in the first."""
        found = re.search(self._delimiters, rest) if self._upper != self._first else None
        if found is None:
            return rest.decode(self._upper, "replace")
        head = rest[: found.start()].decode(self._upper, "replace")
        self._upper = self._first
        return head + rest[found.start() :].decode(self._first, "replace")

    def _lost(self, rest: bytes, *, is_pairs: bool) -> str:
        """Text of a set that is not stated: a mark, and what comes behind a delimiter."""
        found = None if is_pairs else re.search(self._delimiters, rest)
        self._upper = self._first
        return _UNKNOWN + (rest[found.start() :].decode(self._first, "replace") if found else "")
