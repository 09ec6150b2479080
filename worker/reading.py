"""From the files of a job to its volume and brain mask, whatever format they came in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from disyre import brain
from disyre.adapters.archive import ArchiveLimits, read_members
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.nifti import read_nifti
from disyre.errors import MultipleVolumes
from disyre.job import InputFile, JobInput
from disyre.types import Mask
from disyre.volume import Volume

InputPath: TypeAlias = Callable[[str], Path]
"""Where an uploaded file is."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What is to be scored."""

    volume: Volume
    brain_mask: Mask
    mask_source: Literal["given", "skull-stripped"]
    warnings: tuple[str, ...]


def read_scan(job_input: JobInput, path_of: InputPath, *, max_voxels: int) -> Scan:
    """Read a job's volume, and its brain mask or the one of a scan that is skull-stripped already.

    Raises InvalidInput.
    """
    warnings: list[str] = []
    volume = _read_volume(job_input.files, path_of, max_voxels, warnings.append)
    if job_input.mask is None:
        return _scan(volume, brain.stripped_mask(volume), "skull-stripped", warnings)
    mask = read_nifti(path_of(job_input.mask.name), max_voxels=max_voxels)
    return _scan(volume, brain.given_mask(volume, mask), "given", warnings)


def _scan(
    volume: Volume, brain_mask: Mask, source: Literal["given", "skull-stripped"], warnings: list[str]
) -> Scan:
    return Scan(volume, brain_mask, source, (*warnings, *brain.size_warnings(brain_mask, volume)))


def _read_volume(
    files: tuple[InputFile, ...], path_of: InputPath, max_voxels: int, on_warning: Callable[[str], None]
) -> Volume:
    paths = [path_of(file.name) for file in files]
    kinds = {file.format for file in files}
    if kinds == {"dicom"}:
        return read_dicom(paths, max_voxels=max_voxels, on_warning=on_warning)
    if len(files) > 1:
        raise MultipleVolumes(f"expected one file, or several that are all DICOM, got {len(files)} files")
    if kinds == {"zip"}:
        members = read_members(paths[0], ArchiveLimits())
        return read_dicom(members, max_voxels=max_voxels, on_warning=on_warning)
    return read_nifti(paths[0], max_voxels=max_voxels, on_warning=on_warning)
