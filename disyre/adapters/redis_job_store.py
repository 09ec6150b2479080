"""Jobs in Redis or Valkey, which the API and the workers share."""

from typing import cast

import redis
from redis.client import Pipeline

from disyre.adapters.broker import broker_errors
from disyre.adapters.job_store import Change, JobIds, Jobs, not_found
from disyre.adapters.redis_scripts import (
    ALL_KEY,
    RELEASE,
    RENEW,
    RUNNING_KEY,
    STORE,
    WAITING_KEY,
    job_key,
    lease_key,
)
from disyre.documents import read_document, write_document
from disyre.job import Job


class RedisJobStore:
    """Jobs in Redis or Valkey: a hash each, and sorted sets of ids.

    Raises Unavailable where the broker does not answer.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._store_script = client.register_script(STORE)
        self._renew_script = client.register_script(RENEW)
        self._release_script = client.register_script(RELEASE)

    def add(self, *jobs: Job) -> None:
        """Store new jobs, in one transaction."""

        def store(pipe: Pipeline) -> None:
            known = [job.id for job in jobs if pipe.exists(job_key(job.id))]
            if known:
                raise ValueError(f"there is a job {known[0]} already")
            pipe.multi()
            for job in jobs:
                keys, args = _as_stored(job, over=0)
                self._store_script(keys=keys, args=args, client=pipe)

        with broker_errors():
            self._client.transaction(store, *(job_key(job.id) for job in jobs))

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
            pipe.delete(job_key(job_id), lease_key(job_id))
            for index in (ALL_KEY, WAITING_KEY, RUNNING_KEY):
                pipe.zrem(index, job_id)
            pipe.execute()

    def list(self, *, limit: int, before: str | None = None) -> Jobs:
        """The newest jobs first."""
        top = "+" if before is None else f"({before}"
        with broker_errors():
            ids = cast(JobIds, self._client.zrevrangebylex(ALL_KEY, top, "-", start=0, num=limit))
            with self._client.pipeline(transaction=False) as pipe:
                for job_id in ids:
                    pipe.hget(job_key(job_id), "doc")
                docs = pipe.execute()
        return [read_document(Job, doc) for doc in docs if doc is not None]

    def waiting(self) -> JobIds:
        """Ids of queued jobs, the oldest first."""
        with broker_errors():
            return cast(JobIds, self._client.zrange(WAITING_KEY, 0, -1))

    def running(self) -> JobIds:
        """Ids of running and canceling jobs."""
        with broker_errors():
            return cast(JobIds, self._client.zrange(RUNNING_KEY, 0, -1))

    def claim(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Take the lease on a job."""
        with broker_errors():
            return bool(self._client.set(lease_key(job_id), holder, nx=True, px=_ms(lease_s)))

    def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Lengthen a lease, or take it again."""
        with broker_errors():
            return bool(self._renew_script(keys=[lease_key(job_id)], args=[holder, _ms(lease_s)]))

    def release(self, job_id: str, holder: str) -> None:
        """Give the lease back."""
        with broker_errors():
            self._release_script(keys=[lease_key(job_id)], args=[holder])

    def is_leased(self, job_id: str) -> bool:
        """Whether a worker holds the job."""
        with broker_errors():
            return bool(self._client.exists(lease_key(job_id)))

    def _document(self, job_id: str) -> str:
        with broker_errors():
            document = self._client.hget(job_key(job_id), "doc")
        if document is None:
            raise not_found()
        return cast(str, document)

    def _store(self, changed: Job, job: Job, document: str) -> bool:
        """Store a job if the one that is there is still the one that was changed."""
        keys, args = _as_stored(changed, over=job.revision, document=document)
        with broker_errors():
            return bool(self._store_script(keys=keys, args=args))


def _as_stored(job: Job, *, over: int, document: str | None = None) -> tuple[list[str], list[str | int]]:
    """Keys and arguments of the script that stores a job over a revision, 0 for none, and its document."""
    keys = [job_key(job.id), ALL_KEY, WAITING_KEY, RUNNING_KEY]
    return keys, [job.id, over, write_document(job, over=document), job.revision, job.state.value]


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
