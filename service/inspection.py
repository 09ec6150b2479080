"""What an upload holds, as its headers say it: nothing is decoded, and nothing stays in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from disyre.adapters.archive import ArchiveLimits, check_archive, read_members
from disyre.adapters.dicom_read import check_dicom, inspect_dicom, survey_dicom
from disyre.adapters.nifti import NiftiFacts, inspect_nifti, nifti_magic
from disyre.candidate import Candidate
from disyre.errors import InvalidInput, InvalidParams, MaskMismatch, MultipleVolumes, NotAnImage
from disyre.job import JobParams
from disyre.modality import SILENT, Guess
from service.uploads import MASK_NAME, Upload


@dataclass(frozen=True)
class Inspection:
    """The volumes of an upload, and what is odd about it."""

    volumes: tuple[Candidate, ...]
    warnings: tuple[str, ...]


def check_scan(upload: Upload, folder: Path, params: JobParams, *, max_voxels: int) -> Guess:
    """Check that there is one volume in what was uploaded, and that its mask lies on its grid.

    Gives what it is recognised as by its header. Raises InvalidInput; MultipleVolumes says which volumes
    there are.
    """
    _check_files(upload)
    facts, modality = _check_volume(upload, folder, params, max_voxels)
    if upload.mask is not None:
        _check_mask(upload, folder, facts, max_voxels)
    return modality


def _check_mask(upload: Upload, folder: Path, facts: NiftiFacts | None, max_voxels: int) -> None:
    assert upload.mask is not None
    if not upload.mask.format.startswith("nifti"):
        raise MaskMismatch(f"expected a mask as NIfTI, got {upload.mask.format}")
    mask = inspect_nifti(folder / MASK_NAME, max_voxels=max_voxels)
    # In whatever order its axes are stored.
    if facts is not None and sorted(mask.shape) != sorted(facts.shape):
        raise MaskMismatch(f"expected a mask of the scan's shape {facts.shape}, got {mask.shape}")


def inspect(upload: Upload, folder: Path, *, max_voxels: int) -> Inspection:
    """List the volumes of an upload. Raises InvalidInput if it holds no image at all, or is broken."""
    _check_files(upload)
    first = folder / upload.files[0].name
    if upload.files[0].format.startswith("nifti"):
        volume, warnings = _inspect_nifti(first, max_voxels)
        return Inspection((volume,), warnings)
    if upload.files[0].format == "zip" and _holds_nifti(first):
        raise NotAnImage("expected DICOM files in the archive, got NIfTI; to inspect that, send it by itself")
    said: list[str] = []
    found = inspect_dicom(_instances(upload, folder), said.append)
    return Inspection(tuple(found), tuple(said))


def survey(upload: Upload, folder: Path, *, max_voxels: int) -> Inspection:
    """The one volume of each series of a study, or why it has none. Raises InvalidInput if it is no DICOM."""
    _check_files(upload)
    first = upload.files[0]
    if upload.mask is not None:
        raise MaskMismatch("expected no mask with a study, whose series have grids of their own, got one")
    if first.format.startswith("nifti") or (first.format == "zip" and _holds_nifti(folder / first.name)):
        raise NotAnImage("expected the DICOM files of a study, got NIfTI, which is sent as a job")
    said: list[str] = []
    found = survey_dicom(_instances(upload, folder), said.append, max_voxels=max_voxels)
    return Inspection(tuple(found), tuple(said))


def _check_files(upload: Upload) -> None:
    formats = {file.format for file in upload.files}
    if len(upload.files) > 1 and formats != {"dicom"}:
        came = f"{len(upload.files)} files that are {' and '.join(sorted(formats))}"
        raise MultipleVolumes(f"expected one file, or several DICOM files, got {came}")


def _check_volume(
    upload: Upload, folder: Path, params: JobParams, max_voxels: int
) -> tuple[NiftiFacts | None, Guess]:
    """Check the headers of the volume that is to be scored.

    Gives what a NIfTI says of itself, and what the volume is recognised as.
    """
    first = upload.files[0]
    if first.format.startswith("nifti"):
        if params.series_uid is not None:
            raise InvalidParams("expected series_uid with DICOM only, got it with NIfTI")
        path, index = folder / first.name, params.volume_index
        return inspect_nifti(path, max_voxels=max_voxels, volume_index=index), SILENT
    if first.format == "zip" and _holds_nifti(folder / first.name):
        return None, SILENT  # the worker reads it
    if params.volume_index is not None:
        raise InvalidParams("expected volume_index with NIfTI only, got it with DICOM")
    instances = _instances(upload, folder)
    return None, check_dicom(instances, max_voxels=max_voxels, series=params.series_uid)


def _instances(upload: Upload, folder: Path) -> Iterator[bytes | Path]:
    paths = [folder / file.name for file in upload.files]
    if upload.files[0].format == "zip":
        return iter(read_members(paths[0], ArchiveLimits()))
    return iter(paths)


def _holds_nifti(archive: Path) -> bool:
    """Whether the first file in an archive that is DICOM or NIfTI is NIfTI."""
    check_archive(archive, ArchiveLimits())
    for member in read_members(archive, ArchiveLimits()):
        if member[128:132] == b"DICM":
            return False
        if nifti_magic(member) is not None:
            return True
    return False


def _inspect_nifti(path: Path, max_voxels: int) -> tuple[Candidate, tuple[str, ...]]:
    facts = inspect_nifti(path, max_voxels=max_voxels, volume_index=0)
    code, reason = None, None
    try:
        inspect_nifti(path, max_voxels=max_voxels)
    except InvalidInput as error:
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
    return volume, facts.warnings
