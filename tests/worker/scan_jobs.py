"""Jobs of one scan, and their scoring."""

from pathlib import Path

from disyre.job import Job
from disyre.job_input import InputFile, JobInput
from disyre.job_model import JobModel
from disyre.job_params import JobParams
from disyre.media import MediaFormat
from disyre.model_package import ModelPackage
from tests.builders import NOON
from worker.scan_scorer import ScanScorer
from worker.tasks import Outcome

JOB_ID = "019b7a00-0000-7000-8000-000000000001"


def make_input(*files: tuple[str, MediaFormat], mask: str | None = None) -> JobInput:
    def uploaded(name: str, kind: MediaFormat) -> InputFile:
        return InputFile(name=name, format=kind, sha256="0" * 64, size_bytes=1)

    return JobInput(
        files=tuple(uploaded(*file) for file in files), mask=uploaded(mask, "nifti-gz") if mask else None
    )


def make_scan_job(package: ModelPackage, job_input: JobInput, params: JobParams | None = None) -> Job:
    model = JobModel(name="t1w", version="1", sha256=package.manifest.sha256)
    return Job.submit(JOB_ID, model=model, input=job_input, params=params or JobParams(), at=NOON)


NIFTI = make_input(("000001", "nifti-gz"))


def score(scorer: ScanScorer, job: Job, results: Path) -> Outcome:
    return scorer(job, results, lambda progress: None)
