"""How long the queue is, and when a job will begin."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from disyre.adapters.job_store import Durations, JobStore, Rivals
from disyre.adapters.worker_registry import WorkerInfo, WorkerRegistry
from disyre.errors import Unavailable
from disyre.job import Job
from disyre.tally import BEGUN_AT_S, Counts
from service.remembered import Remembered

_N_RECENT: Final = 20
"""As many of the newest jobs of a model tell how long a job takes."""
_LEARN_EVERY_S: Final = 5.0
_COUNT_EVERY_S: Final = 0.5


@dataclass(frozen=True)
class Staff:
    """Workers for a model."""

    n_workers: int
    n_busy: int


@dataclass(frozen=True)
class WaitingLine:
    """The queue at one moment."""

    n_waiting: int
    n_running: int
    n_workers: int
    typical_s: float | None
    """How long a job takes; None if none has succeeded lately."""
    typical_of_model_s: Mapping[str, float] = field(default_factory=dict)
    """How long a job of a model takes."""
    positions: Mapping[str, int] = field(default_factory=dict)
    """1 for the job that is next; of the jobs that were asked about, and wait."""
    staff: Mapping[str, Staff] = field(default_factory=dict)
    """Who takes jobs of a model: of one that is not here, nobody. Empty if it is not known: all."""

    def eta_start_s(self, position: int, model: str | None = None) -> float | None:
        """Estimated time until the job at a position begins; None if nobody can tell.

        Those before it are taken to be jobs of the same model, if it is known.
        """
        staff = Staff(self.n_workers, self.n_running)
        if model and self.staff:
            staff = self.staff.get(model, Staff(0, 0))
        n_ahead = staff.n_busy + position - 1
        if not staff.n_workers:
            return None
        if n_ahead < staff.n_workers:
            return 0.0
        typical_s = self.typical_of_model_s.get(model or "", self.typical_s)
        if typical_s is None:
            return None
        return (n_ahead - staff.n_workers + 1) / staff.n_workers * typical_s

    def eta_of(self, job: Job) -> float | None:
        """Estimated time until a job begins; None if it does not wait, or nobody can tell."""
        position = self.positions.get(job.id)
        return None if position is None else self.eta_start_s(position, job.queue)


@dataclass(frozen=True)
class Pace:
    """Whether the queue moves."""

    oldest_s: float = 0.0
    """How long the job has been in its queue that entered one first of those that wait; 0 if none does."""
    standstill_s: float = 0.0
    """How long nobody has begun a job, though one waits and a worker that takes it has none; else 0."""


class QueueWatch:
    """Looks at the queue; how long jobs take, and who works on them, is remembered for a moment."""

    def __init__(
        self, jobs: JobStore, workers: WorkerRegistry, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._jobs = jobs
        self._workers = workers
        self._durations = Remembered(jobs.durations, _LEARN_EVERY_S, clock)
        self._who = Remembered(workers.workers, _COUNT_EVERY_S, clock)

    def look(self, *job_ids: str) -> WaitingLine:
        """The queue as it is, and where these jobs stand. Raises Unavailable."""
        workers = self._who()
        places = self._jobs.places(*job_ids, rivals=_rivals(workers))
        durations = self._durations()
        return WaitingLine(
            n_waiting=places.n_waiting,
            n_running=places.n_running,
            n_workers=len(workers),
            typical_s=_typical_s(durations),
            typical_of_model_s=_typical_of_model_s(durations),
            positions=places.positions,
            staff=_staff(workers, places.n_running),
        )

    def counts(self) -> Counts:
        """What was counted of all jobs. Raises Unavailable."""
        return self._jobs.counts()

    def pace(self) -> Pace:
        """Whether the queue moves. Raises Unavailable."""
        heads = self._jobs.heads()
        if not heads:
            return Pace()
        now = self._jobs.now()
        queued_at = min(job.history[-1].at for job in heads)
        oldest_s = max(0.0, (now - queued_at).total_seconds())
        idle = [worker for worker in self._workers.workers() if not worker.busy_with]
        left = [job.history[-1].at for job in heads if any(worker.takes(job.queue) for worker in idle)]
        if not left:
            return Pace(oldest_s)
        since_begun_s = now.timestamp() - self._jobs.counts().get(BEGUN_AT_S, 0.0)
        left_s = (now - min(left)).total_seconds()
        return Pace(oldest_s, max(0.0, min(left_s, since_begun_s)))

    def look_if_possible(self, *job_ids: str) -> WaitingLine | None:
        """The queue as it is; None if the broker does not answer."""
        try:
            return self.look(*job_ids)
        except Unavailable:
            return None


def _typical_s(durations: Durations) -> float | None:
    """Median of the newest; None if there is none."""
    return statistics.median(seconds for _, seconds in durations[:_N_RECENT]) if durations else None


def _typical_of_model_s(durations: Durations) -> dict[str, float]:
    """Median of the newest of each model."""
    of_model: dict[str, list[float]] = {}
    for model, seconds in durations:
        of_model.setdefault(model, []).append(seconds)
    return {model: statistics.median(each[:_N_RECENT]) for model, each in of_model.items()}


def _names(workers: Sequence[WorkerInfo]) -> set[str]:
    """Of the models that workers say they hold; none if there is one that does not say."""
    if any(worker.holds is None for worker in workers):
        return set()
    return {model.name for worker in workers for model in worker.holds or ()}


def _rivals(workers: Sequence[WorkerInfo]) -> Rivals:
    """Which queues take turns; none if that is not known."""
    names = _names(workers)
    if not names:
        return {}
    found = {"": {"", *names}}
    for name in names:
        takers = [worker for worker in workers if worker.takes(name)]
        found[name] = {"", *(other for other in names if any(worker.takes(other) for worker in takers))}
    return found


def _staff(workers: Sequence[WorkerInfo], n_running: int) -> dict[str, Staff]:
    """Who takes jobs of each model."""
    found = {}
    for name in _names(workers):
        takers = [worker for worker in workers if worker.takes(name)]
        n_busy = sum(worker.busy_with is not None for worker in takers)
        found[name] = Staff(len(takers), n_running if len(takers) == len(workers) else n_busy)
    return found
