"""A file as it comes, in pieces: what was taken is gone, and little is held."""

from collections.abc import Iterator
from typing import Final

PIECE_BYTES: Final = 2**18
"""Read at once from a file."""


class Source:
    """Bytes from some pieces, in order."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""
        self._at = 0
        self._n_before = 0

    @property
    def position(self) -> int:
        """How many bytes were taken."""
        return self._n_before + self._at

    def peek(self, n_bytes: int) -> bytes:
        """So many bytes without taking them; fewer at the end."""
        if self._at + n_bytes > len(self._held):
            self._fill(n_bytes)
        return self._held[self._at : self._at + n_bytes]

    def take(self, n_bytes: int) -> bytes:
        """So many bytes; fewer at the end. All are held, so there must not be too many."""
        data = self.peek(n_bytes)
        self._at += len(data)
        return data

    def through(self, n_bytes: int) -> Iterator[bytes]:
        """So many bytes in pieces; fewer at the end."""
        while n_bytes > 0:
            piece = self.take(min(n_bytes, len(self._held) - self._at or PIECE_BYTES))
            if not piece:
                return
            n_bytes -= len(piece)
            yield piece

    def skip(self, n_bytes: int) -> None:
        """Let so many bytes go by."""
        if self._at + n_bytes <= len(self._held):
            self._at += n_bytes
            return
        for _ in self.through(n_bytes):
            pass

    def drain(self) -> None:
        """Let all that is left go by, so that whoever gives it finds out whether it is whole."""
        for _ in self.rest():
            pass

    def rest(self) -> Iterator[bytes]:
        """All that is left, in pieces."""
        held, self._held = self._held[self._at :], b""
        self._n_before, self._at = self.position + len(held), 0
        if held:
            yield held
        for piece in self._pieces:
            self._n_before += len(piece)
            yield piece

    def _fill(self, n_bytes: int) -> None:
        held = self._held[self._at :]
        parts, n_held = [held] if held else [], len(held)  # one piece alone is not copied
        while n_held < n_bytes and (piece := next(self._pieces, b"")):
            parts.append(piece)
            n_held += len(piece)
        self._n_before, self._held, self._at = self.position, b"".join(parts), 0
