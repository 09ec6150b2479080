"""From the files of a job to its volume and brain mask, whatever format they came in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from disyre import brain
from disyre.adapters.archive import ArchiveLimits, opened_members, read_heads, read_members
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.nifti import holds_nifti, read_nifti, read_nifti_members
from disyre.admission import OnWarning
from disyre.errors import MultipleVolumes
from disyre.job import InputFile, JobInput, JobParams
from disyre.media import HEAD_BYTES
from disyre.summary import MaskSource
from disyre.types import Mask
from disyre.volume import Volume
from worker.onnx_brain import OnnxBrainNetwork

InputPath: TypeAlias = Callable[[str], Path]
"""Where an uploaded file is."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What is to be scored."""

    volume: Volume
    brain_mask: Mask
    mask_source: MaskSource
    warnings: tuple[str, ...]


def read_volumes(
    job_input: JobInput, path_of: InputPath, params: JobParams, *, max_voxels: int
) -> tuple[Volume, Volume | None, tuple[str, ...]]:
    """Read a job's volume, the mask that came with it, and what was odd about them. Raises InvalidInput."""
    warnings: list[str] = []
    paths = [path_of(file.name) for file in job_input.files]
    volume = _read_volume(job_input.files, paths, params, max_voxels, warnings.append)
    if job_input.mask is None:
        return volume, None, tuple(warnings)
    mask = read_nifti(path_of(job_input.mask.name), max_voxels=max_voxels)
    return volume, mask, tuple(warnings)


def find_brain(
    volume: Volume, mask: Volume | None, network: OnnxBrainNetwork | None, warnings: tuple[str, ...]
) -> Scan:
    """A scan with its brain: the mask that was given, else what the network finds.

    Without a network the scan has to be skull-stripped. Raises InvalidInput.
    """
    inside, source = _brain(volume, mask, network)
    return Scan(volume, inside, source, (*warnings, *brain.size_warnings(inside, volume)))


def _brain(volume: Volume, mask: Volume | None, network: OnnxBrainNetwork | None) -> tuple[Mask, MaskSource]:
    if mask is not None:
        return brain.given_mask(volume, mask), "given"
    if network is None:
        return brain.stripped_mask(volume), "skull-stripped"
    found = network.finder(volume)
    return found.mask, found.source


def _read_volume(
    files: tuple[InputFile, ...],
    paths: list[Path],
    params: JobParams,
    max_voxels: int,
    on_warning: OnWarning,
) -> Volume:
    kinds = {file.format for file in files} - {"other"}
    if kinds == {"dicom"}:
        return read_dicom(paths, series=params.series_uid, max_voxels=max_voxels, on_warning=on_warning)
    if len(files) > 1:
        raise MultipleVolumes(f"expected one file, or several that are all DICOM, got {len(files)} files")
    (path,) = paths
    if kinds != {"zip"}:
        return read_nifti(
            path, max_voxels=max_voxels, volume_index=params.volume_index, on_warning=on_warning
        )
    if holds_nifti(read_heads(path, ArchiveLimits(), HEAD_BYTES)):
        with opened_members(path, ArchiveLimits()) as members:
            return read_nifti_members(
                members, max_voxels=max_voxels, volume_index=params.volume_index, on_warning=on_warning
            )
    return read_dicom(
        read_members(path, ArchiveLimits()),
        series=params.series_uid,
        max_voxels=max_voxels,
        on_warning=on_warning,
    )
