"""Cases: a scan, its brain, and where in it the lesion is; nowhere, in a healthy scan."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import numpy as np
from pydantic import ValidationError

from disyre import brain, given_mask
from disyre.adapters.nifti import read_nifti
from disyre.errors import InvalidInput
from disyre.frozen import Frozen
from disyre.modality import Modality
from disyre.types import Mask
from disyre.volume import Volume
from model_export.dataset import Scan, scan_name

LAYOUT_FILE: Final = "cases.toml"
"""In a folder of cases: what the data set is called, and its files, if they are not called as expected."""


@dataclass(frozen=True, eq=False)
class Case:
    """One scan and its lesion, on one grid."""

    name: str
    volume: Volume
    brain_mask: Mask
    lesion: Mask
    """Empty in a healthy scan."""
    facts: Mapping[str, str | float] = field(default_factory=dict)
    """How a semi-synthetic lesion was made."""

    @classmethod
    def healthy(cls, scan: Scan) -> Self:
        """A scan without a lesion."""
        return cls(scan.name, scan.volume, scan.brain_mask, np.zeros(scan.volume.shape, dtype=np.bool_))


class Layout(Frozen):
    """What the files of a case are called: patterns with wildcards, of which the first that fits is taken.

    `{modality}` stands for T1w, T2w or FLAIR, `{short}` for t1, t2 or flair.
    """

    name: str = ""
    """Of the data set, for the report; without it the folder's name is taken."""
    scan: tuple[str, ...] = ("{modality}.nii*", "*_{modality}.nii*")
    lesion: tuple[str, ...] = ("lesion*.nii*", "*_lesion*.nii*")
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


def read_cases(folder: Path, modality: Modality) -> Iterator[Case]:
    """The cases below a folder that have a scan of a modality and a lesion mask in one folder, by name.

    Raises InvalidInput if there is none, MaskMismatch for a mask on another grid.
    """
    layout = Layout.read(folder)
    for place in find_cases(folder, modality):
        yield _read_case(place, layout, modality, place.relative_to(folder).as_posix())


def find_cases(folder: Path, modality: Modality) -> list[Path]:
    """The folders of the cases below a folder, without a look into any file.

    Raises InvalidInput if there is none.
    """
    layout = Layout.read(folder)
    places = [place for place in sorted({folder, *folder.rglob("*/")}) if _is_case(place, layout, modality)]
    if not places:
        raise InvalidInput(
            f"expected folders with a {modality} scan and a lesion mask in each below {folder}, found none"
        )
    return places


def read_healthy(folders: Sequence[Path], modality: Modality, names: Sequence[str] = ()) -> list[Scan]:
    """The scans of a modality below some folders, by name; of all, or those that are named.

    The brain of a scan is the `_brainmask` file beside it, or else all that is not background.
    Raises InvalidInput if there is none, or if one that is named is missing.
    """
    return [read_scan(path) for path in find_healthy(folders, modality, names)]


def find_healthy(folders: Sequence[Path], modality: Modality, names: Sequence[str] = ()) -> list[Path]:
    """The files of the scans of a modality below some folders, without a look into any.

    A scan is called what stands before `_<modality>` in its file's name, or else after its folder.
    Raises InvalidInput if there is none, or if one that is named is missing.
    """
    layout = Layout()
    found = [(folder, pattern.format(modality=modality)) for folder in folders for pattern in layout.scan]
    paths = {_name_of(path): path for folder, pattern in found for path in sorted(folder.rglob(pattern))}
    wanted = sorted(names or paths)
    if not wanted or set(wanted) - set(paths):
        missing = ", ".join(sorted(set(wanted) - set(paths)))
        places = ", ".join(map(str, folders))
        which = f"none of {missing}" if missing else "none"
        raise InvalidInput(f"expected healthy {modality} scans below {places}, found {which}")
    return [paths[name] for name in wanted]


def _name_of(path: Path) -> str:
    return scan_name(path) or path.parent.name


def read_scan(path: Path) -> Scan:
    """Read a scan, and the brain mask beside it if there is one."""
    name = _name_of(path)
    volume = _from_background(read_nifti(path))
    beside = [path.with_name(f"{prefix}brainmask.nii.gz") for prefix in (f"{name}_", "")]
    mask = next((_mask(file, volume) for file in beside if file.is_file()), None)
    return Scan(name, volume, brain.stripped_mask(volume) if mask is None else mask)


def _is_case(place: Path, layout: Layout, modality: Modality) -> bool:
    return layout.scan_in(place, modality) is not None and _first(place, layout.lesion) is not None


def _read_case(place: Path, layout: Layout, modality: Modality, name: str) -> Case:
    scan, lesion = layout.scan_in(place, modality), _first(place, layout.lesion)
    assert scan is not None
    assert lesion is not None
    volume = _from_background(read_nifti(scan))
    mask_file = _first(place, layout.brain_mask)
    inside = brain.stripped_mask(volume) if mask_file is None else _mask(mask_file, volume)
    return Case(name, volume, inside, _lesion(lesion, volume))


def _lesion(path: Path, volume: Volume) -> Mask:
    """A lesion mask, which may be empty."""
    lesion = read_nifti(path)
    is_empty = not (lesion.voxels > 0).any()
    return np.zeros(volume.shape, dtype=np.bool_) if is_empty else given_mask.on_scan(volume, lesion)


def _mask(path: Path, volume: Volume) -> Mask:
    return given_mask.brain_mask(volume, read_nifti(path))


def _from_background(volume: Volume) -> Volume:
    """The scan with its background at 0, such as one whose intensities have a mean of 0."""
    return volume.with_voxels(volume.voxels - np.float32(brain.background(volume)))


def _first(folder: Path, patterns: Sequence[str]) -> Path | None:
    return next((path for pattern in patterns for path in sorted(folder.glob(pattern))), None)
