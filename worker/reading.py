"""From the files of a job to its volume and brain mask, whatever format they came in."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from disyre import brain, given_mask
from disyre.adapters.archive import ArchiveLimits, opened_members, read_named
from disyre.adapters.archive_heads import read_heads
from disyre.adapters.dicom_opening import Instance
from disyre.adapters.dicom_read import OnImages, read_dicom
from disyre.adapters.nifti import OnForm, read_nifti, read_nifti_members
from disyre.adapters.nifti_magic import holds_nifti
from disyre.adapters.nifti_mask import read_mask
from disyre.adapters.nifti_position import Form
from disyre.adapters.source_series import SourceSeries
from disyre.admission import OnWarning
from disyre.errors import MultipleVolumes
from disyre.job_input import InputFile, JobInput
from disyre.job_params import JobParams
from disyre.progress import OnStep, go_on
from disyre.scan_record import BrainSource, ScanSource
from disyre.thickness import check_thickness
from disyre.types import Mask
from disyre.volume import Volume
from disyre.wording import collapsed
from worker.onnx_brain import OnnxBrainNetwork

InputPath: TypeAlias = Callable[[str], Path]
"""Where an uploaded file is."""


_PADDED: Final = (
    "the scan's background is {value:g}, below 0, and nothing else in it is: it was taken for padding and "
    "set to 0"
)


@dataclass(frozen=True, eq=False)
class Reading:
    """What a job's files hold."""

    volume: Volume
    mask: Volume | None
    """The brain mask that came with the scan."""
    source: ScanSource
    warnings: tuple[str, ...]
    series: SourceSeries | None = None
    """The DICOM images that it is made of; None of NIfTI."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What is to be scored."""

    volume: Volume
    brain_mask: Mask
    brain_source: BrainSource
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Told:
    """Who is told what while a volume is read."""

    warning: OnWarning
    form: OnForm
    images: OnImages
    step: OnStep


def read_volumes(
    job_input: JobInput, path_of: InputPath, params: JobParams, *, max_voxels: int, on_step: OnStep = go_on
) -> Reading:
    """Read a job's volume, the mask that came with it, and what was odd about them.

    `on_step` is called after every slice or file. Raises InvalidInput.
    """
    warnings: list[str] = []
    forms: list[Form] = []
    images: list[SourceSeries] = []
    padding: list[float] = []
    paths = [path_of(file.name) for file in job_input.files]
    told = _Told(warnings.append, forms.append, images.append, on_step)
    volume = _read_volume(job_input.files, paths, params, max_voxels, told)
    check_thickness(volume.shape)
    on_step()
    volume = brain.without_padding_below_zero(volume, padding.append)
    on_step()
    warnings += [_PADDED.format(value=value) for value in padding]
    mask = None
    if job_input.mask is not None:
        mask = read_mask(path_of(job_input.mask.name), max_voxels=max_voxels)
    source = ScanSource(
        position=forms[0] if forms else "dicom",
        images=images[0].record if images else None,
        volume_index=params.volume_index,
        padding=padding[0] if padding else None,
    )
    return Reading(volume, mask, source, collapsed(warnings), images[0] if images else None)


def _asking(instances: Iterable[Instance], on_step: OnStep) -> Iterator[Instance]:
    """The same files, with a question before each."""
    for instance in instances:
        on_step()
        yield instance


def find_brain(reading: Reading, network: OnnxBrainNetwork | None, *, on_step: OnStep = go_on) -> Scan:
    """A scan with its brain: the mask that was given, else what the network finds.

    Without a network the scan has to be skull-stripped. `on_step` is called between the steps of this.
    Raises InvalidInput.
    """
    volume = reading.volume
    told: list[str] = []
    inside, source = _brain(volume, reading.mask, network, told.append, on_step)
    return Scan(volume, inside, source, (*reading.warnings, *told, *brain.size_warnings(inside, volume)))


def _brain(
    volume: Volume,
    mask: Volume | None,
    network: OnnxBrainNetwork | None,
    on_warning: OnWarning,
    on_step: OnStep,
) -> tuple[Mask, BrainSource]:
    if mask is not None:
        return given_mask.brain_mask(volume, mask, on_warning), BrainSource(mask="given")
    if network is None:
        return brain.stripped_mask(volume, on_step=on_step), BrainSource(mask="skull-stripped")
    found = network.finder.asking(on_step)(volume)
    return found.mask, BrainSource(mask=found.source, network=network.name, certainty=found.certainty)


def _read_volume(
    files: tuple[InputFile, ...],
    paths: list[Path],
    params: JobParams,
    max_voxels: int,
    told: _Told,
) -> Volume:
    kinds = {file.format for file in files} - {"other"}
    if kinds == {"dicom"}:
        return _read_dicom(paths, params, max_voxels, told)
    if len(files) > 1:
        raise MultipleVolumes(f"expected one file, or several that are all DICOM, got {len(files)} files")
    (path,) = paths
    if kinds != {"zip"}:
        return read_nifti(
            path,
            max_voxels=max_voxels,
            volume_index=params.volume_index,
            on_warning=told.warning,
            on_form=told.form,
            on_step=told.step,
        )
    if holds_nifti(read_heads(path, ArchiveLimits())):
        with opened_members(path, ArchiveLimits()) as members:
            return read_nifti_members(
                members,
                max_voxels=max_voxels,
                volume_index=params.volume_index,
                on_warning=told.warning,
                on_form=told.form,
                on_step=told.step,
            )
    return _read_dicom(read_named(path, ArchiveLimits()), params, max_voxels, told)


def _read_dicom(instances: Iterable[Instance], params: JobParams, max_voxels: int, told: _Told) -> Volume:
    return read_dicom(
        _asking(instances, told.step),
        series=params.series_uid,
        max_voxels=max_voxels,
        on_warning=told.warning,
        on_images=told.images,
    )
