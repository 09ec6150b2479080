"""What an upload holds, as its headers say it: nothing is decoded, and nothing stays in memory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from disyre.adapters.archive import ArchiveLimits, opened_members, read_named
from disyre.adapters.archive_heads import read_heads
from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom, survey_dicom
from disyre.adapters.dicom_opening import Instance
from disyre.adapters.nifti import NiftiFacts, inspect_nifti, inspect_nifti_members
from disyre.adapters.nifti_magic import holds_nifti
from disyre.adapters.nifti_mask import inspect_mask
from disyre.brain_size import check_size
from disyre.candidate import Candidate
from disyre.errors import (
    InvalidParams,
    MaskMismatch,
    MultipleVolumes,
    NotAnImage,
    NotThreeDimensional,
    TooFewSlices,
)
from disyre.intake.upload import MASK_NAME, Upload
from disyre.job_input import InputFile
from disyre.job_params import JobParams
from disyre.mask_grid import check_same_grid
from disyre.modality import SILENT, Guess
from disyre.outputs import Output, outputs_of
from disyre.scan_facts import ScanFacts
from disyre.series_mark import OnSeries, ignore_series
from disyre.series_warnings import SeriesWarnings
from disyre.thickness import check_thickness
from disyre.wording import collapsed


@dataclass(frozen=True)
class Inspection:
    """The volumes of an upload, and what is odd about it."""

    volumes: tuple[Candidate, ...]
    warnings: tuple[str, ...]
    of_series: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of a study, what is odd about each series; `warnings` has the rest."""
    files: Mapping[str, tuple[InputFile, ...]] = field(default_factory=dict)
    """Of a study, what a job of each series that can be scored needs; a zip is not parted."""


def check_scan(
    upload: Upload,
    folder: Path,
    params: JobParams,
    *,
    max_voxels: int,
    on_facts: Callable[[ScanFacts], None] = lambda facts: None,
    on_series: OnSeries = ignore_series,
) -> Guess:
    """Check that there is one volume in what was uploaded, and that its mask lies on its grid.

    Gives what it is recognised as by its header; `on_facts` is told how its voxels lie,
    `on_series` which series of DICOM it is. Raises InvalidInput; MultipleVolumes says which volumes there
    are.
    """
    _check_files(upload)
    facts, modality = _check_volume(upload, folder, params, max_voxels, on_facts, on_series)
    _check_mask(upload, folder, facts, max_voxels)
    outputs_of(params.outputs, is_dicom=facts is None)
    return modality


def _check_mask(upload: Upload, folder: Path, facts: NiftiFacts | None, max_voxels: int) -> None:
    """Check the mask by itself, if there is one; and that it lies on the scan, if that is NIfTI."""
    if upload.mask is None:
        return
    if not upload.mask.format.startswith("nifti"):
        raise MaskMismatch(f"expected a mask as NIfTI, got {upload.mask.format}")
    mask = inspect_mask(folder / MASK_NAME, max_voxels=max_voxels)
    if facts is not None:
        check_same_grid(facts.shape, facts.affine, mask_shape=mask.shape, mask_affine=mask.affine)
    check_size(mask.size_ml)


def inspect(
    upload: Upload,
    folder: Path,
    *,
    max_voxels: int,
    series: str | None = None,
    volume_index: int | None = None,
    outputs: tuple[Output, ...] | None = None,
) -> Inspection:
    """List the volumes of an upload, or of a series in it; `volume_index` picks one of a NIfTI file.

    Raises InvalidInput if it holds no image at all or not what is picked, or is broken; or if there is one
    volume that can be scored, and the mask is none of it, or it cannot have the `outputs`.
    """
    _check_files(upload)
    if _is_nifti(upload.files[0], folder):
        _check_no_series(series)
        volume, facts = _inspect_nifti(upload.files[0], folder, max_voxels, volume_index)
        if volume.code is None:
            _check_mask(upload, folder, facts, max_voxels)
            outputs_of(outputs, is_dicom=False)
        return Inspection((volume,), facts.warnings)
    _check_no_index(volume_index)
    said: list[str] = []
    found = inspect_dicom(_instances(upload, folder), said.append, series=series)
    if [each.code for each in found] == [None]:
        _check_mask(upload, folder, None, max_voxels)
    return Inspection(tuple(found), collapsed(said))


def survey(
    upload: Upload, folder: Path, *, max_voxels: int, on_series: OnSeries = ignore_series
) -> Inspection:
    """The one volume of each series of a study, or why it has none. Raises InvalidInput if it is no DICOM."""
    _check_files(upload)
    if upload.mask is not None:
        raise MaskMismatch("expected no mask with a study, whose series have grids of their own, got one")
    if _is_nifti(upload.files[0], folder):
        raise NotAnImage("expected the DICOM files of a study, got NIfTI, which is sent as a job")
    said, of_series = list[str](), SeriesWarnings()
    instances = _instances(upload, folder)
    files: dict[str, tuple[InputFile, ...]] = {}

    def note(series: str, numbers: list[int]) -> None:
        files[series] = tuple(upload.files[number] for number in numbers)

    on_files = None if upload.files[0].format == "zip" else note
    found = survey_dicom(
        instances,
        said.append,
        max_voxels=max_voxels,
        on_series_warning=of_series.note,
        on_series=on_series,
        on_files=on_files,
    )
    return Inspection(tuple(found), collapsed(said), of_series.by_series(), files)


def _check_files(upload: Upload) -> None:
    """One file, or a series of DICOM and whatever lies beside it."""
    formats = {file.format for file in upload.files}
    if len(upload.files) == 1 or formats - {"other"} == {"dicom"}:
        return
    if "other" in formats:
        n_others = sum(file.format == "other" for file in upload.files)
        raise NotAnImage(
            f"expected one NIfTI, one zip, or the DICOM files of a scan, got {len(upload.files)} files, "
            f"{n_others} of them no image"
        )
    came = f"{len(upload.files)} files that are {' and '.join(sorted(formats))}"
    advice = "; unpack the zip and send all files of the scan, or leave it out" if "zip" in formats else ""
    raise MultipleVolumes(f"expected one file, or several DICOM files, got {came}{advice}")


def _check_volume(
    upload: Upload,
    folder: Path,
    params: JobParams,
    max_voxels: int,
    on_facts: Callable[[ScanFacts], None],
    on_series: OnSeries,
) -> tuple[NiftiFacts | None, Guess]:
    """Check the headers of the volume that is to be scored.

    Gives what a NIfTI says of itself, and what the volume is recognised as.
    """
    if _is_nifti(upload.files[0], folder):
        _check_no_series(params.series_uid)
        facts = _nifti_facts(upload.files[0], folder, max_voxels, params.volume_index)
        check_thickness(facts.shape)
        on_facts(_scan_facts(facts))
        return facts, SILENT
    _check_no_index(params.volume_index)
    instances = _instances(upload, folder)
    modality = check_dicom(
        instances,
        max_voxels=max_voxels,
        series=params.series_uid,
        on_facts=on_facts,
        on_series=on_series,
    )
    return None, modality


def _scan_facts(facts: NiftiFacts) -> ScanFacts:
    return ScanFacts(
        shape=facts.shape,
        spacing_mm=facts.spacing_mm,
        orientation=facts.orientation,
        warnings=collapsed(facts.warnings),
    )


def _check_no_series(series: str | None) -> None:
    if series is not None:
        raise InvalidParams("expected series_uid with DICOM only, got it with NIfTI")


def _check_no_index(volume_index: int | None) -> None:
    if volume_index is not None:
        raise InvalidParams("expected volume_index with NIfTI only, got it with DICOM")


def _instances(upload: Upload, folder: Path) -> Iterator[Instance]:
    paths = [folder / file.name for file in upload.files]
    if upload.files[0].format == "zip":
        return iter(read_named(paths[0], ArchiveLimits()))
    return iter(paths)


def _is_nifti(file: InputFile, folder: Path) -> bool:
    """Whether a file is NIfTI, or a zip with NIfTI in it."""
    if file.format == "zip":
        return holds_nifti(read_heads(folder / file.name, ArchiveLimits()))
    return file.format.startswith("nifti")


def _nifti_facts(file: InputFile, folder: Path, max_voxels: int, volume_index: int | None) -> NiftiFacts:
    path = folder / file.name
    if file.format != "zip":
        return inspect_nifti(path, max_voxels=max_voxels, volume_index=volume_index)
    with opened_members(path, ArchiveLimits()) as members:
        return inspect_nifti_members(members, max_voxels=max_voxels, volume_index=volume_index)


def _inspect_nifti(
    file: InputFile, folder: Path, max_voxels: int, volume_index: int | None
) -> tuple[Candidate, NiftiFacts]:
    code, reason = None, None
    try:
        facts = _nifti_facts(file, folder, max_voxels, volume_index)
    except NotThreeDimensional as error:
        facts = _nifti_facts(file, folder, max_voxels, 0)
        code, reason = error.code, str(error)
    try:
        check_thickness(facts.shape)
    except TooFewSlices as error:
        code, reason = error.code, str(error)
    i, j, k = facts.shape
    volume = Candidate(
        series_uid=None,
        description=f"NIfTI of {i} x {j} x {k} voxels",
        n=facts.n_volumes,
        shape=facts.shape,
        spacing_mm=facts.spacing_mm,
        orientation=facts.orientation,
        code=code,
        reason=reason,
    )
    return volume, facts
