"""Where jobs are kept, and who holds the lease on one.

A change is a pure function from job to job. It is stored only if nobody stored another one meanwhile;
else it is applied again to what they stored, so a transition that is no longer allowed raises.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias, cast

import redis
from redis.client import Pipeline

from disyre.adapters.broker import broker_errors
from disyre.documents import read_document, write_document
from disyre.errors import JobNotFound
from disyre.job import Job, JobState

Change: TypeAlias = Callable[[Job], Job]
Jobs: TypeAlias = list[Job]
JobIds: TypeAlias = list[str]


class JobStore(Protocol):
    """Jobs by id, their order, and the leases of the workers that run them."""

    def add(self, *jobs: Job) -> None:
        """Store new jobs: all of them, or none. Durable when this returns."""

    def get(self, job_id: str) -> Job:
        """The job as it is now. Raises JobNotFound."""

    def update(self, job_id: str, change: Change) -> Job:
        """Apply a change and store the result, whole or not at all.

        A change that returns its argument stores nothing. Raises JobNotFound, and what `change` raises.
        """

    def remove(self, job_id: str) -> None:
        """Forget a job. Removing it twice does no harm."""

    def list(self, *, limit: int, before: str | None = None) -> Jobs:
        """The newest jobs first; `before` is the id after which to go on."""

    def waiting(self) -> JobIds:
        """Ids of queued jobs, in the order in which they will start."""

    def running(self) -> JobIds:
        """Ids of jobs that a worker has begun and not ended."""

    def claim(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Take the lease on a job for `holder`, if nobody has it. Expires by the store's clock."""

    def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Lengthen a lease, or take it again if it ran out and nobody has it; False if another one does."""

    def release(self, job_id: str, holder: str) -> None:
        """Give the lease back, if `holder` has it."""

    def is_leased(self, job_id: str) -> bool:
        """Whether a worker holds the job."""


_BEGUN: Final = (JobState.RUNNING, JobState.CANCELING)
_ALL_KEY: Final = "disyre:jobs"
_WAITING_KEY: Final = "disyre:jobs:waiting"
_RUNNING_KEY: Final = "disyre:jobs:running"

# The id goes into the index of its state in the same step as the job. All scores are 0, so that ids, which
# sort by time of submission, are in order.
_STORE: Final = f"""
local job, id = KEYS[1], ARGV[1]
if (redis.call('HGET', job, 'revision') or '0') ~= ARGV[2] then return 0 end
redis.call('HSET', job, 'doc', ARGV[3], 'revision', ARGV[4], 'state', ARGV[5])
redis.call('ZADD', KEYS[2], 0, id)
redis.call('ZREM', KEYS[3], id)
redis.call('ZREM', KEYS[4], id)
if ARGV[5] == '{JobState.QUEUED}' then redis.call('ZADD', KEYS[3], 0, id) end
if ARGV[5] == '{_BEGUN[0]}' or ARGV[5] == '{_BEGUN[1]}' then redis.call('ZADD', KEYS[4], 0, id) end
return 1
"""
_RENEW: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE: Final = """
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
"""


class RedisJobStore:
    """Jobs in Redis or Valkey: a hash each, and sorted sets of ids.

    Raises Unavailable where the broker does not answer.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._store_script = client.register_script(_STORE)
        self._renew_script = client.register_script(_RENEW)
        self._release_script = client.register_script(_RELEASE)

    def add(self, *jobs: Job) -> None:
        """Store new jobs, in one transaction."""

        def store(pipe: Pipeline) -> None:
            known = [job.id for job in jobs if pipe.exists(_job_key(job.id))]
            if known:
                raise ValueError(f"there is a job {known[0]} already")
            pipe.multi()
            for job in jobs:
                keys, args = _as_stored(job, over=0)
                self._store_script(keys=keys, args=args, client=pipe)

        with broker_errors():
            self._client.transaction(store, *(_job_key(job.id) for job in jobs))

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
        with broker_errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.delete(_job_key(job_id), _lease_key(job_id))
            for index in (_ALL_KEY, _WAITING_KEY, _RUNNING_KEY):
                pipe.zrem(index, job_id)
            pipe.execute()

    def list(self, *, limit: int, before: str | None = None) -> Jobs:
        """The newest jobs first."""
        top = "+" if before is None else f"({before}"
        with broker_errors():
            ids = cast(JobIds, self._client.zrevrangebylex(_ALL_KEY, top, "-", start=0, num=limit))
            with self._client.pipeline(transaction=False) as pipe:
                for job_id in ids:
                    pipe.hget(_job_key(job_id), "doc")
                docs = pipe.execute()
        return [read_document(Job, doc) for doc in docs if doc is not None]

    def waiting(self) -> JobIds:
        """Ids of queued jobs, the oldest first."""
        with broker_errors():
            return cast(JobIds, self._client.zrange(_WAITING_KEY, 0, -1))

    def running(self) -> JobIds:
        """Ids of running and canceling jobs."""
        with broker_errors():
            return cast(JobIds, self._client.zrange(_RUNNING_KEY, 0, -1))

    def claim(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Take the lease on a job."""
        with broker_errors():
            return bool(self._client.set(_lease_key(job_id), holder, nx=True, px=_ms(lease_s)))

    def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Lengthen a lease, or take it again."""
        with broker_errors():
            return bool(self._renew_script(keys=[_lease_key(job_id)], args=[holder, _ms(lease_s)]))

    def release(self, job_id: str, holder: str) -> None:
        """Give the lease back."""
        with broker_errors():
            self._release_script(keys=[_lease_key(job_id)], args=[holder])

    def is_leased(self, job_id: str) -> bool:
        """Whether a worker holds the job."""
        with broker_errors():
            return bool(self._client.exists(_lease_key(job_id)))

    def _document(self, job_id: str) -> str:
        with broker_errors():
            document = self._client.hget(_job_key(job_id), "doc")
        if document is None:
            raise _not_found()
        return cast(str, document)

    def _store(self, changed: Job, job: Job, document: str) -> bool:
        """Store a job if the one that is there is still the one that was changed."""
        keys, args = _as_stored(changed, over=job.revision, document=document)
        with broker_errors():
            return bool(self._store_script(keys=keys, args=args))


class InMemoryJobStore:
    """For tests; goes through the same JSON as the real one."""

    def __init__(self) -> None:
        self._docs: dict[str, str] = {}
        self._leases: dict[str, tuple[str, float]] = {}
        self._lock = threading.RLock()

    def add(self, *jobs: Job) -> None:
        """Store new jobs."""
        with self._lock:
            for job in jobs:
                if job.id in self._docs:
                    raise ValueError(f"there is a job {job.id} already")
            self._docs |= {job.id: job.model_dump_json() for job in jobs}

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        try:
            return read_document(Job, self._docs[job_id])
        except KeyError as error:
            raise _not_found() from error

    def update(self, job_id: str, change: Change) -> Job:
        """Apply a change and store the result."""
        with self._lock:
            changed = change(self.get(job_id))
            self._docs[job_id] = write_document(changed, over=self._docs[job_id])
            return changed

    def remove(self, job_id: str) -> None:
        """Forget a job and its lease."""
        self._docs.pop(job_id, None)
        self._leases.pop(job_id, None)

    def list(self, *, limit: int, before: str | None = None) -> Jobs:
        """The newest jobs first."""
        ids = sorted((i for i in self._docs if before is None or i < before), reverse=True)
        return [self.get(job_id) for job_id in ids[:limit]]

    def waiting(self) -> JobIds:
        """Ids of queued jobs, the oldest first."""
        return self._in_states(JobState.QUEUED)

    def running(self) -> JobIds:
        """Ids of running and canceling jobs."""
        return self._in_states(*_BEGUN)

    def claim(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Take the lease on a job."""
        with self._lock:
            if self.is_leased(job_id):
                return False
            self._leases[job_id] = (holder, time.monotonic() + lease_s)
            return True

    def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Lengthen a lease, or take it again."""
        with self._lock:
            if self.is_leased(job_id) and self._leases[job_id][0] != holder:
                return False
            self._leases[job_id] = (holder, time.monotonic() + lease_s)
            return True

    def release(self, job_id: str, holder: str) -> None:
        """Give the lease back."""
        with self._lock:
            if self._leases.get(job_id, ("",))[0] == holder:
                del self._leases[job_id]

    def is_leased(self, job_id: str) -> bool:
        """Whether a worker holds the job."""
        return job_id in self._leases and self._leases[job_id][1] > time.monotonic()

    def _in_states(self, *states: JobState) -> JobIds:
        return sorted(job_id for job_id in self._docs if self.get(job_id).state in states)


def _as_stored(job: Job, *, over: int, document: str | None = None) -> tuple[list[str], list[str | int]]:
    """Keys and arguments of the script that stores a job over a revision, 0 for none, and its document."""
    keys = [_job_key(job.id), _ALL_KEY, _WAITING_KEY, _RUNNING_KEY]
    return keys, [job.id, over, write_document(job, over=document), job.revision, job.state.value]


def _job_key(job_id: str) -> str:
    return f"disyre:job:{job_id}"


def _lease_key(job_id: str) -> str:
    return f"disyre:lease:{job_id}"


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _not_found() -> JobNotFound:
    return JobNotFound("expected the id of a job, got one that no job has")
