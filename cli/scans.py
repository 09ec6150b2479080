"""What of some files and folders is a scan of its own."""

import os
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.examples import find_scans, mask_beside, stem
from disyre.errors import NotAnImage

_PREAMBLE_BYTES: Final = 128
_DICOM_MAGIC: Final = b"DICM"


@dataclass(frozen=True)
class Scan:
    """One scan."""

    path: Path
    """A file, or a folder of DICOM files."""
    files: tuple[Path, ...]
    mask: Path | None = None
    """A brain mask on its grid."""

    @property
    def name(self) -> str:
        """The path as it was found."""
        return str(self.path)


def scans_at(path: Path) -> list[Scan]:
    """The scan in a file; in a folder each NIfTI file and zip, and each folder below with DICOM files in it.

    A mask `<scan>_mask.nii.gz` that lies beside a scan goes with it. What is not there is a scan all the
    same: whoever opens it finds out.
    """
    if not path.is_dir():
        return [Scan(path, (path,), mask_beside(path))]
    single = [Scan(file, (file,), mask) for file, mask in find_scans(path)]
    alone = {file for scan in single for file in (*scan.files, scan.mask) if file}
    return [*single, *_series_below(path, alone)]


def scan_at(path: Path) -> Scan:
    """The one scan in a file or a folder. Raises NotAnImage if there is no file.

    Of a folder without DICOM files, the NIfTI file or zip if there is one; else all that is in it and below.
    """
    if not path.is_dir():
        return Scan(path, (path,), mask_beside(path))
    files = tuple(_files_below(path))
    single = find_scans(path)
    if len(single) == 1 and not any(map(_is_dicom, files)):
        return Scan(single[0][0], (single[0][0],), single[0][1])
    if not files:
        raise NotAnImage("expected a folder with the files of a scan, got one without files")
    return Scan(path, files)


def _files_below(folder: Path) -> Iterator[Path]:
    """All files but for hidden ones, always in the same order."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where) / name for name in sorted(names) if not name.startswith("."))


def _series_below(folder: Path, alone: Container[Path]) -> Iterator[Scan]:
    """Each folder with DICOM files, with all that lies beside them but for the scans that stand `alone`."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = [Path(where) / name for name in sorted(names) if not name.startswith(".")]
        files = [file for file in files if file not in alone]
        if any(map(_is_dicom, files)):
            yield Scan(Path(where), tuple(files))


def _is_dicom(file: Path) -> bool:
    try:
        with file.open("rb") as content:
            return content.read(_PREAMBLE_BYTES + len(_DICOM_MAGIC))[_PREAMBLE_BYTES:] == _DICOM_MAGIC
    except OSError:
        return False


def folders_for(scans: Iterable[Scan], out: Path) -> Iterator[Path]:
    """A folder below `out` for the results of each scan, named after it; no two have the same."""
    taken: set[str] = set()
    for scan in scans:
        name = stem(scan.path) or scan.path.resolve().name
        number = 1
        while (unique := name if number == 1 else f"{name}-{number}") in taken:
            number += 1
        taken.add(unique)
        yield out / unique
