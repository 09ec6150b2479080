"""Where scans and brain masks lie in a BIDS data set (bids-specification.readthedocs.io)."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from disyre.errors import InvalidInput
from disyre.modality import MODALITIES

_ANAT = ("sub-*/anat", "sub-*/ses-*/anat")
_OF_DERIVATIVES: Final = frozenset({"label", "desc", "space", "res", "den"})
"""Entities that say what was derived and on which grid, and not from which scan."""


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

    Named `<name>_brainmask`, or `brainmask` for a scan that is called as its modality alone; or, as in BIDS,
    `<name>[_space-orig]_desc-brain_mask` or `_label-brain_mask`.
    Raises InvalidInput if several masks fit.
    """
    alone = "" if "_" in scan.name else "brainmask|"
    expected = re.compile(
        rf"({alone}{re.escape(name)}(_brainmask|(_space-orig)?_(desc|label)-brain_mask))\.nii(\.gz)?"
    )
    for folders in ([scan.parent], _derivatives(scan)):
        found = [path for folder in folders for path in folder.iterdir() if expected.fullmatch(path.name)]
        if len(found) > 1:
            raise InvalidInput(f"expected one brain mask of {name}, got {len(found)}")
        if found:
            return found[0]
    return None


def find_derived(scan: Path, modality: str, patterns: Sequence[str]) -> list[Path]:
    """The files of a raw scan in data sets below `derivatives/` whose names fit one of some patterns.

    They are of its subject and session, have no entity (acq, run, …) with another value than its own, and lie
    in its space.
    """
    subject = next((place for place in scan.parents if place.name.startswith("sub-")), None)
    if subject is None:
        return []
    below, name = subject.parent / "derivatives", subject.name
    places = [*below.glob(name), *below.glob(f"*/{name}")]
    files = {path for place in places for path in place.rglob("*.nii*")} | set(below.glob(f"*/{name}_*.nii*"))
    named = [path for path in files if any(fnmatchcase(path.name, pattern) for pattern in patterns)]
    return sorted(path for path in named if _is_of(path.name, scan.name, modality))


def _is_of(derived: str, scan: str, modality: str) -> bool:
    """Whether a file is derived from a raw scan, by their names.

    >>> _is_of("sub-1_run-2_space-orig_label-lesion_mask.nii.gz", "sub-1_run-2_T1w.nii.gz", "T1w")
    True
    >>> _is_of("sub-1_run-2_label-lesion_mask.nii.gz", "sub-1_run-1_T1w.nii.gz", "T1w")
    False
    """
    (own, words), (raw, _) = _parts(derived), _parts(scan)
    space = own.get("space")
    return (
        all(own.get(key) == raw.get(key) for key in ("sub", "ses"))
        and all(raw.get(key) == value for key, value in own.items() if key not in _OF_DERIVATIVES)
        and space in (None, "orig", modality, raw.get("space"))
        and not (set(MODALITIES) - {modality}).intersection(words)
    )


def _parts(name: str) -> tuple[dict[str, str], list[str]]:
    """The entities of a file, such as `run-2`, and the other words of its name."""
    words = name.split(".")[0].split("_")
    return dict(word.split("-", 1) for word in words if "-" in word), [
        word for word in words if "-" not in word
    ]


def _derivatives(scan: Path) -> list[Path]:
    """The folders that stand for a raw scan's own in the data sets derived from it."""
    subject = next((place for place in scan.parents if place.name.startswith("sub-")), None)
    if subject is None or scan.parent.name != "anat":
        return []
    place = scan.parent.relative_to(subject.parent)
    return sorted(path for path in subject.parent.glob(f"derivatives/*/{place}") if path.is_dir())
