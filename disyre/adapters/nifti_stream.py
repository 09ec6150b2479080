"""The bytes of a file as a stream, inflated if it is gzip (isal), and never more of them than was agreed.

Whether a file is compressed is seen from its first bytes, not from its name.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from isal import igzip
from isal.igzip_lib import IsalError

from disyre.errors import UnreadableVolume
from disyre.progress import OnStep, go_on

_GZIP_ERRORS: Final = (EOFError, igzip.BadGzipFile, cast(type[Exception], IsalError))
_CHUNK: Final = 2**20


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, inflated if it is gzip; errors of the compression become UnreadableVolume."""
    with path.open("rb") as file, inflating(file) as stream:
        yield stream


@contextmanager
def inflating(file: BinaryIO) -> Iterator[BinaryIO]:
    """The same of a file that is open already, at its beginning."""
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    try:
        yield cast(BinaryIO, igzip.IGzipFile(fileobj=file)) if is_gzip else file
    except _GZIP_ERRORS as error:
        raise UnreadableVolume("expected a whole gzip file, got one that is truncated or damaged") from error


def read_exactly(stream: BinaryIO, n_bytes: int) -> bytes:
    """So many bytes. Raises UnreadableVolume if there are fewer."""
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise UnreadableVolume("expected as many bytes as the header says, got a truncated file")
    return data


def skip(stream: BinaryIO, n_bytes: int, *, on_step: OnStep = go_on) -> None:
    """Read so many bytes and keep none; `on_step` comes before each MiB.

    Raises UnreadableVolume if there are fewer.
    """
    while n_bytes > 0:
        on_step()
        n_bytes -= len(read_exactly(stream, min(n_bytes, _CHUNK)))


def check_end(stream: BinaryIO) -> None:
    """Nothing may follow: a header that says less than there is lies about where each voxel belongs.

    For gzip, this also checks the sum and the length at the end.
    """
    if stream.read(1):
        raise UnreadableVolume("expected as many bytes as the header says, got more")


def length(stream: BinaryIO, most: int) -> int:
    """Bytes that are left in a stream; no more than `most` are counted."""
    n_bytes = 0
    while n_bytes < most and (part := stream.read(min(_CHUNK, most - n_bytes))):
        n_bytes += len(part)
    return n_bytes
