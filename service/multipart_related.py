"""`multipart/related` (RFC 2387) as it comes: only what may be a boundary is held, or headers of a part."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

_EOL: Final = b"\r\n"
_END: Final = b"--"
_LONGEST_BEGINNING_BYTES: Final = 64 * 1024
"""Before the first part; where more comes, none does."""
_LONGEST_HEADERS_BYTES: Final = 8 * 1024
_LONGEST_PADDING_BYTES: Final = 256
"""Blanks behind a boundary."""


class Malformed(ValueError):
    """It is none; the message says what was expected, without what came."""


class CutOff(Malformed):
    """It ends before its last boundary."""


@dataclass(frozen=True)
class PartBegins:
    """A part begins; its bytes follow."""

    content_type: str
    """In lower case and without its options; nothing if it says none."""


class PartEnds:
    """All bytes of the part came."""


Event: TypeAlias = PartBegins | PartEnds | bytes


class _State(Enum):
    BEFORE = auto()
    AT_BOUNDARY = auto()
    HEADERS = auto()
    CONTENT = auto()
    BEHIND = auto()


class RelatedParts:
    """Takes a body in pieces, and gives its parts in pieces."""

    def __init__(self, boundary: str) -> None:
        self._boundary = _EOL + _END + boundary.encode("latin-1", errors="replace")
        self._held = _EOL  # the first boundary may be the first line
        self._state = _State.BEFORE
        self._n_before = 0

    def feed(self, data: bytes) -> Iterator[Event]:
        """What the next bytes bring. Raises Malformed."""
        steps = {
            _State.BEFORE: self._before,
            _State.AT_BOUNDARY: self._at_boundary,
            _State.HEADERS: self._headers,
            _State.CONTENT: self._content,
        }
        self._held += data
        while self._state is not _State.BEHIND:
            state = self._state
            yield from steps[state]()
            if self._state is state:
                return
        self._held = b""

    def finish(self) -> None:
        """All bytes were fed. Raises CutOff."""
        if self._state is not _State.BEHIND:
            raise CutOff("expected a last boundary, got an end before it")

    def _before(self) -> Iterator[Event]:
        passed, found = self._up_to_boundary()
        self._n_before += len(passed)
        if self._n_before > _LONGEST_BEGINNING_BYTES:
            raise Malformed("expected the boundary that was announced, got none")
        if found:
            self._state = _State.AT_BOUNDARY
        yield from ()

    def _at_boundary(self) -> Iterator[Event]:
        if self._held.startswith(_END):
            self._state = _State.BEHIND
            return
        padding, eol, rest = self._held.partition(_EOL)
        if eol and not padding.strip(b" \t"):
            self._held, self._state = _EOL + rest, _State.HEADERS
        elif eol or len(padding) > _LONGEST_PADDING_BYTES:
            raise Malformed("expected the end of a line behind a boundary, got something else")
        yield from ()

    def _headers(self) -> Iterator[Event]:
        headers, end, rest = self._held.partition(_EOL + _EOL)
        if len(headers) > _LONGEST_HEADERS_BYTES:
            raise Malformed("expected a part with short headers, got longer ones")
        if end:
            self._held, self._state = rest, _State.CONTENT
            yield PartBegins(_content_type(headers))

    def _content(self) -> Iterator[Event]:
        content, found = self._up_to_boundary()
        if content:
            yield content
        if found:
            self._state = _State.AT_BOUNDARY
            yield PartEnds()

    def _up_to_boundary(self) -> tuple[bytes, bool]:
        """What is held before the next boundary, and whether there is one; what may begin one is kept."""
        at = self._held.find(self._boundary)
        if at >= 0:
            passed, self._held = self._held[:at], self._held[at + len(self._boundary) :]
            return passed, True
        n_kept = len(self._boundary) - 1
        passed, self._held = self._held[:-n_kept], self._held[-n_kept:]
        return passed, False


def _content_type(headers: bytes) -> str:
    """That of a part. Raises Malformed."""
    found = ""
    for line in headers.split(_EOL):
        name, colon, value = line.partition(b":")
        if line and not colon:
            raise Malformed("expected headers of a part, got something else")
        if name.strip().lower() == b"content-type":
            found = value.partition(b";")[0].strip().lower().decode("latin-1")
    return found
