"""Inflating what strangers deflated, in pieces, never further than was agreed."""

import zlib
from collections.abc import Iterator
from typing import Final

from disyre.errors import TooLarge, UnreadableVolume

_OUTPUT_BYTES: Final = 2**20
"""In one piece, at most."""


def inflated(packed: Iterator[bytes], *, max_bytes: int) -> Iterator[bytes]:
    """The content of a raw deflate stream (RFC 1951), which bytes of padding may follow, in pieces.

    Raises TooLarge as soon as it is longer than `max_bytes`, UnreadableVolume if it is damaged or cut off.

    >>> packer = zlib.compressobj(wbits=-15)
    >>> packed = packer.compress(b"a" * 99) + packer.flush()
    >>> b"".join(inflated(iter([packed]), max_bytes=99)) == b"a" * 99
    True
    """
    n_bytes = 0
    for piece in _pieces(packed):
        n_bytes += len(piece)
        if n_bytes > max_bytes:
            raise TooLarge(f"expected deflated files that expand to at most {max_bytes} bytes, got more")
        yield piece


def _pieces(packed: Iterator[bytes]) -> Iterator[bytes]:
    """The content, whatever the stream claims to be."""
    stream = zlib.decompressobj(wbits=-15)
    try:
        for packed_piece in packed:
            waiting = packed_piece
            while waiting and not stream.eof:
                if piece := stream.decompress(waiting, _OUTPUT_BYTES):
                    yield piece
                waiting = stream.unconsumed_tail
        while not stream.eof and (piece := stream.decompress(b"", _OUTPUT_BYTES)):
            yield piece
    except zlib.error as error:
        raise UnreadableVolume("expected whole deflated files, got one that is damaged") from error
    if not stream.eof:
        raise UnreadableVolume("expected whole deflated files, got one that is cut off")
