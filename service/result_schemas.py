"""The JSON that clients see of the results of a job."""

from typing import Self

from disyre import INTENDED_USE
from disyre.job import Artifact, Job
from service.schemas import JOBS_PATH, ModelRef
from service.view import View


class ResultView(View):
    """A file that a job gave."""

    name: str
    """As in its address."""
    kind: str
    """The name without what says its format."""
    media_type: str
    """Content-Type of a download."""
    size_bytes: int
    """Of the file."""
    sha256: str
    """Of the file; also its ETag."""
    href: str
    """Where to download it, as a path below the root of the API."""

    @classmethod
    def of(cls, artifact: Artifact, job_id: str) -> Self:
        """View of an artifact."""
        return cls(**artifact.model_dump(), href=f"{JOBS_PATH}/{job_id}/results/{artifact.name}")


class ResultsView(View):
    """All files that a job gave."""

    job_id: str
    """Of the job."""
    model: ModelRef
    """What scored the scan."""
    results: list[ResultView]
    """One for each file."""
    intended_use: str = INTENDED_USE
    """What the service is for, and what it is not for."""

    @classmethod
    def of(cls, job: Job) -> Self:
        """View of the results of a job that has succeeded."""
        assert job.model is not None  # nothing is scored without
        results = [ResultView.of(artifact, job.id) for artifact in job.artifacts]
        return cls(job_id=job.id, model=ModelRef.of(job.model, job.provider), results=results)
