"""How long the queue is, and when a job will begin."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from disyre.adapters.job_store import JobStore
from disyre.adapters.worker_registry import WorkerRegistry
from disyre.errors import Unavailable
from disyre.job import Job, JobState

_N_RECENT: Final = 20
"""As many of the newest jobs tell how long a job takes."""
_LEARN_EVERY_S: Final = 5.0


@dataclass(frozen=True)
class WaitingLine:
    """The queue at one moment."""

    job_ids: tuple[str, ...]
    """Waiting jobs, the next one first."""
    n_running: int
    n_workers: int
    typical_s: float | None
    """How long a job takes; None if none has succeeded lately."""

    def position(self, job_id: str) -> int | None:
        """1 for the job that is next; None for one that does not wait."""
        return self.job_ids.index(job_id) + 1 if job_id in self.job_ids else None

    def eta_start_s(self, position: int) -> float | None:
        """Estimated time until the job at a position begins; None if nobody can tell."""
        n_ahead = self.n_running + position - 1
        if not self.n_workers:
            return None
        if n_ahead < self.n_workers:
            return 0.0
        if self.typical_s is None:
            return None
        return (n_ahead - self.n_workers + 1) / self.n_workers * self.typical_s


class QueueWatch:
    """Looks at the queue, and remembers for a few seconds how long jobs take: that is dear to find out."""

    def __init__(
        self, jobs: JobStore, workers: WorkerRegistry, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._jobs = jobs
        self._workers = workers
        self._clock = clock
        self._typical_s: float | None = None
        self._learned_at: float | None = None

    def look(self) -> WaitingLine:
        """The queue as it is. Raises Unavailable."""
        if self._learned_at is None or self._clock() - self._learned_at > _LEARN_EVERY_S:
            self._typical_s = _typical_s(self._jobs.list(limit=_N_RECENT))
            self._learned_at = self._clock()
        return WaitingLine(
            job_ids=tuple(self._jobs.waiting()),
            n_running=len(self._jobs.running()),
            n_workers=len(self._workers.workers()),
            typical_s=self._typical_s,
        )

    def look_if_possible(self) -> WaitingLine | None:
        """The queue as it is; None if the broker does not answer."""
        try:
            return self.look()
        except Unavailable:
            return None


def _typical_s(jobs: Sequence[Job]) -> float | None:
    """Median duration of those that succeeded."""
    durations = [
        (job.finished_at - job.started_at).total_seconds()
        for job in jobs
        if job.state is JobState.SUCCEEDED and job.started_at and job.finished_at
    ]
    return statistics.median(durations) if durations else None
