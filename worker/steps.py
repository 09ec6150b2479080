"""What happens between two steps of a job: its progress is saved, and it is stopped where it must stop."""

import logging
import time
from collections.abc import Callable
from typing import Final

from disyre.adapters.job_store import Change, JobStore
from disyre.errors import JobCanceled, TimedOut, Unavailable
from disyre.job import Job
from disyre.job_model import Choice
from disyre.job_state import JobState
from disyre.progress import Progress
from disyre.scan_facts import ScanFacts
from worker.lease import Lease

logger = logging.getLogger(__name__)

_SAVE_EVERY_S: Final = 0.3


class WorkerStopping(BaseException):
    """Raised inside a running job because its worker shuts down; another worker will run it.

    Not an `Exception`, so that no `except Exception` on the way up can swallow it.
    """


class StopRequest:
    """Whether the worker was told to stop, and the job that was running has had its time."""

    def __init__(self, *, grace_s: float) -> None:
        self._grace_s = grace_s
        self._due_at: float | None = None

    def request(self) -> None:
        """Begin to count; a second request changes nothing."""
        if self._due_at is None:
            self._due_at = time.monotonic() + self._grace_s

    def is_due(self) -> bool:
        """Whether a running job has to end now."""
        return self._due_at is not None and time.monotonic() >= self._due_at


class Steps:
    """Is told of every step of one attempt, and lets it go on or raises.

    Raises StaleAttempt (the lease is lost), TimedOut, WorkerStopping or JobCanceled.
    """

    def __init__(
        self,
        jobs: JobStore,
        job: Job,
        lease: Lease,
        *,
        stop: StopRequest,
        time_limit_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = jobs
        self._job = job
        self._lease = lease
        self._stop = stop
        self._time_limit_s = time_limit_s
        self._clock = clock
        self._started_at = clock()
        self._saved_at = float("-inf")
        self._saved: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        """Go on, or raise. What was said before is not saved again."""
        self.check()
        is_due = self._clock() - self._saved_at >= _SAVE_EVERY_S
        if self._saved is None or progress.stage != self._saved.stage or (is_due and progress != self._saved):
            self._saved, self._saved_at = progress, self._clock()
            self._save(progress)

    def check(self) -> None:
        """Go on, or raise, where there is nothing to be told; any thread may ask."""
        self._lease.check()
        if self._clock() - self._started_at > self._time_limit_s:
            raise TimedOut(f"expected a job of at most {self._time_limit_s:g} s")
        if self._stop.is_due():
            raise WorkerStopping

    def describe(self, scan: ScanFacts) -> None:
        """The scan is read."""
        self._lease.check()
        self._store(lambda job: job.describe(scan, attempt=self._job.attempt))

    def decide(self, choice: Choice) -> None:
        """What the scan is, and which model scores it."""
        self._lease.check()
        self._store(lambda job: job.decide(choice, attempt=self._job.attempt))

    def _save(self, progress: Progress) -> None:
        self._store(lambda job: job.report(progress, attempt=self._job.attempt))

    def _store(self, change: Change) -> None:
        """Store news, and see whether the job is still wanted; without the broker, just go on."""
        try:
            job = self._jobs.update(self._job.id, change)
        except Unavailable:
            logger.warning("job %s: progress could not be saved", self._job.id)
            return
        if job.state is JobState.CANCELING:
            raise JobCanceled
