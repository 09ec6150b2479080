"""Looks for words in all that was written: in names and contents, unpacked, in other letters too."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping


def found_in(contents: Mapping[str, bytes], words: Iterable[str]) -> list[tuple[str, str]]:
    """Which of some words are where: in names, and in contents as they are, unpacked, or in other letters."""
    places = [
        (name, word)
        for name, content in contents.items()
        for word in words
        for text in (name.encode(), *unpacked(content))
        for written in (word, word.lower(), word.encode("utf-16-le").decode("latin-1"))
        if written.encode("latin-1") in text
    ]
    return sorted(set(places))


def unpacked(content: bytes) -> Iterator[bytes]:
    """A content, and what is packed in it."""
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from map(archive.read, archive.namelist())
    if content.startswith(b"\x89PNG"):
        for kind, data in png_chunks(content):
            yield data
            if kind in (b"zTXt", b"iCCP"):
                yield zlib.decompress(data.partition(b"\0")[2][1:])


def png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each."""
    at = 8
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        yield content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        at += size + 12


def numbered(contents: Iterable[bytes]) -> dict[str, bytes]:
    """Contents that have no names."""
    return {str(number): content for number, content in enumerate(contents)}
