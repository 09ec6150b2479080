"""Jobs whose time is over: which they are, and what is left of them."""

from datetime import datetime
from typing import Final, Protocol, TypeAlias, cast

import redis

from disyre.adapters.broker import broker_errors
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.leases import lease_key
from disyre.adapters.redis_scripts import EXPIRY_KEY, INDEX_KEYS, job_key, tombstone_key
from disyre.job import Job

JobIds: TypeAlias = list[str]

# KEYS: those of the indices, of the job, its lease and its tombstone, and of the index by time. ARGV: id,
# revision, owner, and for how many ms the tombstone is kept.
_EXPIRE: Final = """
if redis.call('HGET', KEYS[4], 'revision') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[4], KEYS[5], KEYS[4] .. ':events', KEYS[4] .. ':exports')
for k = 1, 3 do redis.call('ZREM', KEYS[k], ARGV[1]) end
redis.call('ZREM', KEYS[7], ARGV[1])
redis.call('SET', KEYS[6], ARGV[3], 'PX', ARGV[4])
return 1
"""


class Expiry(Protocol):
    """The end of jobs. Raises Unavailable."""

    def due(self, now: datetime, *, since: datetime, limit: int) -> JobIds:
        """Ids of finished jobs whose time is over, and was not yet at another time; the first one first."""

    def expire(self, job: Job, *, remembered_for_s: float) -> bool:
        """Forget a job, and remember for some time that there was one, and whose.

        False if it changed meanwhile, or is gone; then nothing happens.
        """


class RedisExpiry:
    """Ids in a sorted set by time; a key for each tombstone, which the broker removes."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._expire_script = client.register_script(_EXPIRE)

    def due(self, now: datetime, *, since: datetime, limit: int) -> JobIds:
        """Ids of jobs whose time is over."""
        first, last = since.timestamp(), now.timestamp()
        with broker_errors():
            found = self._client.zrangebyscore(EXPIRY_KEY, first, last, start=0, num=limit)
        return cast(JobIds, found)

    def expire(self, job: Job, *, remembered_for_s: float) -> bool:
        """Forget a job, and remember that there was one."""
        keys = [*INDEX_KEYS, job_key(job.id), lease_key(job.id), tombstone_key(job.id), EXPIRY_KEY]
        args: list[str | int] = [job.id, job.revision, job.owner, max(1, round(remembered_for_s * 1000))]
        with broker_errors():
            return bool(self._expire_script(keys=keys, args=args))


class InMemoryExpiry:
    """For tests; the jobs are in a store in memory."""

    def __init__(self, jobs: InMemoryJobStore) -> None:
        self._jobs = jobs

    def due(self, now: datetime, *, since: datetime, limit: int) -> JobIds:
        """Ids of jobs whose time is over."""
        jobs = self._jobs.list(limit=1000)
        over = [(job.expires_at, job.id) for job in jobs if job.expires_at and since <= job.expires_at <= now]
        return [job_id for _, job_id in sorted(over)[:limit]]

    def expire(self, job: Job, *, remembered_for_s: float) -> bool:
        """Forget a job, and remember that there was one; here, for ever."""
        with self._jobs.lock:
            if job not in self._jobs.list(limit=1000):
                return False
            self._jobs.remove(job.id)
            self._jobs.tombstones[job.id] = job.owner
            return True
