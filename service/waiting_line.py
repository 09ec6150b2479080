"""How long the queue is, and when a job will begin."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from disyre.adapters.job_store import Durations, JobStore, Rivals
from disyre.adapters.worker_registry import WorkerInfo, WorkerRegistry
from disyre.errors import Unavailable
from disyre.job import Job
from disyre.job_state import JobState
from disyre.tally import BEGUN_AT_S, Counts
from service.remembered import Remembered
from service.staff import Staff

_N_RECENT: Final = 20
"""As many of the newest jobs of a model tell how long a job takes."""
_LEARN_EVERY_S: Final = 5.0
_COUNT_EVERY_S: Final = 0.5


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
    waiting: Mapping[str, int] = field(default_factory=dict)
    """How many wait, by queue: the name of their model, or nothing where that is not known yet."""
    ahead: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """How many of each queue begin before a job; of the jobs that were asked about, and wait."""
    left_s: Mapping[str, float] = field(default_factory=dict)
    """Estimated time until a job ends that a worker has, where that is known; by the id of the job."""
    staff: Mapping[str, Staff] = field(default_factory=dict)
    """Who takes jobs of a model: of one that is not here, nobody. Empty if it is not known: all."""

    def position_of(self, job_id: str) -> int | None:
        """1 for the job that is next; None for one that does not wait, or was not asked about."""
        ahead = self.ahead.get(job_id)
        return None if ahead is None else sum(ahead.values()) + 1

    def eta_of(self, job: Job) -> float | None:
        """Estimated time until a job begins; None if it does not wait, or nobody can tell."""
        ahead = self.ahead.get(job.id)
        return None if ahead is None else self.eta_behind(ahead, job.queue)

    def eta_of_next(self) -> float | None:
        """Estimated time until a job begins that is submitted now; None if nobody can tell."""
        return self.eta_behind(self.waiting)

    def eta_behind(self, ahead: Mapping[str, int], model: str = "") -> float | None:
        """Estimated time until a job of a model begins behind so many of each queue; None if nobody can tell.

        Each of these takes as long as is usual for its own model, or for all where that is not known.
        """
        staff = Staff(self.n_workers, self.n_running, tuple(self.left_s.values()))
        if model and self.staff:
            staff = self.staff.get(model, Staff(0, 0))
        if not staff.n_workers:
            return None
        if staff.n_busy + sum(ahead.values()) < staff.n_workers:
            return 0.0
        if self.typical_s is None:
            return None
        times_s = [(n, self.typical_of_model_s.get(each, self.typical_s)) for each, n in ahead.items()]
        return staff.begins_in_s(times_s, self.typical_s)


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
        self._begun = Remembered(self._look_at_begun, _COUNT_EVERY_S, clock)
        self._now = Remembered(jobs.now, _COUNT_EVERY_S, clock)

    def look(self, *job_ids: str) -> WaitingLine:
        """The queue as it is, and where these jobs stand. Raises Unavailable."""
        workers = self._who()
        places = self._jobs.places(*job_ids, rivals=_rivals(workers))
        durations = self._durations()
        typical_s = _typical_of_model_s(durations)
        begun, now = self._begun()
        left_s = {job.id: left for job in begun if (left := _left_s(job, now, typical_s)) is not None}
        return WaitingLine(
            n_waiting=places.n_waiting,
            n_running=places.n_running,
            n_workers=len(workers),
            typical_s=_typical_s(durations),
            typical_of_model_s=typical_s,
            waiting=places.waiting,
            ahead=places.ahead,
            left_s=dict(islice(left_s.items(), places.n_running)),  # fewer run, if some ended meanwhile
            staff=_staff(workers, places.n_running, left_s),
        )

    def _look_at_begun(self) -> tuple[list[Job], datetime]:
        """The jobs that workers have, and when that was; asks for no time if there is none."""
        begun = self._jobs.begun()
        return begun, self._jobs.now() if begun else datetime.max.replace(tzinfo=UTC)

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

    def left_s(self, job: Job) -> float | None:
        """Estimated time until a job ends that was begun; None if nobody can tell, or the broker is away."""
        try:
            return _left_s(job, self._now(), _typical_of_model_s(self._durations()))
        except Unavailable:
            return None

    def look_if_possible(self, *job_ids: str) -> WaitingLine | None:
        """The queue as it is; None if the broker does not answer."""
        try:
            return self.look(*job_ids)
        except Unavailable:
            return None


def _left_s(job: Job, now: datetime, typical_of_model_s: Mapping[str, float]) -> float | None:
    """Estimated time until a job that was begun ends: as it says, or by how long it ran; None: unknown."""
    if job.state is JobState.CANCELING:
        return 0.0
    ran_s = max(0.0, (now - job.history[-1].at).total_seconds())
    told = job.progress
    if told is not None and told.eta_s is not None:
        silent_s = 0.0 if told.elapsed_s is None else max(0.0, ran_s - told.elapsed_s)
        return max(0.0, told.eta_s - silent_s)
    typical_s = typical_of_model_s.get(job.queue)
    return None if typical_s is None else max(0.0, typical_s - ran_s)


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


def _staff(workers: Sequence[WorkerInfo], n_running: int, left_s: Mapping[str, float]) -> dict[str, Staff]:
    """Who takes jobs of each model."""
    found = {}
    for name in _names(workers):
        takers = [worker for worker in workers if worker.takes(name)]
        if len(takers) == len(workers):
            n_busy, left = n_running, list(left_s.values())
        else:
            busy_with = [worker.busy_with for worker in takers if worker.busy_with is not None]
            n_busy, left = len(busy_with), [left_s[each] for each in busy_with if each in left_s]
        found[name] = Staff(len(takers), n_busy, left[:n_busy])
    return found
