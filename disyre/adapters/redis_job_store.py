"""Jobs in Redis or Valkey, which the API and the workers share."""

import json
import logging
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import partial
from typing import Final, cast

import redis

from disyre.adapters import redis_scripts as scripts
from disyre.adapters.broker import broker_errors
from disyre.adapters.broker_clock import BrokerClock
from disyre.adapters.due_calls import CALLS_KEY, RedisDueCalls
from disyre.adapters.job_store import (
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
from disyre.adapters.leases import RedisLeases, lease_key
from disyre.adapters.queue_names import QUEUE_PREFIX, QUEUES_KEY
from disyre.adapters.redis_scripts import (
    ALL_KEY,
    COUNTS_KEY,
    DURATIONS_KEY,
    EXPIRY_KEY,
    EXPORTS_DUE_KEY,
    INDEX_KEYS,
    MARK_KEY,
    RANK,
    RUNNING_KEY,
    WAITING_KEY,
    events_key,
    exports_key,
    job_key,
    once_key,
    tombstone_key,
)
from disyre.adapters.stored_job import as_stored, duration_of, in_pairs, name_of_call
from disyre.documents import read_document
from disyre.errors import JobExpired, Unavailable, Undecided
from disyre.job import Job
from disyre.priority import PRIORITIES
from disyre.queue_limits import UNLIMITED, QueueLimits
from disyre.receipt import Receipt
from disyre.store_mark import StoreMark
from disyre.tally import Counts, tally_of_change, tally_of_new

logger = logging.getLogger(__name__)

_UNANSWERED: Final = (redis.ConnectionError, redis.TimeoutError)
"""After these, nobody knows whether the broker did as it was told."""


class RedisJobStore(RedisLeases, RedisDueCalls):
    """Jobs in Redis or Valkey: a hash each, and sorted sets of ids.

    Raises Unavailable where the broker does not answer.
    """

    def __init__(self, client: redis.Redis, *, add_within_s: float = 2.0) -> None:
        """A job that reaches the broker later than `add_within_s` after its addition began is refused."""
        RedisLeases.__init__(self, client)
        RedisDueCalls.__init__(self, client)
        self._add_within_s = add_within_s
        self._clock = BrokerClock(client)
        self._unreadable: set[str] = set()
        """Jobs of which the log has said so."""
        self._add_script = client.register_script(scripts.ADD)
        self._add_once_script = client.register_script(scripts.ADD_ONCE)
        self._withdraw_script = client.register_script(scripts.WITHDRAW)
        self._store_script = client.register_script(scripts.STORE_UNTIL)
        self._n_voxels_script = client.register_script(scripts.N_VOXELS)
        self._places_script = client.register_script(scripts.PLACES)
        self._tidy_script = client.register_script(scripts.TIDY)
        self._remove_script = client.register_script(scripts.REMOVE)

    def now(self) -> datetime:
        """The time of day by the broker's clock."""
        return self._clock.now()

    def add(self, *jobs: Job, limits: QueueLimits = UNLIMITED, receipt: Receipt | None = None) -> None:
        """Store new jobs, in one step. What gets no answer is tried once more."""
        script = self._add_script
        keys = [*INDEX_KEYS, *(job_key(job.id) for job in jobs), COUNTS_KEY]
        stored = [as_stored(job) for job in jobs]
        most = [-1 if each is None else each for each in (limits.most_waiting, limits.most_voxels)]
        words = [word for each in stored for word in each]
        args: list[str | float] = [self._last_us(), *most, name_of_call(stored), *words]
        args += in_pairs(tally_of_new(jobs))
        if receipt is not None:
            script = self._add_once_script
            keys.append(once_key(receipt.name))
            args += [receipt.holder, receipt.document]
        answer, *there = str(self._insist(lambda: script(keys=keys, args=args))).split()
        match answer:
            case scripts.RECEIVED:
                raise key_in_use()
            case scripts.FULL:
                raise limits.too_many_jobs()
            case scripts.CROWDED:
                raise limits.too_many_voxels(int(there[0]), voxels_of(jobs))
            case scripts.LATE:
                raise Unavailable("the broker answers too slowly")
            case scripts.TAKEN:
                raise ValueError("there is a job of this id already")

    def _last_us(self) -> int:
        """When an addition that begins now is given up, by the broker's clock in us since 1970; not later."""
        started_s = time.monotonic()
        with broker_errors():
            seconds, us = self._client.time()
        left_s = self._add_within_s - (time.monotonic() - started_s)
        return seconds * 1_000_000 + us + round(left_s * 1_000_000)

    def _insist(self, call: Callable[[], object]) -> object:
        """Have done what may be done twice. Raises Undecided if neither of two calls is answered."""
        try:
            with broker_errors():
                try:
                    return call()
                except _UNANSWERED:
                    return call()  # an addition is there by now, or it never will be: this one says which
        except Unavailable as error:
            if isinstance(error.__cause__, _UNANSWERED):
                raise Undecided(str(error)) from error
            raise

    def withdraw(self, job_id: str) -> bool:
        """Forget a job that no worker has begun; False if one has."""
        with broker_errors():
            return bool(self._withdraw_script(keys=[*INDEX_KEYS, job_key(job_id)], args=[job_id]))

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        return read_document(Job, self._document(job_id))

    def update(self, job_id: str, change: Change) -> Job:
        """Apply a change and store the result; again and again, while others store theirs."""
        while True:
            document = self._document(job_id)
            job = read_document(Job, document)
            changed = change(job)
            if changed is job or self._store(changed, job, document):
                return changed

    def remove(self, job_id: str) -> None:
        """Forget a job, its lease and its place in the indices."""
        keys = [*INDEX_KEYS, job_key(job_id), EXPIRY_KEY]
        with broker_errors():
            self._remove_script(
                keys=keys, args=[job_id, lease_key(job_id), events_key(job_id), exports_key(job_id)]
            )

    def list(self, *, limit: int, before: str | None = None) -> Jobs:
        """The newest jobs first."""
        top = "+" if before is None else f"({before}"
        with broker_errors():
            ids = cast(JobIds, self._client.zrevrangebylex(ALL_KEY, top, "-", start=0, num=limit))
            return self._read(ids)

    def n_waiting(self) -> int:
        """How many jobs are queued."""
        with broker_errors():
            return self._client.zcard(WAITING_KEY)

    def n_voxels(self) -> int:
        """How many voxels the scans of all jobs have that wait or run."""
        with broker_errors():
            return int(self._n_voxels_script(keys=[WAITING_KEY, RUNNING_KEY]))

    def places(self, *job_ids: str, rivals: Rivals | None = None) -> Places:
        """How many jobs wait and run, and where these stand."""
        together = json.dumps({queue: sorted({queue, *others}) for queue, others in (rivals or {}).items()})
        keys = [WAITING_KEY, RUNNING_KEY, QUEUES_KEY]
        with broker_errors():
            n_waiting, n_running, waiting, *ahead = self._places_script(keys=keys, args=[together, *job_ids])
        found = zip(job_ids, ahead, strict=True)
        of_job = {job_id: _by_queue(each) for job_id, each in found if each is not None}
        return Places(n_waiting, n_running, _by_queue(waiting), of_job)

    def tidy(self) -> None:
        """Forget places of jobs that no longer wait."""
        with broker_errors():
            self._tidy_script(keys=[WAITING_KEY, QUEUES_KEY])

    def durations(self) -> Durations:
        """How long the jobs took that succeeded last."""
        with broker_errors():
            lines = cast(list[str], self._client.lrange(DURATIONS_KEY, 0, -1))
        pairs = (line.rsplit(" ", 1) for line in lines)
        return [(model, float(seconds)) for model, seconds in pairs]

    def counts(self) -> Counts:
        """What was counted of all jobs that there ever were."""
        with broker_errors():
            found = cast(dict[str, str], self._client.hgetall(COUNTS_KEY))
        return {name: float(value) for name, value in found.items()}

    def waiting(self) -> JobIds:
        """Ids of queued jobs, the next one first."""
        with broker_errors():
            return cast(JobIds, self._client.zrange(WAITING_KEY, 0, -1))

    def heads(self) -> Jobs:
        """The next job of each queue in each priority, without those that are removed in this moment."""
        with broker_errors():
            queues = cast(set[str], self._client.smembers(QUEUES_KEY))
            with self._client.pipeline(transaction=False) as pipe:
                pipe.zrange(WAITING_KEY, 0, 0)
                for index in (QUEUE_PREFIX + queue for queue in sorted(queues)):
                    for rank in range(len(PRIORITIES)):
                        pipe.zrange(
                            index, rank * RANK, f"({(rank + 1) * RANK}", byscore=True, offset=0, num=1
                        )
                ids = dict.fromkeys(job_id for found in pipe.execute() for job_id in found)
            return self._read(ids)

    def running(self) -> JobIds:
        """Ids of running and canceling jobs."""
        with broker_errors():
            return cast(JobIds, self._client.zrange(RUNNING_KEY, 0, -1))

    def begun(self) -> Jobs:
        """The same jobs, without those that are removed in this moment."""
        with broker_errors():
            return self._read(cast(JobIds, self._client.zrange(RUNNING_KEY, 0, -1)))

    def known(self, job_ids: Collection[str]) -> set[str]:
        """Those of some ids that are of jobs."""
        ids = list(job_ids)
        with broker_errors(), self._client.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.exists(job_key(job_id))
            return {job_id for job_id, is_there in zip(ids, pipe.execute(), strict=True) if is_there}

    def mark(self) -> StoreMark | None:
        """What the files of these jobs carry too."""
        with broker_errors():
            document = cast(str | None, self._client.get(MARK_KEY))
        return None if document is None else read_document(StoreMark, document)

    def set_mark(self, mark: StoreMark) -> None:
        """From now on, the records belong to the files that carry this."""
        with broker_errors():
            self._client.set(MARK_KEY, mark.model_dump_json())

    def _read(self, job_ids: Iterable[str]) -> Jobs:
        """Jobs by id, without those that are removed in this moment, or whose records cannot be read."""
        ids = [*job_ids]
        with self._client.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hget(job_key(job_id), "doc")
            documents = pipe.execute()
        found = []
        for job_id, document in zip(ids, documents, strict=True):
            if document is None:
                continue
            try:
                found.append(read_document(Job, document))
            except ValueError:
                self._tell_of_unreadable(job_id)
        return found

    def _tell_of_unreadable(self, job_id: str) -> None:
        if job_id not in self._unreadable:
            self._unreadable.add(job_id)
            logger.error("the record of job %s cannot be read: the job is left out of lists", job_id)

    def _document(self, job_id: str) -> str:
        with broker_errors():
            document = self._client.hget(job_key(job_id), "doc")
            if document is None:
                owner = cast(str | None, self._client.get(tombstone_key(job_id)))
                raise JobExpired(owner) if owner is not None else not_found()
        return cast(str, document)

    def _store(self, changed: Job, job: Job, document: str) -> bool:
        """Store a job if the one that is there is still the one that was changed."""
        keys = [*INDEX_KEYS, job_key(job.id), DURATIONS_KEY, COUNTS_KEY, CALLS_KEY]
        keys += [EXPORTS_DUE_KEY, EXPIRY_KEY]
        stored = as_stored(changed, over=document, before=job)
        counted = in_pairs(tally_of_change(job, changed))
        name = secrets.token_hex(8)
        until_s = "" if changed.expires_at is None else changed.expires_at.timestamp()
        args: list[str | float] = [job.id, job.revision, *stored[1:], name]
        took = "" if job.state.is_finished else duration_of(changed)
        args += [took, "call" if ends_with_call(job, changed) else ""]
        args += [export_at_end(job, changed), *counted, until_s]
        return bool(self._insist(partial(self._store_script, keys=keys, args=args)))


def _by_queue(answer: list[str | int]) -> dict[str, int]:
    """What a script says of queues: a name, a number, and so on."""
    return {str(name): int(n_jobs) for name, n_jobs in zip(answer[::2], answer[1::2], strict=True)}
