"""Where jobs are kept: what every store of them can do.

A change is a pure function from job to job. It is stored only if nobody stored another one meanwhile;
else it is applied again to what they stored, so a transition that is no longer allowed raises.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from disyre.adapters.due_calls import DueCalls
from disyre.adapters.leases import Leases
from disyre.errors import JobNotFound, StillReceiving
from disyre.job import Job
from disyre.job_state import JobState
from disyre.queue_limits import UNLIMITED, QueueLimits
from disyre.receipt import Receipt
from disyre.store_mark import StoreMark
from disyre.tally import Counts

Change: TypeAlias = Callable[[Job], Job]
Jobs: TypeAlias = list[Job]
JobIds: TypeAlias = list[str]


Durations: TypeAlias = list[tuple[str, float]]
"""Name of the model and seconds, of jobs."""


Rivals: TypeAlias = Mapping[str, Collection[str]]
"""By the name of a queue, those from which its workers take, too. A queue that is not here has all others."""


@dataclass(frozen=True)
class Places:
    """How many jobs there are at one moment, and where some of them stand."""

    n_waiting: int
    n_running: int
    waiting: Mapping[str, int]
    """How many wait, by the name of their queue; without those of which there are none."""
    ahead: Mapping[str, Mapping[str, int]]
    """By id, of those that wait: how many of each queue begin before it."""

    @property
    def positions(self) -> dict[str, int]:
        """By id, of those that wait: 1 for the job that is next."""
        return {job_id: sum(ahead.values()) + 1 for job_id, ahead in self.ahead.items()}


class JobStore(Leases, DueCalls, Protocol):
    """Jobs by id, their order, and the leases of the workers that run them."""

    def now(self) -> datetime:
        """The time of day, by a clock that all users of the store share: of what happens to jobs, and in ids.

        Raises Unavailable if that clock was never asked with success.
        """

    def add(self, *jobs: Job, limits: QueueLimits = UNLIMITED, receipt: Receipt | None = None) -> None:
        """Store new jobs: all of them, or none. Durable when this returns; the same again changes nothing.

        With a receipt, that is stored too, in the same step. Raises StillReceiving if its key is another's.

        Raises QueueFull if the queue would be longer than the limits allow, and ValueError if there is
        another job of one of the ids. After Unavailable there is none of the jobs, and will be none, but
        after Undecided nobody knows.
        """

    def withdraw(self, job_id: str) -> bool:
        """Forget a job that no worker has begun; False if one has, and it stays."""

    def get(self, job_id: str) -> Job:
        """The job as it is now. Raises JobNotFound, or JobExpired."""

    def update(self, job_id: str, change: Change) -> Job:
        """Apply a change and store the result, whole or not at all.

        A change that returns its argument stores nothing. Raises JobNotFound, JobExpired, and what `change`
        raises.
        """

    def remove(self, job_id: str) -> None:
        """Forget a job. Removing it twice does no harm."""

    def list(self, *, limit: int, before: str | None = None) -> Jobs:
        """The newest jobs first; `before` is the id after which to go on."""

    def n_waiting(self) -> int:
        """How many jobs are queued."""

    def n_voxels(self) -> int:
        """How many voxels the scans of all jobs have that wait or run, as far as it is known."""

    def places(self, *job_ids: str, rivals: Rivals | None = None) -> Places:
        """How many jobs wait and run, and where these stand. Costs the same for any length of the queue.

        A job comes after all of a higher priority, and after those of its own that came before. One that has
        lost its worker, or was given back, has come when it did; one that is retried comes anew.
        Queues from which the same workers take, take turns: for each job of one, one of each other.
        """

    def tidy(self) -> None:
        """Forget places of jobs that no longer wait: a program of before there were queues took them."""

    def durations(self) -> Durations:
        """How long the jobs took that succeeded last, the last one first; at most N_DURATIONS."""

    def counts(self) -> Counts:
        """What was counted of all jobs that there ever were."""

    def waiting(self) -> JobIds:
        """Ids of queued jobs: those of a higher priority first, and of one those that came first."""

    def heads(self) -> Jobs:
        """The next job of each queue in each priority."""

    def running(self) -> JobIds:
        """Ids of jobs that a worker has begun and not ended."""

    def begun(self) -> Jobs:
        """The same jobs as they are now."""

    def known(self, job_ids: Collection[str]) -> set[str]:
        """Those of some ids that are of jobs."""

    def mark(self) -> StoreMark | None:
        """What the files of these jobs carry too; None if the store is new, or has lost its records."""

    def set_mark(self, mark: StoreMark) -> None:
        """From now on, the records belong to the files that carry this."""


BEGUN: Final = (JobState.RUNNING, JobState.CANCELING)
"""States of a job that a worker has begun and not ended."""
N_DURATIONS: Final = 200
"""So many are kept, of all models together."""


def ends_with_call(before: Job, after: Job) -> bool:
    """Whether a change is the end of a job about which somebody wants to be called."""
    return after.state.is_finished and not before.state.is_finished and after.params.callback is not None


def export_at_end(before: Job, after: Job) -> str:
    """The archive that gets the results of a job that succeeds by a change; empty if there is none."""
    succeeds = after.state is JobState.SUCCEEDED is not before.state
    return (after.params.export or "") if succeeds else ""


def not_found() -> JobNotFound:
    """What is raised for an id that no job has."""
    return JobNotFound("expected the id of a job, got one that no job has")


def key_in_use() -> StillReceiving:
    """What is raised where another request has the idempotency key."""
    return StillReceiving("another request with this Idempotency-Key is still being received")


def voxels_of(jobs: Iterable[Job]) -> int:
    """How many voxels the scans of some jobs have, as far as it is known."""
    return sum(job.input.n_voxels or 0 for job in jobs)
