"""Running one job: from a delivered id to a finished job. Knows neither Celery nor ONNX Runtime."""

import errno
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.job_store import Change, JobStore
from disyre.adapters.log_lines import where
from disyre.adapters.task_queue import TaskQueue
from disyre.errors import (
    ArtifactsAway,
    DisyreError,
    IllegalTransition,
    InvalidInput,
    JobCanceled,
    JobNotFound,
    Misconfigured,
    OutOfMemory,
    StaleAttempt,
    StorageFull,
    TimedOut,
    Unavailable,
    invalid_input_codes,
)
from disyre.job import MAX_LOSSES, Artifact, Job, JobProblem
from disyre.job_model import Choice, JobModel
from disyre.job_state import JobState
from disyre.progress import OnProgress
from disyre.scan_facts import ScanFacts
from worker.lease import Lease, hold
from worker.steps import Steps, StopRequest, WorkerStopping

logger = logging.getLogger(__name__)

_REFUSALS: Final = invalid_input_codes()
_WAITS_S: Final = (0.5, 1.0, 2.0, 4.0, *[8.0] * 14)
"""Between attempts to store that a job begins, or how it ended, while the broker is away."""


@dataclass(frozen=True)
class Outcome:
    """What scoring a scan gave."""

    artifacts: tuple[Artifact, ...]
    summary: dict[str, Any]
    provider: str
    choice: Choice | None = None
    """What the scan counted as and what scored it, if that was not known before."""
    timings_s: dict[str, float] = field(default_factory=dict)
    """Seconds by stage."""


class NotHeld(Misconfigured):
    """This worker does not have the model of a job, or not a whole package of it; another one may."""


Holds: TypeAlias = Callable[[JobModel], bool]
"""Says whether a job for a model is one for this worker."""
Now: TypeAlias = Callable[[], datetime]
"""Says the time of day."""
OnChoice: TypeAlias = Callable[[Choice], None]
"""Is told what a scan is, and which model scores it, as soon as that is decided."""
OnScan: TypeAlias = Callable[[ScanFacts], None]
"""Is told how the voxels of a scan lie, and what is odd about it, once it is read."""
Score: TypeAlias = Callable[[Job, Path, OnProgress, OnChoice, OnScan], Outcome]
"""Scores a job's scan and writes the results into a folder."""


@dataclass(frozen=True)
class JobRunner:
    """All that a job needs to run."""

    jobs: JobStore
    artifacts: ArtifactStore
    score: Score
    stop: StopRequest
    lease_s: float
    time_limit_s: float
    holds: Holds
    queue: TaskQueue

    def run_job(self, job_id: str, *, queue: str = "") -> None:
        """Run one job that a queue delivered; delivering it twice does no harm. Raises Unavailable."""
        job = self._run(job_id)
        if job is None or job.state is not JobState.QUEUED:
            return
        if job.queue != queue or self.stop.is_due():
            self._send_on(job)  # from the same queue it would come back at once; the reaper takes its time

    def _run(self, job_id: str) -> Job | None:
        """Run one job; how it is then, or None if it is nobody's business here."""
        with hold(self.jobs, job_id, lease_s=self.lease_s) as lease:
            if lease is None:
                logger.info("job %s is with another worker", job_id)
                return None
            now = self.jobs.now
            try:
                begin = _beginning(self.holds, now)
                job = _patiently(lambda: self.jobs.update(job_id, begin))
                if job.state is not JobState.RUNNING:
                    logger.info("job %s is %s: nothing to do", job_id, job.state)
                    self._tidy(job)
                    return job
                return self._finish(job, self._attempt(job, lease))
            except JobNotFound:
                logger.info("job %s was deleted", job_id)
            except IllegalTransition as error:
                logger.warning("job %s went on without this worker: %s", job_id, error)
        return None

    def _send_on(self, job: Job) -> None:
        """Have a job delivered again, to the workers that have its model, or to others if this one stops."""
        queue = f"the queue of {job.queue}" if job.queue else "the queue"
        logger.info("job %s goes back to %s: %s", job.id, queue, self._why_not(job))
        try:
            self.queue.enqueue(job)
        except Unavailable:
            logger.warning("job %s is not in its queue yet: the reaper will send it", job.id)

    def _why_not(self, job: Job) -> str:
        """What keeps this worker from running a job, in words for the log."""
        if job.model is not None and not self.holds(job.model):
            return "this worker does not have the model"
        if self.stop.is_due():
            return "this worker was told to stop"
        return f"attempt {job.attempt} came to nothing"  # a line before says why

    def _attempt(self, job: Job, lease: Lease) -> Change:
        """Score a job once, and say what becomes of it. Raises IllegalTransition if another worker has it."""
        now = self.jobs.now
        steps = Steps(self.jobs, job, lease, stop=self.stop, time_limit_s=self.time_limit_s)
        try:
            with self.artifacts.attempt(job.id, job.attempt, on_step=steps.check) as folder:
                outcome = self.score(job, folder, steps, steps.decide, steps.describe)
                lease.check()
        except IllegalTransition:
            raise
        except JobCanceled:
            return lambda stored: stored.cancel(attempt=job.attempt, at=now())
        except NotHeld as error:
            logger.info("job %s, attempt %d: %s", job.id, job.attempt, error)
            return lambda stored: stored.give_back(attempt=job.attempt, at=now())
        except WorkerStopping:
            return lambda stored: stored.give_back(attempt=job.attempt, at=now())
        except ArtifactsAway as error:
            logger.warning("job %s, attempt %d: back to the queue: %s", job.id, job.attempt, error)
            return lambda stored: stored.give_back(attempt=job.attempt, at=now())
        except Exception as error:
            return _after_error(job, error, now)
        return _success(job, outcome, now)

    def _finish(self, job: Job, change: Change) -> Job:
        """Store how an attempt ended, patiently, and remove what other attempts left. Raises Unavailable."""
        ended = _patiently(lambda: self.jobs.update(job.id, change))
        self._tidy(ended)
        logger.info("job %s, attempt %d: now %s", job.id, job.attempt, ended.state)
        return ended

    def _tidy(self, job: Job) -> None:
        """Remove what nobody will ask for any more, once nobody runs a job."""
        try:
            if job.error and job.error.code in _REFUSALS:
                self.artifacts.remove(job.id)  # it would be refused again
            elif job.state is JobState.SUCCEEDED:
                self.artifacts.keep_only(job.id, job.attempt)
                self.artifacts.remove_input(job.id)
            else:  # results may be in place by the time that a wish to cancel is seen
                self.artifacts.keep_only(job.id, None)
        except ArtifactsAway as error:
            logger.warning("job %s: what it needs no more stays as long as it does: %s", job.id, error)


def _begin(job: Job, holds: Holds, now: Now) -> Job:
    """The next attempt, if it is one for this worker. Who got the lease on a job that runs follows a worker
    that died.
    """
    if job.state.is_finished:
        return job
    waiting = job if job.state is JobState.QUEUED else job.lose_worker(at=now())
    is_for_others = waiting.model is not None and not holds(waiting.model)
    if waiting.state is not JobState.QUEUED or is_for_others:
        return waiting
    return waiting.start(at=now())


def _beginning(holds: Holds, now: Now) -> Change:
    """To begin a job: once, however often it is asked for. A broker that went away may have stored it."""
    begun: list[Job] = []

    def begin(job: Job) -> Job:
        if any((job.revision, job.history) == (each.revision, each.history) for each in begun):
            return job
        begun.append(_begin(job, holds, now))
        return begun[-1]

    return begin


def _success(job: Job, outcome: Outcome, now: Now) -> Change:
    """The end of a job that was scored, unless somebody no longer wants that: up to now, they may say so."""

    def succeed(stored: Job) -> Job:
        if stored.state is JobState.CANCELING:
            return stored.cancel(attempt=job.attempt, at=now())
        # It was told before, but maybe while the broker was away.
        decided = stored.decide(outcome.choice, attempt=job.attempt) if outcome.choice else stored
        return decided.succeed(
            attempt=job.attempt,
            artifacts=outcome.artifacts,
            summary=outcome.summary,
            provider=outcome.provider,
            at=now(),
            timings_s=outcome.timings_s,
        )

    return succeed


def _lost(job: Job, now: Now) -> Change:
    """For another worker, or another time; the reaper sends it."""

    def lose(stored: Job) -> Job:
        if stored.attempt != job.attempt:
            raise StaleAttempt(f"attempt {job.attempt} is over, attempt {stored.attempt} has begun")
        return stored.lose_worker(at=now())

    return lose


def _after_error(job: Job, error: Exception, now: Now) -> Change:
    """Again, if nobody has to act and there are attempts left; else the end."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        error = StorageFull("the disk is full")
    if isinstance(error, Unavailable) and job.n_losses + 1 < MAX_LOSSES:
        logger.warning("job %s, attempt %d: %s", job.id, job.attempt, error)
        return _lost(job, now)
    problem = problem_of(error)
    if isinstance(error, InvalidInput):
        logger.info("job %s refused: %s", job.id, problem.code)
    else:
        logger.error("job %s failed: %s", job.id, where(error))
    return _failure(job, problem, now)


def _failure(job: Job, problem: JobProblem, now: Now) -> Change:
    """The end of a job that cannot be scored, unless nobody wanted it any more by then."""

    def fail(stored: Job) -> Job:
        if stored.state is JobState.CANCELING:
            return stored.cancel(attempt=job.attempt, at=now())
        return stored.fail(problem, attempt=job.attempt, at=now())

    return fail


def problem_of(error: Exception) -> JobProblem:
    """What a caller is told of an error: never a path, nor what a library had to say."""
    match error:
        case MemoryError() | OutOfMemory():
            detail = "the scan needs more memory than this worker has; crop it to the head, or resample it"
            return JobProblem(code=OutOfMemory.code, detail=detail)
        case Misconfigured():
            return JobProblem(
                code=error.code, detail="the worker cannot use the model; the operator has to act"
            )
        case InvalidInput() | Unavailable() | TimedOut():
            return JobProblem(code=error.code, detail=str(error))
        case _:
            return JobProblem(
                code=DisyreError.code, detail="the scan could not be scored, for no fault of yours"
            )


def _patiently(store: Callable[[], Job]) -> Job:
    """Try until the broker answers, for two minutes. Raises Unavailable."""
    for wait_s in _WAITS_S:
        try:
            return store()
        except Unavailable:
            logger.warning("the broker is away: trying again in %g s", wait_s)
            time.sleep(wait_s)
    return store()
