"""A job: one scan to be scored, and what happens to it.

A transition gives a new job; nothing is mutated. What a worker reports names its attempt, so that a worker
that was believed dead cannot speak for a job that another one has taken over.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Self

from pydantic import AwareDatetime, Field

from disyre.errors import IllegalTransition, StaleAttempt
from disyre.frozen import Frozen
from disyre.job_id import JobId
from disyre.job_input import JobInput
from disyre.job_model import Choice, JobModel
from disyre.job_params import JobParams
from disyre.job_state import MAY_BE_RETRIED, NEXT, JobState, Transition
from disyre.modality import Guess
from disyre.progress import Progress
from disyre.scan_facts import ScanFacts
from disyre.series_mark import SeriesMark
from disyre.trace import Trace

MAX_LOSSES: Final = 3
"""So many workers may be lost on a job before it is failed."""
WORKER_LOST: Final = "worker-lost"
LOCAL_OWNER: Final = "local"
"""Whose jobs are that were sent to a service that asks nobody for a key."""


class JobProblem(Frozen):
    """Why a job failed."""

    code: str
    detail: str


class Artifact(Frozen):
    """A file that a job gave."""

    name: str
    kind: str
    media_type: str
    size_bytes: int
    sha256: str


class Job(Frozen):
    """One scan to be scored."""

    id: JobId
    state: JobState = JobState.QUEUED
    revision: int = 1
    """Grows with every stored change."""
    owner: str = LOCAL_OWNER
    """The name of the key that it was sent with."""
    trace: Trace | None = None
    """Ids of the request that made it; None of jobs from before these were kept."""
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    retention_s: int | None = None
    """So long it is kept once it is finished; None: until it is deleted."""
    expires_at: AwareDatetime | None = None
    """When it and its files are removed; None if that is not known yet, or never."""
    model: JobModel | None = None
    """None until it is decided: by the worker, if neither the client nor the header did."""
    modality: Guess | None = None
    """What the scan was taken for; None of jobs from before this was asked."""
    input: JobInput
    scan: ScanFacts | None = None
    """How its voxels lie; None of jobs from before this was noted, until a worker has read them."""
    series: SeriesMark | None = None
    """By what its series is known again; None of NIfTI, and of jobs from before this was noted."""
    workitem_uid: str | None = None
    """By what whoever asked for it by UPS-RS knows it; None of other jobs, and if they left that to us."""
    supersedes: JobId | None = None
    """The newest earlier job of the same owner, study and series with other images; None if there is none."""
    params: JobParams
    attempt: int = 0
    """How often a worker has begun; the number is also the fencing token of that worker."""
    n_losses: int = 0
    """How often its worker was lost."""
    progress: Progress | None = None
    provider: str | None = None
    """ONNX Runtime execution provider that did the work."""
    timings_s: dict[str, float] = Field(default={})
    """Seconds by stage, of a job that succeeded."""
    summary: dict[str, Any] | None = None
    """The short form of `summary.json`."""
    artifacts: tuple[Artifact, ...] = ()
    error: JobProblem | None = None
    history: tuple[Transition, ...] = ()
    is_leaving: bool = False
    """Whether it is being deleted, and so not retried any more."""

    @classmethod
    def submit(
        cls,
        job_id: str,
        *,
        model: JobModel | None,
        modality: Guess | None = None,
        input: JobInput,
        scan: ScanFacts | None = None,
        series: SeriesMark | None = None,
        supersedes: str | None = None,
        workitem_uid: str | None = None,
        params: JobParams,
        at: datetime,
        owner: str = LOCAL_OWNER,
        retention_s: int | None = None,
        trace: Trace | None = None,
    ) -> Self:
        """A new job, waiting."""
        return cls(
            id=job_id,
            owner=owner,
            retention_s=retention_s,
            trace=trace,
            created_at=at,
            model=model,
            modality=modality,
            input=input,
            scan=scan,
            series=series,
            supersedes=supersedes,
            workitem_uid=workitem_uid,
            params=params,
            history=(Transition(state=JobState.QUEUED, at=at),),
        )

    @property
    def series_id(self) -> str | None:
        """A hash of the UIDs of its study and series, if they are known."""
        return self.series.id if self.series is not None else None

    @property
    def marks(self) -> tuple[str, ...]:
        """By what its owner finds it beside its id."""
        of_workitem = workitem_mark(self.workitem_uid) if self.workitem_uid is not None else None
        return tuple(each for each in (self.series_id, of_workitem) if each is not None)

    @property
    def queue(self) -> str:
        """The name of the queue in which it waits: its model's, or nothing while that is not decided."""
        return self.model.name if self.model is not None else ""

    @property
    def run_s(self) -> float | None:
        """How long the attempt took that succeeded; None if none has."""
        if self.state is not JobState.SUCCEEDED:
            return None
        begun, ended = self.history[-2:]
        return (ended.at - begun.at).total_seconds()

    def start(self, *, at: datetime) -> Self:
        """A worker begins the next attempt."""
        return self._to(JobState.RUNNING, at, attempt=self.attempt + 1, started_at=self.started_at or at)

    def report(self, progress: Progress, *, attempt: int) -> Self:
        """The worker is this far."""
        self._check_running(attempt)
        return self.model_copy(update={"progress": progress, "revision": self.revision + 1})

    def describe(self, scan: ScanFacts, *, attempt: int) -> Self:
        """The worker has read the scan. What was known before changes nothing."""
        self._check_running(attempt)
        if self.scan == scan:
            return self
        return self.model_copy(update={"scan": scan, "revision": self.revision + 1})

    def decide(self, choice: Choice, *, attempt: int) -> Self:
        """The worker has looked at the scan. What it says a second time changes nothing."""
        self._check_running(attempt)
        changes = {"model": choice.model, "modality": choice.modality}
        if (self.model, self.modality) == (choice.model, choice.modality):
            return self
        return self.model_copy(update={**changes, "revision": self.revision + 1})

    def succeed(
        self,
        *,
        attempt: int,
        artifacts: tuple[Artifact, ...],
        summary: dict[str, Any],
        provider: str,
        at: datetime,
        timings_s: dict[str, float] | None = None,
    ) -> Self:
        """The results are whole and in their place."""
        self._check_attempt(attempt)
        done = {"artifacts": artifacts, "summary": summary, "provider": provider, "progress": None}
        return self._to(JobState.SUCCEEDED, at, **done, timings_s=timings_s or {})

    def fail(self, problem: JobProblem, *, attempt: int, at: datetime) -> Self:
        """The scan cannot be scored, or not here."""
        self._check_attempt(attempt)
        return self._to(JobState.FAILED, at, error=problem, progress=None)

    def request_cancel(self, *, at: datetime) -> Self:
        """A client no longer wants the result: a waiting job is canceled, a running one is asked to stop.

        Raises IllegalTransition if the job is finished; asking twice changes nothing.
        """
        if self.state is JobState.CANCELING:
            return self
        return self._to(JobState.CANCELED if self.state is JobState.QUEUED else JobState.CANCELING, at)

    def cancel(self, *, attempt: int, at: datetime) -> Self:
        """The worker has stopped."""
        self._check_attempt(attempt)
        if self.state is not JobState.CANCELING:
            raise IllegalTransition(f"expected a job that is canceling, got one that is {self.state}")
        return self._to(JobState.CANCELED, at, progress=None)

    def lose_worker(self, *, at: datetime) -> Self:
        """The worker is gone: back to the queue, or the end, if it was canceled or tried too often."""
        if self.state is JobState.CANCELING:
            return self._to(JobState.CANCELED, at, progress=None)
        n_losses = self.n_losses + 1
        if n_losses >= MAX_LOSSES:
            detail = f"the worker was lost {n_losses} times; the scan may need more memory than there is"
            problem = JobProblem(code=WORKER_LOST, detail=detail)
            return self._to(JobState.FAILED, at, error=problem, progress=None, n_losses=n_losses)
        return self._to(JobState.QUEUED, at, progress=None, n_losses=n_losses)

    def give_back(self, *, attempt: int, at: datetime) -> Self:
        """The worker shuts down, through no fault of the job: back to the queue, or the end if canceled."""
        self._check_attempt(attempt)
        if self.state is JobState.CANCELING:
            return self._to(JobState.CANCELED, at, progress=None)
        return self._to(JobState.QUEUED, at, progress=None)

    def retry(self, *, at: datetime) -> Self:
        """A client wants the result of a job that failed or was canceled: back to the queue, with no losses.

        Attempts are counted on. Raises IllegalTransition in any other state.
        """
        if self.state not in MAY_BE_RETRIED:
            expected = "expected a job that has failed or was canceled"
            raise IllegalTransition(f"{expected}, got one that is {self.state}")
        if self.is_leaving:
            raise IllegalTransition("expected a job that is to stay, got one that is being deleted")
        begun = {"started_at": None, "finished_at": None, "error": None, "n_losses": 0}
        return self._enter(JobState.QUEUED, at, **begun)

    def let_go(self, *, at: datetime) -> Self:
        """A client wants the job to be forgotten, which no worker has or will have. Asking twice is no harm.

        Raises IllegalTransition if a worker has it.
        """
        if self.state in (JobState.RUNNING, JobState.CANCELING):
            raise IllegalTransition(f"expected a job that does not run, got one that is {self.state}")
        if self.is_leaving:
            return self
        ended = self.request_cancel(at=at) if self.state is JobState.QUEUED else self
        return ended.model_copy(update={"is_leaving": True, "revision": self.revision + 1})

    def _to(self, state: JobState, at: datetime, **changes: object) -> Self:
        if state not in NEXT[self.state]:
            why = "is finished" if self.state.is_finished else "has not come so far"
            raise IllegalTransition(f"a job that {why} ({self.state}) cannot become {state}")
        if state.is_finished:
            changes["finished_at"] = at
        return self._enter(state, at, **changes)

    def _enter(self, state: JobState, at: datetime, **changes: object) -> Self:
        changes["expires_at"] = self._end_of(at) if state.is_finished else None
        changes |= {"state": state, "revision": self.revision + 1}
        return self.model_copy(update={**changes, "history": (*self.history, Transition(state=state, at=at))})

    def _end_of(self, finished_at: datetime) -> datetime | None:
        """Until when it is kept; None if that is for ever, or beyond all dates."""
        if self.retention_s is None:
            return None
        try:
            return finished_at + timedelta(seconds=self.retention_s)
        except OverflowError:
            return None

    def _check_running(self, attempt: int) -> None:
        self._check_attempt(attempt)
        if self.state not in (JobState.RUNNING, JobState.CANCELING):
            raise IllegalTransition(f"expected a running job, got one that is {self.state}")

    def _check_attempt(self, attempt: int) -> None:
        if attempt != self.attempt:
            raise StaleAttempt(f"attempt {attempt} is over, attempt {self.attempt} has begun")


def workitem_mark(uid: str) -> str:
    """By what the job of a workitem is found: a hash of the UID.

    >>> workitem_mark("1.2.3")
    'workitem-c47f5b18b8a430e698b9fe15e51f6119'
    """
    return f"workitem-{sha256(uid.encode()).hexdigest()[:32]}"
