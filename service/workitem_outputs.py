"""Where the results of a job are, as a workitem says it: here, and in the archive that has them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import pydicom
from pydicom.errors import InvalidDicomError

from disyre.errors import DisyreError
from disyre.export import ExportState
from disyre.job import Artifact, Job
from disyre.job_state import JobState
from service.dependencies import Parts
from service.dicom_instances import DicomInstance, dicom_of, instances_in
from service.schemas import JOBS_PATH
from service.workitems import Dataset

_UIDS: Final = ["StudyInstanceUID", "SeriesInstanceUID"]


def outputs_of(job: Job, parts: Parts, *, root: str) -> list[Dataset]:
    """An item for each result as DICOM, below the address of the API. Raises Unavailable."""
    if job.state is not JobState.SUCCEEDED:
        return []
    archives = [
        parts.servers[export.server].root
        for export in parts.exports.list(job.id)
        if export.state is ExportState.STORED and export.server in parts.servers
    ]
    return [
        _item(job, artifact, path, root, archives)
        for artifact in dicom_of(job.artifacts)
        for path in _file_of(job, artifact, parts)
    ]


def _file_of(job: Job, artifact: Artifact, parts: Parts) -> Iterator[Path]:
    """Its file; nothing if that is gone or damaged."""
    try:
        yield parts.artifacts.result_file(job.id, job.attempt, artifact.name)
    except DisyreError:
        return


def _item(job: Job, artifact: Artifact, path: Path, root: str, archives: list[str]) -> Dataset:
    item: Dataset = {
        "0040E020": {"vr": "CS", "Value": ["DICOM"]},
        "0040E023": _retrieved("0040E010", [f"{root}{JOBS_PATH}/{job.id}/results/{artifact.name}"]),
    }
    try:
        instances = list(instances_in(path))
        study, series = _series_of(instances[0])
    except (OSError, ValueError, AttributeError, LookupError, BadZipFile, InvalidDicomError):
        return item
    item["0020000D"], item["0020000E"] = ({"vr": "UI", "Value": [uid]} for uid in (study, series))
    item["00081199"] = {"vr": "SQ", "Value": [_referenced(each) for each in instances]}
    if archives:
        urls = [f"{archive}/studies/{study}/series/{series}" for archive in archives]
        item["0040E025"] = _retrieved("00081190", urls)
    return item


def _series_of(instance: DicomInstance) -> tuple[str, str]:
    with instance.opened() as file:
        header = pydicom.dcmread(file, specific_tags=[*_UIDS], stop_before_pixels=True)
    return str(header.StudyInstanceUID), str(header.SeriesInstanceUID)


def _referenced(instance: DicomInstance) -> Dataset:
    return {
        "00081150": {"vr": "UI", "Value": [instance.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [instance.sop_instance_uid]},
    }


def _retrieved(tag: str, urls: list[str]) -> Dataset:
    return {"vr": "SQ", "Value": [{tag: {"vr": "UR", "Value": [url]}} for url in urls]}
