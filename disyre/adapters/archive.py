"""Zip archives of untrusted origin: what may be in one, and its members as bytes or as streams.

Nothing is ever extracted. The names of members decide only whether an empty one is passed on, to be warned
of; what members hold is for the reader of the content to say.
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedReader, FileIO
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, cast

from disyre.errors import TooLarge, UnusableArchive
from disyre.slice_names import NamedPieces, is_of_a_system
from disyre.types import Opener
from disyre.wording import counted

_MAGIC: Final = b"PK\x03\x04"
_LOCAL_HEADER: Final = 30
"""Bytes in front of a member's data, its name not counted."""
_ENTRY: Final = 512
"""Room for one member in the directory: 46 bytes, its name and extra fields."""
_CHUNK: Final = 2**20
_PIECE_BYTES: Final = 2**18
"""Inflated at once."""
_METHODS: Final = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "xz",
    98: "PPMd",
    99: "AES, which is a password",
}
"""Of compression that is not read here, what it is called."""


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """How far an archive may expand."""

    max_total_bytes: int = 2 * 2**30
    max_member_bytes: int = 2**30
    max_members: int = 10_000
    max_inner_members: int = 50_000
    """Of all archives among the files together: a viewer on a patient's CD may bring its own Java."""
    max_ratio: float = 200.0
    """Expanded to packed, of all members together: a single slice of air may well be above it."""


def check_archive(path: Path, limits: ArchiveLimits) -> int:
    """Check the directory of a zip archive, without inflating anything, and count the files in it.

    Raises UnusableArchive if it is broken, encrypted or odd, TooLarge if it is above a limit.
    """
    with _opened(path, limits) as archive:
        return len(_checked_files(archive, limits))


def read_members(path: Path, limits: ArchiveLimits) -> Iterator[bytes]:
    """Check an archive, then inflate its files one by one, in the order of its directory.

    Raises UnusableArchive or TooLarge, at the latest at the member that is broken.
    """
    with _opened(path, limits) as archive:
        for number, member in enumerate(_checked_files(archive, limits), start=1):
            yield b"".join(_pieces(archive, member, number))


def read_named(path: Path, limits: ArchiveLimits) -> Iterator[NamedPieces]:
    """The same with the names of the files, and with those that are empty; not those of an operating system.

    Each is inflated in pieces as these are asked for. Raises what `read_members` raises.
    """
    with _opened(path, limits) as archive:
        _checked_files(archive, limits)
        for number, member in enumerate(archive.infolist(), start=1):
            if member.file_size > 0 and not _is_folder(member):
                pieces = partial(_pieces, archive, member, number)
                yield NamedPieces(member.filename, member.file_size, pieces)
            elif not _is_folder(member) and not is_of_a_system(member.filename):
                yield NamedPieces(member.filename, 0, partial(iter, ()))


@contextmanager
def opened_members(path: Path, limits: ArchiveLimits) -> Iterator[list[Opener]]:
    """Check an archive, and give its files to be opened, in the order of its directory.

    Raises what `read_members` raises, and so does the reading of a file that is damaged.
    """
    with _opened(path, limits) as archive:
        yield [
            partial(_opened_member, archive, member, number)
            for number, member in enumerate(_checked_files(archive, limits), start=1)
        ]


@contextmanager
def _opened(path: Path, limits: ArchiveLimits) -> Iterator[zipfile.ZipFile]:
    with _Bounded(path, max_read=max(_CHUNK, _ENTRY * limits.max_members)) as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise UnusableArchive("expected a zip archive with files in it, got something else")
        try:
            archive = zipfile.ZipFile(file)
        except (
            zipfile.BadZipFile,
            NotImplementedError,
            struct.error,
            ValueError,
            ArithmeticError,
            OSError,
        ) as error:
            raise UnusableArchive(
                "expected a whole zip archive, got one with a broken directory: the upload, or the "
                "file itself, may have been cut off; send it again"
            ) from error
        yield archive


class _Bounded(BufferedReader):
    """A file that is not read in large pieces: `zipfile` reads the directory in one, before any check."""

    def __init__(self, path: Path, *, max_read: int) -> None:
        super().__init__(FileIO(path))
        self._max_read = max_read

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._max_read:
            raise TooLarge(
                f"expected an archive with a directory of at most {self._max_read} bytes, got {size}"
            )
        return super().read(size)


def _checked_files(archive: zipfile.ZipFile, limits: ArchiveLimits) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > limits.max_members:
        raise TooLarge(f"expected at most {limits.max_members} members in the archive, got {len(members)}")
    for member in members:
        _check_member(member)
    _check_overlap(members, archive.start_dir)
    files = [member for member in members if not _is_folder(member)]
    if not files:
        raise UnusableArchive("expected files in the archive, got none: it is empty")
    filled = [member for member in files if member.file_size > 0]
    if not filled:
        raise UnusableArchive(
            f"expected files with something in them, got {counted(len(files), 'file')} of 0 bytes"
        )
    _check_expansion(filled, limits)
    return filled


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.filename.endswith("/")


def _check_member(member: zipfile.ZipInfo) -> None:
    if member.flag_bits & 0x1:
        raise UnusableArchive("expected an archive without a password, got one with encrypted members")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(member.compress_type, f"method {member.compress_type}")
        raise UnusableArchive(
            "expected files that are packed with Deflate, as most programs do, or not at all, got the "
            f"compression {method}; save the archive again with Deflate"
        )
    file_type = stat.S_IFMT(member.external_attr >> 16)
    if file_type not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnusableArchive("expected files and folders in the archive, got a link or a device")


def _check_overlap(members: Sequence[zipfile.ZipInfo], end: int) -> None:
    """No two members may share bytes: so a small archive could hold the same large file many times."""
    places = sorted((member.header_offset, member.compress_size) for member in members)
    for (offset, size), (next_offset, _) in pairwise([*places, (end, 0)]):
        if offset < 0 or offset + _LOCAL_HEADER + size > next_offset:
            raise UnusableArchive("expected members that follow one another, got some that overlap")


def _check_expansion(files: Sequence[zipfile.ZipInfo], limits: ArchiveLimits) -> None:
    largest = max(file.file_size for file in files)
    if largest > limits.max_member_bytes:
        raise TooLarge(f"expected members of at most {limits.max_member_bytes} bytes, got one of {largest}")
    total = sum(file.file_size for file in files)
    if total > limits.max_total_bytes:
        raise TooLarge(f"expected an archive of at most {limits.max_total_bytes} bytes expanded, got {total}")
    ratio = total / max(1, sum(file.compress_size for file in files))
    if ratio > limits.max_ratio:
        raise TooLarge(
            f"expected an archive that expands at most {limits.max_ratio:g} times, got {ratio:.0f}"
        )


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo, number: int) -> Iterator[bytes]:
    """The content of a member; never more than the directory says, which was checked."""
    n_bytes = 0
    with _opened_member(archive, member, number) as file:
        while piece := file.read(_PIECE_BYTES):
            n_bytes += len(piece)
            yield piece
    if n_bytes != member.file_size:
        raise UnusableArchive(f"expected {member.file_size} bytes in member {number}, got {n_bytes}")


@contextmanager
def _opened_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, number: int) -> Iterator[BinaryIO]:
    try:
        with archive.open(member) as file:
            yield cast(BinaryIO, file)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        zlib.error,
        struct.error,
    ) as error:
        raise UnusableArchive(f"expected whole members, got a damaged one (number {number})") from error
