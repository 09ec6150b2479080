"""The scans in a folder and in all folders below it, and what else is there: nothing is left out unsaid."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cli.examples import is_mask, is_single, mask_beside
from cli.scans import Scan, is_dicom
from disyre.result_names import ANOMALY_MAP, SUMMARY

_NO_SCAN: Final = "neither NIfTI (.nii, .nii.gz), zip nor DICOM"
_HIDDEN: Final = "hidden"
_LONE_MASK: Final = "a brain mask without its scan"
_INDEX: Final = "an index of DICOM files"
_RESULTS: Final = "the folder for the results"
_EARLIER_RESULTS: Final = "results of an earlier time"
_UNREADABLE: Final = "cannot be read"
_LINK: Final = "a link to a folder, which has to be named itself"


@dataclass(frozen=True)
class LeftOut:
    """A file or a folder that is no scan, or is not looked into."""

    path: Path
    reason: str
    may_be_scan: bool = False
    """Whether scans may be missed by it."""


@dataclass(frozen=True)
class ScanTree:
    """What was found."""

    scans: tuple[Scan, ...]
    left_out: tuple[LeftOut, ...] = ()

    @classmethod
    def at(cls, path: Path, *, results: Path) -> Self:
        """The scan in a file; of a folder each NIfTI file, each zip and each folder with DICOM files.

        All folders below are looked into, but for hidden ones, links, `results`, and those with results. A
        mask `<scan>_mask.nii.gz` that lies beside a scan goes with it. A path where nothing is is a scan all
        the same: whoever opens it finds out.
        """
        if not path.is_dir():
            return cls((Scan(path, (path,), mask_beside(path)),))
        found = [*_walk(path, results)]
        scans = tuple(each for each in found if isinstance(each, Scan))
        return cls(scans, tuple(each for each in found if isinstance(each, LeftOut)))


def _walk(root: Path, results: Path) -> Iterator[Scan | LeftOut]:
    unreadable: list[OSError] = []
    for where, folders, names in os.walk(root, onerror=unreadable.append):
        folder = Path(where)
        yield from _not_entered(folder, folders, results)
        yield from _in_folder(folder, sorted(names), root)
    for error in unreadable:
        yield LeftOut(Path(error.filename), _UNREADABLE, may_be_scan=True)


def _not_entered(folder: Path, names: list[str], results: Path) -> Iterator[LeftOut]:
    """The folders in a folder that are left out; `names` keeps the others, sorted."""
    reasons = {name: _reason(folder / name, results) for name in sorted(names)}
    names[:] = [name for name, reason in reasons.items() if reason is None]
    for name, reason in reasons.items():
        if reason is not None:
            yield LeftOut(folder / name, reason, may_be_scan=reason == _LINK)


def _reason(folder: Path, results: Path) -> str | None:
    """Why a folder is not looked into; None if it is."""
    if folder.name.startswith("."):
        return _HIDDEN
    if os.path.islink(folder):
        return _LINK
    if os.path.realpath(folder) == os.path.realpath(results):
        return _RESULTS
    is_scored = all(os.path.isfile(folder / name) for name in (ANOMALY_MAP, SUMMARY))
    return _EARLIER_RESULTS if is_scored else None


def _in_folder(folder: Path, names: list[str], root: Path) -> Iterator[Scan | LeftOut]:
    """The scans of one folder: its NIfTI files and zips, then, if one is DICOM, all its other files."""
    files = [folder / name for name in names if not name.startswith(".")]
    single = [Scan(file, (file,), mask_beside(file), root) for file in files if is_single(file)]
    yield from single
    alone = {file for scan in single for file in (scan.path, scan.mask)}
    others = [file for file in files if file not in alone]
    series = [file for file in others if not is_mask(file) and not _is_index(file)]
    series.sort(
        key=lambda file: not is_dicom(file)
    )  # the service refuses what is large and before all images
    if series and is_dicom(series[0]):
        yield Scan(folder, tuple(series), root=root)
        others = [file for file in others if file not in set(series)]
    yield from map(_no_scan, others)
    yield from (LeftOut(folder / name, _HIDDEN) for name in names if name.startswith("."))


def _no_scan(file: Path) -> LeftOut:
    if not (os.path.isfile(file) and os.access(file, os.R_OK)):
        return LeftOut(file, _UNREADABLE, may_be_scan=True)
    return LeftOut(file, _LONE_MASK if is_mask(file) else _INDEX if _is_index(file) else _NO_SCAN)


def _is_index(file: Path) -> bool:
    return file.name.upper() == "DICOMDIR"
