"""What the files of a zip archive begin with, and archives among them.

An archive beside images is a foreign file, such as the viewer on a patient's CD or a report, if there is no
image in it. One in which there is an image, or that cannot be looked into, may hold a part of the scan.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Final

from disyre.adapters.archive import ArchiveLimits, opened_members
from disyre.errors import InvalidInput, NotAnImage, TooLarge, UnusableArchive
from disyre.media import HEAD_BYTES, MediaFormat, sniff
from disyre.types import Opener

_CHUNK: Final = 2**20
_ENTRY_MAGIC: Final = b"PK\x01\x02"
"""In front of each member in a directory."""
_EXPECTED: Final = "expected image files in the archive, got an archive"


def read_heads(path: Path, limits: ArchiveLimits) -> Iterator[bytes]:
    """Check an archive, then give the first `HEAD_BYTES` of each of its files but for archives, in order.

    Raises what `read_members` raises, and in the end UnusableArchive if there are archives among the files
    and no image beside them, or an image in one of them.
    """
    archives: list[Opener] = []
    has_image = False
    with opened_members(path, limits) as members:
        for member in members:
            head = _head(member)
            kind = _kind(head)
            if kind == "zip":
                archives.append(member)
                continue
            has_image |= kind != "other"
            yield head
        if archives and not has_image:
            raise UnusableArchive(f"{_EXPECTED} within the archive; send that by itself")
        _check_foreign(archives, limits, path.parent)


def holds_image(path: Path, limits: ArchiveLimits) -> bool:
    """Whether there is an image among the files of an archive; archives among them are not looked into.

    Raises what `read_members` raises.
    """
    with opened_members(path, limits) as members:
        return any(_kind(_head(member)) not in ("zip", "other") for member in members)


def _check_foreign(archives: Sequence[Opener], limits: ArchiveLimits, folder: Path) -> None:
    """Raise UnusableArchive if an archive beside images holds an image too, or cannot be looked into.

    One at a time is kept in a temporary file in `folder`, not in memory.
    """
    left = limits.max_inner_members
    for archive in archives:
        try:
            with NamedTemporaryFile(dir=folder) as content:
                left -= _copied(archive, content)
                if left < 0:
                    most = limits.max_inner_members
                    raise TooLarge(f"expected at most {most} files in all of them, got more")
                found = holds_image(Path(content.name), replace(limits, max_members=limits.max_inner_members))
        except InvalidInput as error:
            raise UnusableArchive(
                f"{_EXPECTED} beside the images that cannot be looked into ({error}); leave it out, unless "
                "it holds images of the scan"
            ) from error
        if found:
            raise UnusableArchive(
                f"{_EXPECTED} beside the images that holds images too; unpack it and send all images of the "
                "scan in one zip, or leave it out"
            )


def _copied(member: Opener, content: IO[bytes]) -> int:
    """Copy an archive, in pieces; how many entries its directory may have."""
    n_entries, end = 0, b""
    with member() as file:
        while piece := file.read(_CHUNK):
            content.write(piece)
            n_entries += (end + piece).count(_ENTRY_MAGIC)
            end = piece[1 - len(_ENTRY_MAGIC) :]
    content.flush()
    return n_entries


def _head(member: Opener) -> bytes:
    with member() as file:
        return file.read(HEAD_BYTES)


def _kind(head: bytes) -> MediaFormat:
    try:
        return sniff(head)
    except NotAnImage:
        return "other"
