"""Jobs in memory, for tests: what Redis does in its scripts, done under a lock."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from disyre.adapters.due_calls import InMemoryDueCalls
from disyre.adapters.exports import InMemoryExports
from disyre.adapters.job_events import InMemoryJobEvents
from disyre.adapters.job_store import (
    BEGUN,
    N_DURATIONS,
    Change,
    Durations,
    JobIds,
    Jobs,
    Places,
    Rivals,
    ends_with_call,
    export_at_end,
    key_in_use,
    not_found,
    voxels_of,
)
from disyre.adapters.leases import InMemoryLeases
from disyre.documents import read_document, write_document
from disyre.errors import JobExpired
from disyre.job import Job
from disyre.job_event import JobEvent
from disyre.job_state import JobState
from disyre.priority import rank_of
from disyre.queue_limits import UNLIMITED, QueueLimits
from disyre.receipt import Receipt
from disyre.store_mark import StoreMark
from disyre.tally import Counts, add_to, tally_of_change, tally_of_new


class InMemoryJobStore(InMemoryLeases, InMemoryDueCalls):
    """For tests; goes through the same JSON as the real one."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        InMemoryLeases.__init__(self)
        InMemoryDueCalls.__init__(self, self.now)
        self.clock = clock
        self.events = InMemoryJobEvents()
        self.exports = InMemoryExports(self.now)
        self._docs: dict[str, str] = {}
        self._calls: dict[str, dict[str, str]] = {}
        """Of each job, the documents that were added together with its own."""
        self._durations: Durations = []
        self._counts: dict[str, float] = {}
        self._mark: StoreMark | None = None
        self._n_entries = 0
        self._entries: dict[str, int] = {}
        """How many jobs had come before this one did."""
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

    def add(self, *jobs: Job, limits: QueueLimits = UNLIMITED, receipt: Receipt | None = None) -> None:
        """Store new jobs."""
        call = {job.id: job.model_dump_json() for job in jobs}
        with self.lock:
            if receipt is not None and self._holder(receipt.name) not in (None, receipt.holder):
                raise key_in_use()
            if any(self._calls.get(job_id, call) != call for job_id in call):
                raise ValueError("there is a job of this id already")
            if any(job_id in self._calls for job_id in call):
                return
            limits.check(self.n_waiting() + len(call), self.n_voxels(), voxels_of(jobs))
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
            if job.run_s is None and changed.run_s is not None and changed.model is not None:
                self._durations.insert(0, (changed.model.name, changed.run_s))
            self._docs[job_id] = write_document(changed, over=self._docs[job_id])
            is_new_wish = changed.state is JobState.QUEUED and job.state.is_finished
            if is_new_wish:  # else it keeps its place
                self._enter(job_id)
            if changed is not job:
                self.events.tell(JobEvent.of(changed, before=job))
            add_to(self._counts, tally_of_change(job, changed))
            if ends_with_call(job, changed):
                self._calls_due[job_id] = self.now(), 0
            if server := export_at_end(job, changed):
                self.exports.fall_due(job_id, server)
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
            ahead = {}
            for job in waiting:
                together = {job.queue, *(rivals or {}).get(job.queue, (each.queue for each in waiting))}
                turns = _in_turns([each for each in waiting if each.queue in together])
                ahead[job.id] = Counter(each.queue for each in turns[: turns.index(job)])
            found = {job_id: ahead[job_id] for job_id in job_ids if job_id in ahead}
            return Places(len(waiting), len(self.running()), Counter(job.queue for job in waiting), found)

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

    def begun(self) -> Jobs:
        """The same jobs as they are now."""
        with self.lock:
            return [self._read(job_id) for job_id in self.running()]

    def known(self, job_ids: Collection[str]) -> set[str]:
        """Those of some ids that are of jobs."""
        return {job_id for job_id in job_ids if job_id in self._docs}

    def mark(self) -> StoreMark | None:
        """What the files of these jobs carry too."""
        return self._mark

    def set_mark(self, mark: StoreMark) -> None:
        """From now on, the records belong to the files that carry this."""
        self._mark = mark

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


def _in_turns(waiting: Jobs) -> Jobs:
    """Jobs, which are in order, as they begin if their queues take turns."""
    n_before: Counter[tuple[str, str]] = Counter()
    turns = []
    for number, job in enumerate(waiting):
        priority, queue = job.params.priority, job.queue
        turns.append((rank_of(priority), n_before[priority, queue], number))
        n_before[priority, queue] += 1
    return [waiting[number] for *_, number in sorted(turns)]
