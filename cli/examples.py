"""The scans that come with the project, and the brain masks that lie beside them."""

from pathlib import Path
from typing import Final

_MASK_SUFFIX: Final = "_mask.nii.gz"


def find_scans(folder: Path) -> list[tuple[Path, Path | None]]:
    """Scans in a folder, NIfTI first, each with its brain mask `<scan>_mask.nii.gz` if that is there."""
    files = [file for pattern in ("*.nii", "*.nii.gz", "*.zip") for file in sorted(folder.glob(pattern))]
    scans = [file for file in files if not file.name.endswith(_MASK_SUFFIX)]
    masks = [folder / f"{stem(scan)}{_MASK_SUFFIX}" for scan in scans]
    return [(scan, mask if mask.exists() else None) for scan, mask in zip(scans, masks, strict=True)]


def stem(scan: Path) -> str:
    """The name of a scan without what says its format.

    >>> stem(Path("examples/t1w.nii.gz"))
    't1w'
    """
    return scan.name.removesuffix(".gz").removesuffix(".nii").removesuffix(".zip")
