"""The JSON that clients see of uploads and jobs."""

import hashlib
import math
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field

from disyre import INTENDED_USE
from disyre.candidate import Candidate
from disyre.figures import PerAxis, Seconds
from disyre.job import Job
from disyre.job_event import JobEvent
from disyre.job_input import JobInput
from disyre.job_model import JobModel
from disyre.job_params import JobParams
from disyre.job_state import JobState, Transition
from disyre.media import MediaFormat
from disyre.modality import Guess
from disyre.progress import Progress, Stage
from disyre.scan_facts import ScanFacts
from disyre.trace import Trace
from service.problems import Problem, problem_of_job
from service.study import Study
from service.view import View
from service.waiting_line import WaitingLine

JOBS_PATH: Final = "/v1/jobs"

_POLL_S: Final = (1, 30)
_POLL_BLIND_S: Final = 2
"""Time until the next look at a job of which nobody knows how long it takes."""


class ModelRef(View):
    """The model that scores a job's scan, and what ran it."""

    name: str
    """Of the model."""
    version: str
    """Of the model; a whole number, as text."""
    sha256: str
    """Of its network."""
    provider: str | None
    """ONNX Runtime execution provider; null before the end."""

    @classmethod
    def of(cls, model: JobModel, provider: str | None) -> Self:
        """View of a job's model."""
        return cls(name=model.name, version=model.version, sha256=model.sha256, provider=provider)


class InputView(View):
    """What was uploaded."""

    format: MediaFormat
    """What the bytes of the first file are."""
    n_files: int
    """Without the mask."""
    size_bytes: int
    """Of all files together, the mask included."""
    sha256: str
    """Of the file; of several files, the SHA-256 of the sorted hashes, a line each."""
    has_mask: bool
    """Whether a brain mask came with the scan."""
    shape: tuple[int, int, int] | None
    """Voxels along each axis of the scan that is scored; null of old jobs, until a worker has read it."""
    spacing_mm: PerAxis | None
    """Edges of a voxel, along the same axes."""
    orientation: str | None
    """Where each axis leads, such as LPS: left, back, head."""
    warnings: tuple[str, ...]
    """What is odd about the scan, first as its headers say it, then as a worker has read it."""

    @classmethod
    def of(cls, upload: JobInput, scan: ScanFacts | None) -> Self:
        """View of a job's input."""
        hashes = sorted(file.sha256 for file in upload.files)
        lines = "".join(f"{sha256}\n" for sha256 in hashes).encode()
        return cls(
            format=upload.files[0].format,
            n_files=len(upload.files),
            size_bytes=upload.size_bytes,
            sha256=hashes[0] if len(hashes) == 1 else hashlib.sha256(lines).hexdigest(),
            has_mask=upload.mask is not None,
            shape=scan.shape if scan else None,
            spacing_mm=scan.spacing_mm if scan else None,
            orientation=scan.orientation if scan else None,
            warnings=scan.warnings if scan else (),
        )


class ProgressView(View):
    """How far a job is."""

    stage: Stage | Literal["succeeded"]
    """What is being done."""
    step: int | None
    """The last one that was done, of `steps`; null in stages that have none."""
    steps: int | None
    """Of the restoration; null in the other stages."""
    fraction: Annotated[float, Field(ge=0, le=1)]
    """Of the whole job; 1 once it has succeeded."""
    eta_s: Seconds | None
    """Estimated seconds until the job ends; null while nobody can tell."""

    @classmethod
    def of(cls, progress: Progress | None, state: JobState, left_s: float | None = None) -> Self | None:
        """View of the progress of a job in a state; None unless it runs, or has succeeded.

        `left_s` are the seconds until it ends, if they are known better than when the worker told of them.
        """
        if state is JobState.SUCCEEDED:
            return cls(stage="succeeded", step=None, steps=None, fraction=1.0, eta_s=0.0)
        if progress is None:
            return None
        steps = (progress.step, progress.steps) if progress.steps else (None, None)
        return cls(
            stage=progress.stage,
            step=steps[0],
            steps=steps[1],
            fraction=progress.fraction,
            eta_s=progress.eta_s if left_s is None else left_s,
        )


class JobLinks(View):
    """Where to go on."""

    self: str
    """The job, as a path below the root of the API."""
    events: str
    """Its changes, as they happen."""
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
    """UUID; those of later jobs sort after those of earlier ones."""
    state: JobState
    """Where the job is."""
    revision: int
    """Grows with every change, and is the ETag; the place in the queue is not part of it."""
    owner: str
    """The name of the key that it was sent with."""
    trace: Trace | None
    """Ids of the request that made it."""
    created_at: datetime
    """When it was submitted."""
    started_at: datetime | None
    """When a worker began it first; null while it waits."""
    finished_at: datetime | None
    """When it ended; null before."""
    expires_at: datetime | None
    """When the job and its files are removed; null before it is finished, and if it is kept."""
    model: ModelRef | None
    """Null until it is decided: by the worker, if neither the client nor the header did."""
    modality: Guess | None
    """What the scan was taken for, and why."""
    input: InputView
    """What was uploaded, and how the scan in it lies."""
    supersedes: str | None
    """The newest earlier job of the same owner, study and series with other images; null if there is none."""
    params: JobParams
    """The options that it was submitted with."""
    attempt: int
    """How often a worker has begun it."""
    queue_position: int | None
    """1 for the job that is next; null for one that does not wait."""
    eta_start_s: Seconds | None
    """Estimated seconds until it begins; null where nobody can tell, and for one that does not wait."""
    progress: ProgressView | None
    """How far a running job is, or one that has succeeded; null otherwise."""
    history: tuple[Transition, ...]
    """Every state that it entered, the first one first."""
    summary: dict[str, Any] | None
    """The short form of `summary.json`; null unless it has succeeded."""
    error: Problem | None
    """Why it failed; null unless it has."""
    links: JobLinks
    """Where to go on from here."""
    intended_use: str = INTENDED_USE
    """What the service is for, and what it is not for."""

    @classmethod
    def of(cls, job: Job, line: WaitingLine | None = None, left_s: float | None = None) -> Self:
        """View of a job; `line` is the queue it may wait in, `left_s` how long it still takes if it runs."""
        path = f"{JOBS_PATH}/{job.id}"
        if left_s is None and line is not None:
            left_s = line.left_s.get(job.id)
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
            input=InputView.of(job.input, job.scan),
            supersedes=job.supersedes,
            params=job.params,
            attempt=job.attempt,
            queue_position=line.position_of(job.id) if line else None,
            eta_start_s=line.eta_of(job) if line else None,
            progress=ProgressView.of(job.progress, job.state, left_s),
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
    """Of the job."""
    revision: int
    """Grows with every change; the `id` of the event."""
    state: JobState
    """Where the job is."""
    attempt: int
    """How often a worker has begun it."""
    progress: ProgressView | None
    """How far a running job is, or one that has succeeded; null otherwise."""

    @classmethod
    def of(cls, event: JobEvent) -> Self:
        """View of an event."""
        known = event.model_dump(exclude={"kind", "progress"})
        return cls(**known, progress=ProgressView.of(event.progress, event.state))


class StudyView(View):
    """What became of a study."""

    jobs: list[JobView]
    """One for each series that can be scored."""
    left_out: list[Candidate]
    """The other series, each with a code and a reason."""
    warnings: list[str]
    """What is odd about the files, and about series that are left out; each job has what is of its own."""
    intended_use: str = INTENDED_USE
    """What the service is for, and what it is not for."""

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
    """Those for which all holds that was asked for."""
    next_cursor: str | None
    """To be sent as `cursor` for the jobs that follow; null at the end."""
    intended_use: str = INTENDED_USE
    """What the service is for, and what it is not for."""


class InspectionView(View):
    """What an upload holds, as far as its headers say; no job was made."""

    volumes: tuple[Candidate, ...]
    """The largest first; `code` is null for one that can be scored, by `model` if that is known already."""
    warnings: tuple[str, ...]
    """What is odd about the files, or was left out."""
    intended_use: str = INTENDED_USE
    """What the service is for, and what it is not for."""
