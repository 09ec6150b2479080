"""Inflating what strangers deflated, never further than was agreed."""

import zlib
from collections.abc import Iterator
from typing import Final

from disyre.errors import TooLarge, UnreadableVolume

_CHUNK: Final = 2**20


def inflate(data: bytes, *, max_bytes: int) -> bytes:
    """The content of a raw deflate stream (RFC 1951), which bytes of padding may follow.

    Raises TooLarge as soon as it is longer than `max_bytes`, UnreadableVolume if it is damaged or cut off.

    >>> packer = zlib.compressobj(wbits=-15)
    >>> inflate(packer.compress(b"a" * 99) + packer.flush(), max_bytes=99) == b"a" * 99
    True
    """
    content = bytearray()
    for part in _parts(data):
        content += part
        if len(content) > max_bytes:
            raise TooLarge(f"expected deflated files that expand to at most {max_bytes} bytes, got more")
    return bytes(content)


def inflate_start(data: bytes, n_bytes: int) -> bytes:
    """As many bytes of what a stream begins with, or fewer if it is damaged or cut off before.

    >>> packer = zlib.compressobj(wbits=-15)
    >>> inflate_start(packer.compress(b"a" * 99) + packer.flush(), 2)
    b'aa'
    >>> inflate_start(b"no stream", 2)
    b''
    """
    try:
        return zlib.decompressobj(wbits=-15).decompress(data, n_bytes)
    except zlib.error:
        return b""


def _parts(data: bytes) -> Iterator[bytes]:
    """The content in pieces, whatever the stream claims to be."""
    stream = zlib.decompressobj(wbits=-15)
    try:
        for start in range(0, len(data), _CHUNK):
            waiting = data[start : start + _CHUNK]
            while waiting and not stream.eof:
                yield stream.decompress(waiting, _CHUNK)
                waiting = stream.unconsumed_tail
        while not stream.eof and (rest := stream.decompress(b"", _CHUNK)):
            yield rest
    except zlib.error as error:
        raise UnreadableVolume("expected whole deflated files, got one that is damaged") from error
    if not stream.eof:
        raise UnreadableVolume("expected whole deflated files, got one that is cut off")
