"""Which files are a case: a scan and its lesion mask, in a folder of their own or in a BIDS data set."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import ValidationError

from disyre.errors import InvalidInput
from disyre.frozen import Frozen
from disyre.modality import Modality
from model_export.bids import bids_scans, find_brain_mask, find_derived
from model_export.dataset import scan_name
from model_export.split_file import few

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
        found = _first(folder, [pattern.format(modality=modality, short=short) for pattern in self.scan])
        return found[0] if found else None

    def mask_in(self, folder: Path, kind: Literal["lesion", "brain_mask"]) -> Path | None:
        """The mask of a kind, if there is one.

        Raises InvalidInput if several have names of a mask; patterns of `cases.toml` go before one another.
        """
        patterns = getattr(self, kind)
        in_turn = patterns if kind in self.model_fields_set else ()
        found = _first(folder, in_turn) or sorted({path for one in patterns for path in folder.glob(one)})
        if len(found) > 1:
            what, names = kind.replace("_", " "), few([path.name for path in found])
            which = f"a pattern in {LAYOUT_FILE} says which is meant"
            raise InvalidInput(f"expected one {what} in {folder}, got {names}; {which}")
        return found[0] if found else None


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case."""

    name: str
    scan: Path
    lesion: Path
    brain_mask: Path | None
    """None: the scan is skull-stripped."""


@dataclass(frozen=True)
class FoundCases:
    """What a folder of cases has."""

    cases: list[CaseFiles]
    without_lesion: list[str]
    """Names of scans of the modality that have no lesion mask; of a BIDS data set, of raw ones only."""


def find_cases(folder: Path, modality: Modality) -> FoundCases:
    """The cases below a folder, by name, without a look into any file.

    A case is a scan of the modality and a lesion mask in one folder; or a raw scan of a BIDS data set, of
    which a data set below `derivatives/` has the lesion mask.
    Raises InvalidInput if there is none, or if a scan has several masks or a mask several scans.
    """
    layout = Layout.read(folder)
    places = {place: case for place in _places(folder) if (case := _in_one(place, layout, modality))}
    cases = [CaseFiles(_name(place, folder), *files) for place, files in sorted(places.items())]
    raw = [scan for scan in bids_scans(folder, modality) if scan.parent not in places]
    cases += _derived(raw, layout, modality, used=set(places))
    if not cases:
        raise InvalidInput(
            f"expected folders with a {modality} scan and a lesion mask in each below {folder}, or raw scans "
            "of a BIDS data set whose lesion masks are below derivatives/, found none"
        )
    return FoundCases(cases, _without_lesion(folder, layout, modality, cases))


def _name(place: Path, folder: Path) -> str:
    """Of a case: its folder below that of all cases, or what the only one is called that was given itself."""
    return place.relative_to(folder).as_posix() if place != folder else folder.resolve().name


def _without_lesion(
    folder: Path, layout: Layout, modality: Modality, cases: Sequence[CaseFiles]
) -> list[str]:
    taken = {case.scan for case in cases}
    found = bids_scans(folder, modality) or [
        scan for place in _places(folder) if (scan := layout.scan_in(place, modality))
    ]
    return sorted(_name(scan.parent, folder) for scan in found if scan not in taken)


def _places(folder: Path) -> set[Path]:
    """A folder and all below."""
    return {folder, *folder.rglob("*/")}


def _in_one(place: Path, layout: Layout, modality: Modality) -> tuple[Path, Path, Path | None] | None:
    """Scan, lesion and, if there is one, brain mask in a folder; None if it is no case."""
    scan = layout.scan_in(place, modality)
    lesion = layout.mask_in(place, "lesion") if scan is not None else None
    if scan is None or lesion is None:
        return None
    return scan, lesion, layout.mask_in(place, "brain_mask") or find_brain_mask(scan, scan_name(scan))


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


def _first(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """The files that fit the first pattern which any file fits, by name."""
    found = (sorted(folder.glob(pattern)) for pattern in patterns)
    return next((paths for paths in found if paths), [])
