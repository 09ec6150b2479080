"""The JSON that clients see of uploads, jobs and their results."""

import hashlib
import math
from datetime import datetime
from typing import Any, Final, Self

from disyre import INTENDED_USE
from disyre.candidate import Candidate
from disyre.job import Artifact, Job, JobInput, JobModel, JobState, Transition
from disyre.job_event import JobEvent
from disyre.job_params import JobParams
from disyre.media import MediaFormat
from disyre.modality import Guess
from disyre.progress import Progress
from disyre.trace import Trace
from service.problems import Problem, problem_of_job
from service.submission import Study
from service.view import View
from service.waiting_line import WaitingLine

JOBS_PATH: Final = "/v1/jobs"

_POLL_S: Final = (1, 30)
_POLL_BLIND_S: Final = 2
"""Time until the next look at a job of which nobody knows how long it takes."""


class ModelRef(View):
    """The model that scores a job's scan, and what ran it."""

    name: str
    version: str
    sha256: str
    provider: str | None
    """ONNX Runtime execution provider; null before the end."""

    @classmethod
    def of(cls, model: JobModel, provider: str | None) -> Self:
        """View of a job's model."""
        return cls(name=model.name, version=model.version, sha256=model.sha256, provider=provider)


class InputView(View):
    """What was uploaded."""

    format: MediaFormat
    n_files: int
    size_bytes: int
    sha256: str
    """Of the file; of several files, the SHA-256 of the sorted hashes, a line each."""
    has_mask: bool

    @classmethod
    def of(cls, upload: JobInput) -> Self:
        """View of a job's input."""
        hashes = sorted(file.sha256 for file in upload.files)
        lines = "".join(f"{sha256}\n" for sha256 in hashes).encode()
        return cls(
            format=upload.files[0].format,
            n_files=len(upload.files),
            size_bytes=upload.size_bytes,
            sha256=hashes[0] if len(hashes) == 1 else hashlib.sha256(lines).hexdigest(),
            has_mask=upload.mask is not None,
        )


class JobLinks(View):
    """Where to go on."""

    self: str
    events: str
    results: str | None
    """Null unless the job has succeeded."""
    cancel: str | None
    """Null if the job is finished."""
    retry: str | None
    """Null unless the job has failed or was canceled."""

    @classmethod
    def of(cls, path: str, state: JobState) -> Self:
        """Where to go on from a job in a state."""
        return cls(
            self=path,
            events=f"{path}/events",
            results=f"{path}/results" if state is JobState.SUCCEEDED else None,
            cancel=None if state.is_finished else f"{path}/cancel",
            retry=f"{path}/retry" if state in (JobState.FAILED, JobState.CANCELED) else None,
        )


class JobView(View):
    """A job."""

    id: str
    state: JobState
    revision: int
    owner: str
    """The name of the key that it was sent with."""
    trace: Trace | None
    """Ids of the request that made it."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    """When the job and its files are removed; null before it is finished, and if it is kept."""
    model: ModelRef | None
    """Null until it is decided: by the worker, if neither the client nor the header did."""
    modality: Guess | None
    """What the scan was taken for, and why."""
    input: InputView
    params: JobParams
    attempt: int
    queue_position: int | None
    """1 for the job that is next; null for one that does not wait."""
    eta_start_s: float | None
    """Estimated time until a waiting job begins."""
    progress: Progress | None
    history: tuple[Transition, ...]
    summary: dict[str, Any] | None
    error: Problem | None
    links: JobLinks
    intended_use: str = INTENDED_USE

    @classmethod
    def of(cls, job: Job, line: WaitingLine | None = None) -> Self:
        """View of a job; `line` is the queue it may wait in."""
        path = f"{JOBS_PATH}/{job.id}"
        return cls(
            id=job.id,
            state=job.state,
            revision=job.revision,
            owner=job.owner,
            trace=job.trace,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            expires_at=job.expires_at,
            model=ModelRef.of(job.model, job.provider) if job.model else None,
            modality=job.modality,
            input=InputView.of(job.input),
            params=job.params,
            attempt=job.attempt,
            queue_position=line.positions.get(job.id) if line else None,
            eta_start_s=line.eta_of(job) if line else None,
            progress=job.progress,
            history=job.history,
            summary=job.summary,
            error=problem_of_job(job.error, path, job.id) if job.error else None,
            links=JobLinks.of(path, job.state),
        )

    def retry_after_s(self) -> int | None:
        """When to look again: after a quarter of the time that is left; None if the job is finished."""
        if self.state.is_finished:
            return None
        left_s = self.progress.eta_s if self.progress else self.eta_start_s
        if left_s is None:
            return _POLL_BLIND_S
        shortest, longest = _POLL_S
        return min(max(math.ceil(left_s / 4), shortest), longest)


class JobEventView(View):
    """A job after a change."""

    job_id: str
    revision: int
    state: JobState
    attempt: int
    progress: Progress | None

    @classmethod
    def of(cls, event: JobEvent) -> Self:
        """View of an event."""
        return cls(**event.model_dump(exclude={"kind"}))


class StudyView(View):
    """What became of a study."""

    jobs: list[JobView]
    """One for each series that can be scored."""
    left_out: list[Candidate]
    """The other series, each with a code and a reason."""
    warnings: list[str]
    intended_use: str = INTENDED_USE

    @classmethod
    def of(cls, study: Study, line: WaitingLine | None) -> Self:
        """View of a study; `line` is the queue that its jobs wait in."""
        jobs = [JobView.of(job, line) for job in study.jobs]
        return cls(jobs=jobs, left_out=list(study.left_out), warnings=list(study.warnings))

    def retry_after_s(self) -> int:
        """When to look again: when the first job may have news."""
        return min(job.retry_after_s() or _POLL_BLIND_S for job in self.jobs)


class JobPage(View):
    """Some jobs, the newest first."""

    jobs: list[JobView]
    next_cursor: str | None
    """To be sent as `cursor` for the jobs that follow; null at the end."""
    intended_use: str = INTENDED_USE


class ResultView(View):
    """A file that a job gave."""

    name: str
    kind: str
    media_type: str
    size_bytes: int
    sha256: str
    href: str

    @classmethod
    def of(cls, artifact: Artifact, job_id: str) -> Self:
        """View of an artifact."""
        return cls(**artifact.model_dump(), href=f"{JOBS_PATH}/{job_id}/results/{artifact.name}")


class ResultsView(View):
    """All files that a job gave."""

    job_id: str
    model: ModelRef
    results: list[ResultView]
    intended_use: str = INTENDED_USE

    @classmethod
    def of(cls, job: Job) -> Self:
        """View of the results of a job that has succeeded."""
        assert job.model is not None  # nothing is scored without
        results = [ResultView.of(artifact, job.id) for artifact in job.artifacts]
        return cls(job_id=job.id, model=ModelRef.of(job.model, job.provider), results=results)


class InspectionView(View):
    """What an upload holds, as far as its headers say; no job was made."""

    volumes: tuple[Candidate, ...]
    """The largest first; `code` is null for one that can be scored, by `model` if that is known already."""
    warnings: tuple[str, ...]
    intended_use: str = INTENDED_USE
