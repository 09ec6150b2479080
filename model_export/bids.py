"""Where scans and brain masks lie in a BIDS data set (bids-specification.readthedocs.io)."""

import re
from pathlib import Path

from disyre.errors import InvalidInput

_ANAT = ("sub-*/anat", "sub-*/ses-*/anat")


def bids_scans(folder: Path, modality: str) -> list[Path]:
    """The raw scans of a BIDS data set, by name: `sub-*/[ses-*/]anat/*_<modality>.nii[.gz]`."""
    patterns = [f"{anat}/*_{modality}.nii{ending}" for anat in _ANAT for ending in ("", ".gz")]
    return sorted(path for pattern in patterns for path in folder.glob(pattern))


def person_of(name: str) -> str:
    """Who a scan is of: the BIDS subject if the name begins with one, or else the whole name.

    >>> person_of("sub-01_ses-2_run-1"), person_of("IXI002-Guys-0828")
    ('sub-01', 'IXI002-Guys-0828')
    """
    return name.split("_")[0] if name.startswith("sub-") else name


def find_brain_mask(scan: Path, name: str) -> Path | None:
    """The brain mask of a scan: beside it, or in the same place of a data set below `derivatives/`.

    Named `<name>_brainmask` or, as in BIDS, `<name>[_space-orig]_desc-brain_mask` or `_label-brain_mask`.
    Raises InvalidInput if several masks fit.
    """
    expected = re.compile(
        rf"{re.escape(name)}(_brainmask|(_space-orig)?_(desc|label)-brain_mask)\.nii(\.gz)?"
    )
    for folders in ([scan.parent], _derivatives(scan)):
        found = [path for folder in folders for path in folder.iterdir() if expected.fullmatch(path.name)]
        if len(found) > 1:
            raise InvalidInput(f"expected one brain mask of {name}, got {len(found)}")
        if found:
            return found[0]
    return None


def _derivatives(scan: Path) -> list[Path]:
    """The folders that stand for a raw scan's own in the data sets derived from it."""
    subject = next((place for place in scan.parents if place.name.startswith("sub-")), None)
    if subject is None or scan.parent.name != "anat":
        return []
    place = scan.parent.relative_to(subject.parent)
    return sorted(path for path in subject.parent.glob(f"derivatives/*/{place}") if path.is_dir())
