"""Cases: a scan, its brain, and where in it the lesion is; nowhere, in a healthy scan."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from disyre import brain, given_mask
from disyre.adapters.nifti import read_nifti
from disyre.errors import InvalidInput
from disyre.modality import Modality
from disyre.types import Mask
from disyre.volume import Volume
from model_export.bids import bids_scans, find_brain_mask
from model_export.dataset import Scan, scan_name
from model_export.evaluation.case_files import CaseFiles, Layout


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


def read_case(files: CaseFiles) -> Case:
    """A case from its files.

    Raises InvalidInput, which names the file, for one that cannot be read, a mask on another grid, and a scan
    whose brain is not known.
    """
    with _named(files.scan.name):
        volume = _from_background(read_nifti(files.scan))
    with _named((files.brain_mask or files.scan).name):
        inside = _brain(files.brain_mask, volume)
    with _named(files.lesion.name):
        return Case(files.name, volume, inside, _lesion(files.lesion, volume))


def read_healthy(folders: Sequence[Path], modality: Modality, names: Sequence[str] = ()) -> list[Scan]:
    """The scans of a modality below some folders, by name; of all, or those that are named.

    The brain of a scan is the mask beside it or among the derivatives, or else all that is not background.
    Raises InvalidInput if there is none, if one that is named is missing, and for one that cannot be used, by
    its path.
    """
    return [_read_healthy(path) for path in find_healthy(folders, modality, names)]


def _read_healthy(path: Path) -> Scan:
    with _named(str(path)):
        return read_scan(path)


def find_healthy(folders: Sequence[Path], modality: Modality, names: Sequence[str] = ()) -> list[Path]:
    """The files of the scans of a modality below some folders, without a look into any.

    Of a BIDS data set its raw scans are meant. A scan is called what stands before `_<modality>` in its
    file's name, or else after its folder.
    Raises InvalidInput if there is none, or if one that is named is missing.
    """
    paths = {scan_name(path): path for folder in folders for path in _scans_below(folder, modality)}
    wanted = sorted(names or paths)
    if not wanted or set(wanted) - set(paths):
        missing = ", ".join(sorted(set(wanted) - set(paths)))
        places = ", ".join(map(str, folders))
        which = f"none of {missing}" if missing else "none"
        raise InvalidInput(f"expected healthy {modality} scans below {places}, found {which}")
    return [paths[name] for name in wanted]


def _scans_below(folder: Path, modality: Modality) -> list[Path]:
    patterns = [pattern.format(modality=modality) for pattern in Layout().scan]
    return bids_scans(folder, modality) or [
        path for pattern in patterns for path in sorted(folder.rglob(pattern))
    ]


def read_scan(path: Path) -> Scan:
    """Read a scan, and its brain mask if there is one beside it or among the derivatives (BIDS)."""
    name = scan_name(path)
    volume = _from_background(read_nifti(path))
    beside = path.with_name("brainmask.nii.gz")
    mask = find_brain_mask(path, name) or (beside if beside.is_file() else None)
    return Scan(name, volume, _brain(mask, volume))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Let what is wrong with a file say which it is."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from error
    except OSError as error:
        raise InvalidInput(f"{name}: {error.strerror or 'it cannot be read'}") from error


def _lesion(path: Path, volume: Volume) -> Mask:
    """A lesion mask, which may be empty."""
    lesion = read_nifti(path)
    is_empty = not (lesion.voxels > 0).any()
    return np.zeros(volume.shape, dtype=np.bool_) if is_empty else given_mask.on_scan(volume, lesion)


def _brain(mask: Path | None, volume: Volume) -> Mask:
    """What a mask says, or without one all that is not background."""
    return given_mask.brain_mask(volume, read_nifti(mask)) if mask else brain.stripped_mask(volume)


def _from_background(volume: Volume) -> Volume:
    """The scan with its background at 0, such as one whose intensities have a mean of 0."""
    return volume.with_voxels(volume.voxels - np.float32(brain.background(volume)))
