"""Which series a job is of, as a workitem says it: by its upload, and by its results once that is removed."""

from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from disyre.errors import DisyreError
from disyre.job import Job
from disyre.series_uid import is_series_uid
from service.dependencies import Parts
from service.dicom_instances import dicom_of
from service.instance_uids import read_uids
from service.workitems import Dataset


def inputs_of(job: Job, parts: Parts) -> list[Dataset]:
    """An item for the series; none if nothing here says which one it is. Raises Unavailable."""
    found = _uids_by_upload(job, parts) or _uids_by_results(job, parts)
    if found is None or not all(map(is_series_uid, found)):
        return []
    study, series = ({"vr": "UI", "Value": [uid]} for uid in found)
    return [{"0020000D": study, "0020000E": series, "0040E020": {"vr": "CS", "Value": ["DICOM"]}}]


def _uids_by_upload(job: Job, parts: Parts) -> tuple[str, str] | None:
    """Those of the first file; None if it is gone, or no DICOM image by itself."""
    try:
        uids = read_uids(parts.artifacts.input_file(job.id, job.input.files[0].name))
    except (DisyreError, OSError):
        return None
    return uids.study, uids.series


def _uids_by_results(job: Job, parts: Parts) -> tuple[str, str] | None:
    """Those that the first result as DICOM refers to; None if there is none that does."""
    for artifact in dicom_of(job.artifacts):
        try:
            return _referred(parts.artifacts.result_file(job.id, job.attempt, artifact.name))
        except (DisyreError, OSError, AttributeError, LookupError, InvalidDicomError):
            continue
    return None


def _referred(path: Path) -> tuple[str, str]:
    tags = ["StudyInstanceUID", "ReferencedSeriesSequence"]
    header = pydicom.dcmread(path, specific_tags=[*tags], stop_before_pixels=True)
    return str(header.StudyInstanceUID), str(header.ReferencedSeriesSequence[0].SeriesInstanceUID)
