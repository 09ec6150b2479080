"""Which files are a case: a scan and its lesion mask, in a folder of their own or in a BIDS data set."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pydantic import ValidationError

from disyre.errors import InvalidInput
from disyre.frozen import Frozen
from disyre.modality import Modality
from model_export.bids import bids_scans, find_brain_mask, find_derived
from model_export.dataset import scan_name

LAYOUT_FILE: Final = "cases.toml"
"""In a folder of cases: what the data set is called, and its files, if they are not called as expected."""


class Layout(Frozen):
    """What the files of a case are called: patterns with wildcards, of which the first that fits is taken.

    `{modality}` stands for T1w, T2w or FLAIR, `{short}` for t1, t2 or flair.
    """

    name: str = ""
    """Of the data set, for the report; without it the folder's name is taken."""
    scan: tuple[str, ...] = ("{modality}.nii*", "*_{modality}.nii*")
    lesion: tuple[str, ...] = (
        "lesion*.nii*",
        "*_lesion*.nii*",
        "*_label-lesion*.nii*",
        "*_desc-*lesion*.nii*",
    )
    """Everything above 0 is lesion."""
    brain_mask: tuple[str, ...] = ("brainmask.nii*", "*_brainmask.nii*")
    """May be absent, if the scan is skull-stripped."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The layout that a folder of cases has in its `cases.toml`, or else the usual one.

        Raises InvalidInput if the file is not as expected.
        """
        path = folder / LAYOUT_FILE
        if not path.is_file():
            return cls()
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, ValidationError) as error:
            raise InvalidInput(f"expected a name or lists of patterns in {LAYOUT_FILE}: {error}") from error

    def scan_in(self, folder: Path, modality: Modality) -> Path | None:
        """The scan of a modality."""
        short = modality.lower().removesuffix("w")
        return _first(folder, [pattern.format(modality=modality, short=short) for pattern in self.scan])


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case."""

    name: str
    scan: Path
    lesion: Path
    brain_mask: Path | None
    """None: the scan is skull-stripped."""


def find_cases(folder: Path, modality: Modality) -> list[CaseFiles]:
    """The cases below a folder, by name, without a look into any file.

    A case is a scan of the modality and a lesion mask in one folder; or a raw scan of a BIDS data set, of
    which a data set below `derivatives/` has the lesion mask.
    Raises InvalidInput if there is none, or if a scan has several masks or a mask several scans.
    """
    layout = Layout.read(folder)
    places = {
        place: case for place in {folder, *folder.rglob("*/")} if (case := _in_one(place, layout, modality))
    }
    cases = [
        CaseFiles(place.relative_to(folder).as_posix(), *files) for place, files in sorted(places.items())
    ]
    raw = [scan for scan in bids_scans(folder, modality) if scan.parent not in places]
    cases += _derived(raw, layout, modality, used=set(places))
    if not cases:
        raise InvalidInput(
            f"expected folders with a {modality} scan and a lesion mask in each below {folder}, or raw scans "
            "of a BIDS data set whose lesion masks are below derivatives/, found none"
        )
    return cases


def _in_one(place: Path, layout: Layout, modality: Modality) -> tuple[Path, Path, Path | None] | None:
    """Scan, lesion and, if there is one, brain mask in a folder; None if it is no case."""
    scan, lesion = layout.scan_in(place, modality), _first(place, layout.lesion)
    if scan is None or lesion is None:
        return None
    return scan, lesion, _first(place, layout.brain_mask) or find_brain_mask(scan, scan_name(scan))


def _derived(
    scans: Sequence[Path], layout: Layout, modality: Modality, *, used: set[Path]
) -> Iterator[CaseFiles]:
    """The raw scans that have a lesion mask among the derivatives, but in a folder that is used already."""
    owners: dict[Path, Path] = {}
    for scan in scans:
        found = [mask for mask in find_derived(scan, modality, layout.lesion) if mask.parent not in used]
        if len(found) > 1:
            raise InvalidInput(f"expected one lesion mask of {scan_name(scan)}, got {len(found)}")
        for lesion in found:
            if (other := owners.setdefault(lesion, scan)) != scan:
                names = f"{scan_name(other)} and {scan_name(scan)}"
                raise InvalidInput(f"expected a lesion mask of one {modality} scan, got one of both {names}")
            yield CaseFiles(scan_name(scan), scan, lesion, find_brain_mask(scan, scan_name(scan)))


def _first(folder: Path, patterns: Sequence[str]) -> Path | None:
    return next((path for pattern in patterns for path in sorted(folder.glob(pattern))), None)
