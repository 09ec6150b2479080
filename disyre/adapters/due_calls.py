"""Callbacks of jobs that have ended: which one is due, taken by one process of the API at a time.

The job store adds one as it stores the end of a job.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

import redis

from disyre.adapters.broker import broker_errors, in_ms

CALLS_KEY: Final = "disyre:webhooks"
"""Ids of jobs whose callback is to be called, by the time in ms since 1970 when it is due."""
_TRIES_KEY: Final = "disyre:webhooks:tries"
"""How often each was taken."""

# KEYS: those of calls and their tries. ARGV: ms that the lease lasts. Answers an id, and how often it was
# taken.
_TAKE: Final = """
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, 1)
if not due[1] then return false end
redis.call('ZADD', KEYS[1], now_ms + ARGV[1], due[1])
return {due[1], redis.call('HINCRBY', KEYS[2], due[1], 1)}
"""
# KEYS: that of calls. ARGV: id, ms from now.
_PUT_OFF: Final = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], 'XX', now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2], ARGV[1])
"""


class DueCalls(Protocol):
    """Callbacks, by the ids of their jobs. Raises Unavailable."""

    def take_call(self, *, lease_s: float) -> tuple[str, int] | None:
        """Id of a job whose callback is due, and how often it was taken by now; None if there is none.

        It is due again after the lease, unless it was put off or has ended by then.
        """

    def put_off_call(self, job_id: str, *, after_s: float) -> None:
        """Make a callback due after some time from now."""

    def end_call(self, job_id: str) -> None:
        """Forget a callback."""


class RedisDueCalls:
    """A sorted set of ids, by when they are due."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._take_script = client.register_script(_TAKE)
        self._put_off_script = client.register_script(_PUT_OFF)

    def take_call(self, *, lease_s: float) -> tuple[str, int] | None:
        """A callback that is due."""
        with broker_errors():
            found = self._take_script(keys=[CALLS_KEY, _TRIES_KEY], args=[in_ms(lease_s)])
        return None if found is None else (found[0], found[1])

    def put_off_call(self, job_id: str, *, after_s: float) -> None:
        """Make a callback due later."""
        with broker_errors():
            self._put_off_script(keys=[CALLS_KEY], args=[job_id, in_ms(after_s)])

    def end_call(self, job_id: str) -> None:
        """Forget a callback."""
        with broker_errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.zrem(CALLS_KEY, job_id)
            pipe.hdel(_TRIES_KEY, job_id)
            pipe.execute()


class InMemoryDueCalls:
    """For tests."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._calls_clock = clock
        self._calls_due: dict[str, tuple[datetime, int]] = {}
        """When, and how often it was taken."""
        self._calls_lock = threading.RLock()

    def take_call(self, *, lease_s: float) -> tuple[str, int] | None:
        """A callback that is due."""
        with self._calls_lock:
            now = self._calls_clock()
            for job_id, (due_at, n_taken) in self._calls_due.items():
                if due_at <= now:
                    self._calls_due[job_id] = now + timedelta(seconds=lease_s), n_taken + 1
                    return job_id, n_taken + 1
            return None

    def put_off_call(self, job_id: str, *, after_s: float) -> None:
        """Make a callback due later."""
        self._calls_due[job_id] = self._calls_clock() + timedelta(seconds=after_s), self._calls_due[job_id][1]

    def end_call(self, job_id: str) -> None:
        """Forget a callback."""
        self._calls_due.pop(job_id, None)
