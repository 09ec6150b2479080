"""Callbacks of jobs that have ended: which one is due, taken by one process of the API at a time.

The job store adds one as it stores the end of a job.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

import redis

from disyre.adapters.broker import broker_errors, in_ms

CALLS_KEY: Final = "disyre:webhooks"
"""Ids of jobs whose callback is to be called, by the time in ms since 1970 when it is due."""
TRIES_KEY: Final = "disyre:webhooks:tries"
"""How often each was taken since its job ended."""

# KEYS: those of calls and their tries. ARGV: ms that the lease lasts. Answers an id, how often it was taken,
# and until when it is.
TAKE: Final = """
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, 1)
if not due[1] then return false end
redis.call('ZADD', KEYS[1], now_ms + ARGV[1], due[1])
return {due[1], redis.call('HINCRBY', KEYS[2], due[1], 1), redis.call('ZSCORE', KEYS[1], due[1])}
"""
# KEYS: those of calls and their tries. ARGV: id, until when it was taken, and ms from now, or nothing if that
# was that. What has changed since is another's: the job has ended anew, or another process has taken it.
_SETTLE: Final = """
if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return end
if ARGV[3] == '' then
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('HDEL', KEYS[2], ARGV[1])
else
    local now = redis.call('TIME')
    redis.call('ZADD', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[3], ARGV[1])
end
"""


class DueCall(NamedTuple):
    """A callback that one process has taken."""

    job_id: str
    n_tries: int
    """How often it was taken by now, since the job ended."""
    until: str
    """The end of the lease, as it is written; another's if the job has ended anew."""


class DueCalls(Protocol):
    """Callbacks, by the ids of their jobs. Raises Unavailable."""

    def take_call(self, *, lease_s: float) -> DueCall | None:
        """A callback that is due; None if there is none.

        It is due again after the lease, unless it was put off or has ended by then.
        """

    def put_off_call(self, call: DueCall, *, after_s: float) -> None:
        """Make a callback due after some time from now, unless its job has ended anew since it was taken."""

    def end_call(self, call: DueCall) -> None:
        """Forget a callback, unless its job has ended anew since it was taken."""


class RedisDueCalls:
    """A sorted set of ids, by when they are due."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._take_script = client.register_script(TAKE)
        self._settle_script = client.register_script(_SETTLE)

    def take_call(self, *, lease_s: float) -> DueCall | None:
        """A callback that is due."""
        with broker_errors():
            found = self._take_script(keys=[CALLS_KEY, TRIES_KEY], args=[in_ms(lease_s)])
        return None if found is None else DueCall(*found)

    def put_off_call(self, call: DueCall, *, after_s: float) -> None:
        """Make a callback due later."""
        self._settle(call, str(in_ms(after_s)))

    def end_call(self, call: DueCall) -> None:
        """Forget a callback."""
        self._settle(call, "")

    def _settle(self, call: DueCall, after_ms: str) -> None:
        with broker_errors():
            self._settle_script(keys=[CALLS_KEY, TRIES_KEY], args=[call.job_id, call.until, after_ms])


class InMemoryDueCalls:
    """For tests."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._calls_clock = clock
        self._calls_due: dict[str, tuple[datetime, int]] = {}
        """When, and how often it was taken."""
        self._calls_lock = threading.RLock()

    def take_call(self, *, lease_s: float) -> DueCall | None:
        """A callback that is due."""
        with self._calls_lock:
            now = self._calls_clock()
            for job_id, (due_at, n_taken) in self._calls_due.items():
                if due_at <= now:
                    until = now + timedelta(seconds=lease_s)
                    self._calls_due[job_id] = until, n_taken + 1
                    return DueCall(job_id, n_taken + 1, until.isoformat())
            return None

    def put_off_call(self, call: DueCall, *, after_s: float) -> None:
        """Make a callback due later."""
        with self._calls_lock:
            if self._is_still(call):
                due_at = self._calls_clock() + timedelta(seconds=after_s)
                self._calls_due[call.job_id] = due_at, call.n_tries

    def end_call(self, call: DueCall) -> None:
        """Forget a callback."""
        with self._calls_lock:
            if self._is_still(call):
                del self._calls_due[call.job_id]

    def _is_still(self, call: DueCall) -> bool:
        due = self._calls_due.get(call.job_id)
        return due is not None and due[0].isoformat() == call.until
