"""The scans in a folder, and the brain masks that lie beside them."""

import os
from pathlib import Path
from typing import Final

_MASK_SUFFIX: Final = "_mask.nii.gz"
_SINGLE: Final = (".nii.gz", ".nii", ".zip")


def find_scans(folder: Path) -> list[tuple[Path, Path | None]]:
    """Scans in a folder, NIfTI first, each with its brain mask `<scan>_mask.nii.gz` if that is there."""
    files = [file for pattern in ("*.nii", "*.nii.gz", "*.zip") for file in sorted(folder.glob(pattern))]
    scans = [file for file in files if not is_mask(file)]
    return [(scan, mask_beside(scan)) for scan in scans]


def is_mask(file: Path) -> bool:
    """Whether a file is named as the brain mask of a scan."""
    return file.name.endswith(_MASK_SUFFIX)


def is_single(file: Path) -> bool:
    """Whether a file is named as a scan by itself, NIfTI or zip."""
    return file.name.lower().endswith(_SINGLE) and not is_mask(file)


def mask_beside(scan: Path) -> Path | None:
    """The brain mask of a scan, if it lies beside it."""
    mask = scan.with_name(f"{stem(scan)}{_MASK_SUFFIX}")
    return mask if os.path.exists(mask) else None  # of the longest names there is none


def stem(scan: Path) -> str:
    """The name of a scan without what says its format.

    >>> stem(Path("examples/t1w.nii.gz"))
    't1w'
    """
    end = next((end for end in _SINGLE if scan.name.lower().endswith(end)), "")
    return scan.name[: len(scan.name) - len(end)]
