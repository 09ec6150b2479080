"""From an upload to a job in the queue: the checks that need no look at a voxel, and the steps in order."""

import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from disyre.adapters.artifact_store import FolderArtifactStore
from disyre.adapters.job_store import JobStore
from disyre.adapters.task_queue import TaskQueue
from disyre.errors import InvalidParams, Unavailable
from disyre.job import Job, JobInput, JobModel, JobParams
from disyre.model_package import ModelPackage, ModelShelf
from disyre.presets import settings_for
from service.inspection import check_scan
from service.uploads import Upload

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """Makes jobs of uploads, and gives them to the queue."""

    jobs: JobStore
    queue: TaskQueue
    artifacts: FolderArtifactStore
    models: ModelShelf
    max_voxels: int

    def choose(self, options: Mapping[str, Any]) -> tuple[JobParams, ModelPackage]:
        """The options of a job, and the model that will do it. Raises InvalidParams or UnknownModel."""
        try:
            params = JobParams.model_validate(options)
        except ValidationError as error:
            raise InvalidParams(_explain(error)) from error
        package = self.models.find(params.model, params.version)
        settings_for(params, package.manifest)
        return params, package

    def submit(self, upload: Upload, folder: Path, options: Mapping[str, Any]) -> Job:
        """Check an upload, make it a job, and enqueue that.

        Raises InvalidInput, or Unavailable; then there is no job, and nothing of it in the artifact store.
        """
        params, package = self.choose({**options, **_parse_params(upload.params)})
        check_scan(upload, folder, params, max_voxels=self.max_voxels)
        now_ns = time.time_ns()
        manifest = package.manifest
        job = Job.submit(
            new_job_id(now_ns),
            model=JobModel(name=manifest.name, version=manifest.version, sha256=manifest.sha256),
            input=JobInput(files=upload.files, mask=upload.mask),
            params=params,
            at=datetime.fromtimestamp(now_ns / 1e9, tz=UTC),
        )
        self._accept(job, folder)
        return job

    def _accept(self, job: Job, folder: Path) -> None:
        try:
            self.artifacts.accept(folder, job.id)
            self.jobs.add(job)
        except BaseException:
            self.artifacts.remove(job.id)
            raise
        try:
            self.queue.enqueue(job)
        except Unavailable:
            logger.warning("job %s is stored, but not in the queue yet: the reaper will send it", job.id)


def query_options(query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The options of a job as a query spells them: `severities` is a list with commas.

    Raises InvalidParams if one is there twice.

    >>> query_options([("model", "t1w"), ("severities", "0.8,0.2")])
    {'model': 't1w', 'severities': ['0.8', '0.2']}
    """
    options: dict[str, Any] = {}
    for name, value in query:
        if name in options:
            raise InvalidParams("expected each option once in the query, got one twice")
        options[name] = value.split(",") if name == "severities" else value
    return options


def new_job_id(now_ns: int) -> str:
    """A UUID of version 7 for a moment in ns since 1970; it holds that moment to a quarter of a microsecond.

    >>> new_job_id(1_700_000_000_000_000_000)[:18]
    '018bcfe5-6800-7000'
    """
    millisecond, rest_ns = divmod(now_ns, 1_000_000)
    fraction = (rest_ns << 12) // 1_000_000
    digits = f"{millisecond:012x}7{fraction:03x}{0b10 << 62 | secrets.randbits(62):016x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _parse_params(text: bytes) -> dict[str, Any]:
    if not text:
        return {}
    try:
        options = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidParams("expected 'params' to be JSON") from error
    if not isinstance(options, dict):
        raise InvalidParams("expected 'params' to be a JSON object")
    return options


def _explain(error: ValidationError) -> str:
    """What is wrong, without what was given: that could be anything."""
    first: dict[object, str] = {}  # of each option; what follows is mostly a consequence
    for each in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in each["loc"])
        first.setdefault(each["loc"][:1], f"{where}: {each['msg']}")
    return "; ".join(first.values())
