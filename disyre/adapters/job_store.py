"""Where jobs are kept, and who holds the lease on one.

A change is a pure function from job to job. It is stored only if nobody stored another one meanwhile;
else it is applied again to what they stored, so a transition that is no longer allowed raises.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, TypeAlias

from disyre.adapters.job_events import InMemoryJobEvents
from disyre.documents import read_document, write_document
from disyre.errors import JobExpired, JobNotFound, QueueFull, StillReceiving
from disyre.job import Job, JobState
from disyre.job_event import JobEvent
from disyre.priority import rank_of
from disyre.receipt import Receipt
from disyre.store_mark import StoreMark
from disyre.tally import Counts, add_to, tally_of_change, tally_of_new
from disyre.wording import counted

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
    positions: Mapping[str, int]
    """By id, of those that wait: 1 for the job that is next."""


class JobStore(Protocol):
    """Jobs by id, their order, and the leases of the workers that run them."""

    def now(self) -> datetime:
        """The time of day, by a clock that all users of the store share: of what happens to jobs, and in ids.

        Raises Unavailable if that clock was never asked with success.
        """

    def add(
        self,
        *jobs: Job,
        most_waiting: int | None = None,
        most_voxels: int | None = None,
        receipt: Receipt | None = None,
    ) -> None:
        """Store new jobs: all of them, or none. Durable when this returns; the same again changes nothing.

        With a receipt, that is stored too, in the same step. Raises StillReceiving if its key is another's.

        Raises QueueFull if more than `most_waiting` jobs would wait, or if the scans of all that wait or run
        would have more than `most_voxels`, unless there are none; and ValueError if there is another job of
        one of the ids. After Unavailable there is none of the jobs, and will be none, but after Undecided
        nobody knows.
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

        A job comes after all of a higher priority, and after those of its own that entered its queue before.
        Queues from which the same workers take, take turns: for each job of one, one of each other.
        """

    def wait_anew(self, job: Job) -> None:
        """Put a job behind the others of its priority, as its message is sent again; if it still waits."""

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

    def known(self, job_ids: Collection[str]) -> set[str]:
        """Those of some ids that are of jobs."""

    def mark(self) -> StoreMark | None:
        """What the files of these jobs carry too; None if the store is new, or has lost its records."""

    def set_mark(self, mark: StoreMark) -> None:
        """From now on, the records belong to the files that carry this."""

    def take_call(self, *, lease_s: float) -> tuple[str, int] | None:
        """Id of a job whose callback is due, and how often it was taken by now; None if there is none.

        It is due again after the lease, unless it was put off or has ended by then.
        """

    def put_off_call(self, job_id: str, *, after_s: float) -> None:
        """Make a callback due after some time from now."""

    def end_call(self, job_id: str) -> None:
        """Forget a callback."""

    def claim(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Take the lease on a job for `holder`, if nobody has it. Expires by the store's clock."""

    def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Lengthen a lease, or take it again if it ran out and nobody has it; False if another one does."""

    def release(self, job_id: str, holder: str) -> None:
        """Give the lease back, if `holder` has it."""

    def is_leased(self, job_id: str) -> bool:
        """Whether a worker holds the job."""


BEGUN: Final = (JobState.RUNNING, JobState.CANCELING)
"""States of a job that a worker has begun and not ended."""
N_DURATIONS: Final = 200
"""So many are kept, of all models together."""


class InMemoryJobStore:
    """For tests; goes through the same JSON as the real one."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock = clock
        self.events = InMemoryJobEvents()
        self._docs: dict[str, str] = {}
        self._calls: dict[str, dict[str, str]] = {}
        """Of each job, the documents that were added together with its own."""
        self._leases: dict[str, tuple[str, float]] = {}
        self._durations: Durations = []
        self._counts: dict[str, float] = {}
        self._mark: StoreMark | None = None
        self._calls_due: dict[str, tuple[datetime, int]] = {}
        """When, and how often it was taken."""
        self._n_entries = 0
        self._entries: dict[str, int] = {}
        """How many jobs had entered a queue before this one did."""
        self.receipts: dict[str, Receipt] = {}
        """By the name of their idempotency key."""
        self.key_holders: dict[str, tuple[str, float]] = {}
        """Who holds an idempotency key, and until when (s)."""
        self.tombstones: dict[str, str] = {}
        """Owners of expired jobs."""
        self.lock = threading.RLock()

    def now(self) -> datetime:
        """The time of day."""
        return self.clock()

    def add(
        self,
        *jobs: Job,
        most_waiting: int | None = None,
        most_voxels: int | None = None,
        receipt: Receipt | None = None,
    ) -> None:
        """Store new jobs."""
        call = {job.id: job.model_dump_json() for job in jobs}
        with self.lock:
            if receipt is not None and self._holder(receipt.name) not in (None, receipt.holder):
                raise key_in_use()
            if any(self._calls.get(job_id, call) != call for job_id in call):
                raise ValueError("there is a job of this id already")
            if any(job_id in self._calls for job_id in call):
                return
            if most_waiting is not None and self.n_waiting() + len(call) > most_waiting:
                raise queue_full(most_waiting)
            there, more = self.n_voxels(), voxels_of(jobs)
            if most_voxels is not None and there and there + more > most_voxels:
                raise too_many_voxels(most_voxels, there, more)
            self._docs |= call
            for job_id in call:
                self._enter(job_id)
            self._calls |= dict.fromkeys(call, call)
            if receipt is not None:
                self.receipts[receipt.name] = receipt
            for job in jobs:
                self.events.tell(JobEvent.of(job))
            add_to(self._counts, tally_of_new(jobs))

    def withdraw(self, job_id: str) -> bool:
        """Forget a job that no worker has begun."""
        with self.lock:
            if job_id in self._docs and self.get(job_id).revision != 1:
                return False
            self.remove(job_id)
            return True

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        try:
            return self._read(job_id)
        except KeyError as error:
            if job_id in self.tombstones:
                raise JobExpired(self.tombstones[job_id]) from error
            raise not_found() from error

    def update(self, job_id: str, change: Change) -> Job:
        """Apply a change and store the result."""
        with self.lock:
            job = self.get(job_id)
            changed = change(job)
            if changed is not job and changed.run_s is not None and changed.model is not None:
                self._durations.insert(0, (changed.model.name, changed.run_s))
            self._docs[job_id] = write_document(changed, over=self._docs[job_id])
            if changed.state is JobState.QUEUED is not job.state:
                self._enter(job_id)
            if changed is not job:
                self.events.tell(JobEvent.of(changed, before=job))
            add_to(self._counts, tally_of_change(job, changed))
            if ends_with_call(job, changed):
                self._calls_due[job_id] = self.now(), 0
            return changed

    def remove(self, job_id: str) -> None:
        """Forget a job and its lease."""
        self._docs.pop(job_id, None)
        self._calls.pop(job_id, None)
        self._leases.pop(job_id, None)
        self.events.forget(job_id)

    def list(self, *, limit: int, before: str | None = None) -> Jobs:
        """The newest jobs first."""
        ids = sorted((i for i in self._docs if before is None or i < before), reverse=True)
        return [self.get(job_id) for job_id in ids[:limit]]

    def n_waiting(self) -> int:
        """How many jobs are queued."""
        return len(self.waiting())

    def n_voxels(self) -> int:
        """How many voxels the scans of all jobs have that wait or run."""
        with self.lock:
            jobs = map(self.get, self._in_states(JobState.QUEUED, *BEGUN))
            return voxels_of(jobs)

    def places(self, *job_ids: str, rivals: Rivals | None = None) -> Places:
        """How many jobs wait and run, and where these stand."""
        with self.lock:
            waiting = [self._read(job_id) for job_id in self.waiting()]
            positions = {}
            for job in waiting:
                together = {job.queue, *(rivals or {}).get(job.queue, (each.queue for each in waiting))}
                turns = _in_turns([each for each in waiting if each.queue in together])
                positions[job.id] = turns.index(job.id) + 1
            found = {job_id: positions[job_id] for job_id in job_ids if job_id in positions}
            return Places(len(waiting), len(self.running()), found)

    def wait_anew(self, job: Job) -> None:
        """Put a job behind the others of its priority."""
        with self.lock:
            self._enter(job.id)

    def tidy(self) -> None:
        """There is nothing to do: all users of this store are of one version."""

    def durations(self) -> Durations:
        """How long the jobs took that succeeded last."""
        return self._durations[:N_DURATIONS]

    def counts(self) -> Counts:
        """What was counted of all jobs that there ever were."""
        return dict(self._counts)

    def waiting(self) -> JobIds:
        """Ids of queued jobs, the next one first."""
        return sorted(self._in_states(JobState.QUEUED), key=self._order)

    def heads(self) -> Jobs:
        """The next job of each queue in each priority."""
        with self.lock:
            waiting = [self._read(job_id) for job_id in reversed(self.waiting())]
            return list({(job.queue, job.params.priority): job for job in waiting}.values())

    def running(self) -> JobIds:
        """Ids of running and canceling jobs."""
        return self._in_states(*BEGUN)

    def known(self, job_ids: Collection[str]) -> set[str]:
        """Those of some ids that are of jobs."""
        return {job_id for job_id in job_ids if job_id in self._docs}

    def mark(self) -> StoreMark | None:
        """What the files of these jobs carry too."""
        return self._mark

    def set_mark(self, mark: StoreMark) -> None:
        """From now on, the records belong to the files that carry this."""
        self._mark = mark

    def take_call(self, *, lease_s: float) -> tuple[str, int] | None:
        """A callback that is due."""
        with self.lock:
            now = self.now()
            for job_id, (due_at, n_taken) in self._calls_due.items():
                if due_at <= now:
                    self._calls_due[job_id] = now + timedelta(seconds=lease_s), n_taken + 1
                    return job_id, n_taken + 1
            return None

    def put_off_call(self, job_id: str, *, after_s: float) -> None:
        """Make a callback due later."""
        self._calls_due[job_id] = self.now() + timedelta(seconds=after_s), self._calls_due[job_id][1]

    def end_call(self, job_id: str) -> None:
        """Forget a callback."""
        self._calls_due.pop(job_id, None)

    def claim(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Take the lease on a job."""
        with self.lock:
            if self.is_leased(job_id):
                return False
            self._leases[job_id] = (holder, time.monotonic() + lease_s)
            return True

    def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Lengthen a lease, or take it again."""
        with self.lock:
            if self.is_leased(job_id) and self._leases[job_id][0] != holder:
                return False
            self._leases[job_id] = (holder, time.monotonic() + lease_s)
            return True

    def release(self, job_id: str, holder: str) -> None:
        """Give the lease back."""
        with self.lock:
            if self._leases.get(job_id, ("",))[0] == holder:
                del self._leases[job_id]

    def is_leased(self, job_id: str) -> bool:
        """Whether a worker holds the job."""
        return job_id in self._leases and self._leases[job_id][1] > time.monotonic()

    def _holder(self, name: str) -> str | None:
        if name in self.receipts:
            return self.receipts[name].holder
        holder, until = self.key_holders.get(name, (None, 0.0))
        return holder if until > time.monotonic() else None

    def _enter(self, job_id: str) -> None:
        self._entries[job_id] = self._n_entries
        self._n_entries += 1

    def _order(self, job_id: str) -> tuple[int, int]:
        return rank_of(self._read(job_id).params.priority), self._entries[job_id]

    def _in_states(self, *states: JobState) -> JobIds:
        return sorted(job_id for job_id in self._docs if self._read(job_id).state in states)

    def _read(self, job_id: str) -> Job:
        return read_document(Job, self._docs[job_id])


def _in_turns(waiting: Jobs) -> JobIds:
    """Ids of jobs, which are in order, as they begin if their queues take turns."""
    n_before: Counter[tuple[str, str]] = Counter()
    turns = []
    for number, job in enumerate(waiting):
        priority, queue = job.params.priority, job.queue
        turns.append((rank_of(priority), n_before[priority, queue], number, job.id))
        n_before[priority, queue] += 1
    return [job_id for *_, job_id in sorted(turns)]


def ends_with_call(before: Job, after: Job) -> bool:
    """Whether a change is the end of a job about which somebody wants to be called."""
    return after.state.is_finished and not before.state.is_finished and after.params.callback is not None


def not_found() -> JobNotFound:
    """What is raised for an id that no job has."""
    return JobNotFound("expected the id of a job, got one that no job has")


def key_in_use() -> StillReceiving:
    """What is raised where another request has the idempotency key."""
    return StillReceiving("another request with this Idempotency-Key is still being received")


def queue_full(most_waiting: int) -> QueueFull:
    """What is raised where no more jobs may wait."""
    return QueueFull(f"expected fewer than {counted(most_waiting, 'waiting job')}")


def too_many_voxels(most: int, there: int, more: int) -> QueueFull:
    """What is raised where no scans with so many more voxels may wait."""
    return QueueFull(
        f"expected at most {most} voxels in all scans that wait or run, got {there} and {more} more"
    )


def voxels_of(jobs: Iterable[Job]) -> int:
    """How many voxels the scans of some jobs have, as far as it is known."""
    return sum(job.input.n_voxels or 0 for job in jobs)
