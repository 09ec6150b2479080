"""What of some files and folders is a scan of its own."""

import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from zipfile import BadZipFile, ZipFile, ZipInfo

from cli.examples import find_scans, mask_beside, stem
from disyre.errors import NotAnImage

_PREAMBLE_BYTES: Final = 128
_DICOM_MAGIC: Final = b"DICM"
_NO_ZIP: Final = (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, zlib.error)
"""What is raised of a file that is no zip, or one that is broken, encrypted or packed in an unknown way."""


@dataclass(frozen=True)
class Scan:
    """One scan."""

    path: Path
    """A file, or a folder of DICOM files."""
    files: tuple[Path, ...]
    mask: Path | None = None
    """A brain mask on its grid."""
    root: Path | None = None
    """The folder that it was found in or below; None of one that was named itself."""
    source: tuple[str, str, str] | None = None
    """Archive, study and series of one that the service is to fetch: there are no files, `path` is a name."""

    @property
    def name(self) -> str:
        """The path as it was found."""
        return str(self.path)

    @property
    def place(self) -> Path:
        """Where it lies below `root`, without what says its format: what tells it from the others there.

        >>> Scan(Path("bids/sub-01/anat/x.nii.gz"), (), root=Path("bids")).place
        PosixPath('sub-01/anat/x')
        """
        name = self.path.name if self.source else stem(self.path) or self.path.resolve().name
        if self.root is None or self.path == self.root:
            return Path(name)
        return self.path.relative_to(self.root).with_name(name)


def scan_in_archive(server: str, study: str, series: str) -> Scan:
    """A series that the service is to fetch; it is called by its UID."""
    return Scan(Path(series), (), source=(server, study, series))


def scan_at(path: Path) -> Scan:
    """The one scan in a file or a folder. Raises NotAnImage if there is no file.

    Of a folder without DICOM files, the NIfTI file or zip if there is one; else all that is in it and below.
    """
    if not path.is_dir():
        return Scan(path, (path,), mask_beside(path))
    files = tuple(_files_below(path))
    single = find_scans(path)
    if len(single) == 1 and not any(map(is_dicom, files)):
        return Scan(single[0][0], (single[0][0],), single[0][1])
    if not files:
        raise NotAnImage("expected a folder with the files of a scan, got one without files")
    return Scan(path, files)


def _files_below(folder: Path) -> Iterator[Path]:
    """All files but for hidden ones, always in the same order."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where) / name for name in sorted(names) if not name.startswith("."))


def is_dicom(file: Path) -> bool:
    """Whether a file begins as DICOM files do; one that cannot be read does not."""
    try:
        if not file.is_file():
            return False
        with file.open("rb") as content:
            return _begins_as_dicom(content)
    except OSError:
        return False


def holds_dicom(file: Path) -> bool:
    """Whether a file is DICOM, or a zip with a DICOM file in it; one that cannot be read is neither."""
    if is_dicom(file):
        return True
    try:
        if not file.is_file():  # a pipe would be waited for
            return False
        with ZipFile(file) as archive:
            return any(_is_dicom_in(archive, member) for member in archive.infolist())
    except _NO_ZIP:
        return False


def _is_dicom_in(archive: ZipFile, member: ZipInfo) -> bool:
    if member.file_size <= _PREAMBLE_BYTES:
        return False
    with archive.open(member) as content:
        return _begins_as_dicom(content)


def _begins_as_dicom(content: IO[bytes]) -> bool:
    return content.read(_PREAMBLE_BYTES + len(_DICOM_MAGIC))[_PREAMBLE_BYTES:] == _DICOM_MAGIC


def folders_for(scans: Iterable[Scan], out: Path) -> Iterator[Path]:
    """A folder below `out` for the results of each scan, by its place; no two have the same."""
    taken: set[Path] = set()
    for scan in scans:
        place, number = scan.place, 1
        while (unique := place if number == 1 else place.with_name(f"{place.name}-{number}")) in taken:
            number += 1
        taken.add(unique)
        yield out / unique
