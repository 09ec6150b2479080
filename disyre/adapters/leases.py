"""Who runs a job: a lease that its worker renews, and that ends by itself when the worker has died."""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, cast

import redis

from disyre.adapters.broker import broker_errors, in_ms

_CLAIM: Final = """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
redis.call('DEL', KEYS[2])
return 1
"""
_RENEW: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return 1
"""
_RELEASE: Final = """
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
"""


_SINCE: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return -1 end
redis.call('SET', KEYS[2], '', 'NX', 'PX', ARGV[1])
return ARGV[1] - redis.call('PTTL', KEYS[2])
"""
_REMEMBERED_S: Final = 3600.0
"""That nobody was seen to hold a job."""


class Leases(Protocol):
    """The leases on jobs, by their ids. Raises Unavailable."""

    def claim(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Take the lease on a job for `holder`, if nobody has it. Expires by the store's clock."""

    def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Lengthen a lease, or take it again if it ran out and nobody has it; False if another one does."""

    def release(self, job_id: str, holder: str) -> None:
        """Give the lease back, if `holder` has it."""

    def is_leased(self, job_id: str) -> bool:
        """Whether a worker holds the job."""

    def holder(self, job_id: str) -> str | None:
        """Who holds the job; None if nobody does."""

    def unheld_for_s(self, job_id: str) -> float | None:
        """How long ago somebody first saw, by this call, that nobody holds the job; None if a worker does.

        Whoever asked then may have died since. At most an hour.
        """


class RedisLeases:
    """A key each, that Redis or Valkey forgets when its time is over."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._claim_script = client.register_script(_CLAIM)
        self._renew_script = client.register_script(_RENEW)
        self._since_script = client.register_script(_SINCE)
        self._release_script = client.register_script(_RELEASE)

    def claim(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Take the lease on a job."""
        with broker_errors():
            return bool(self._claim_script(keys=_keys(job_id), args=[holder, in_ms(lease_s)]))

    def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Lengthen a lease, or take it again."""
        with broker_errors():
            return bool(self._renew_script(keys=_keys(job_id), args=[holder, in_ms(lease_s)]))

    def release(self, job_id: str, holder: str) -> None:
        """Give the lease back."""
        with broker_errors():
            self._release_script(keys=[lease_key(job_id)], args=[holder])

    def is_leased(self, job_id: str) -> bool:
        """Whether a worker holds the job."""
        with broker_errors():
            return bool(self._client.exists(lease_key(job_id)))

    def holder(self, job_id: str) -> str | None:
        """Who holds the job."""
        with broker_errors():
            return cast(str | None, self._client.get(lease_key(job_id)))

    def unheld_for_s(self, job_id: str) -> float | None:
        """For how long nobody was seen to hold the job."""
        with broker_errors():
            since_ms = int(self._since_script(keys=_keys(job_id), args=[in_ms(_REMEMBERED_S)]))
        return None if since_ms < 0 else since_ms / 1000


class InMemoryLeases:
    """For tests."""

    def __init__(self) -> None:
        self._leases: dict[str, tuple[str, float]] = {}
        """Holder, and until when (s)."""
        self._unheld_since_s: dict[str, float] = {}
        self.clock_s: Callable[[], float] = time.monotonic
        self._leases_lock = threading.RLock()

    def claim(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Take the lease on a job."""
        with self._leases_lock:
            if self.is_leased(job_id):
                return False
            self._unheld_since_s.pop(job_id, None)
            self._leases[job_id] = (holder, self.clock_s() + lease_s)
            return True

    def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Lengthen a lease, or take it again."""
        with self._leases_lock:
            if self.is_leased(job_id) and self._leases[job_id][0] != holder:
                return False
            self._unheld_since_s.pop(job_id, None)
            self._leases[job_id] = (holder, self.clock_s() + lease_s)
            return True

    def release(self, job_id: str, holder: str) -> None:
        """Give the lease back."""
        with self._leases_lock:
            if self._leases.get(job_id, ("",))[0] == holder:
                del self._leases[job_id]

    def is_leased(self, job_id: str) -> bool:
        """Whether a worker holds the job."""
        return job_id in self._leases and self._leases[job_id][1] > self.clock_s()

    def holder(self, job_id: str) -> str | None:
        """Who holds the job."""
        return self._leases[job_id][0] if self.is_leased(job_id) else None

    def unheld_for_s(self, job_id: str) -> float | None:
        """For how long nobody was seen to hold the job."""
        with self._leases_lock:
            if self.is_leased(job_id):
                return None
            now_s = self.clock_s()
            return now_s - self._unheld_since_s.setdefault(job_id, now_s)


def lease_key(job_id: str) -> str:
    """Of the lease on a job."""
    return f"disyre:lease:{job_id}"


def _keys(job_id: str) -> list[str]:
    """Of the lease, and of since when there is none."""
    return [lease_key(job_id), f"disyre:unheld:{job_id}"]
