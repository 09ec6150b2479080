"""Idempotency keys: each is held by one request at a time, and stands for what that made of it afterwards.

The receipt is stored by the job store, in the same step as the jobs that it names.
"""

import time
from typing import Final, Protocol, cast

import redis

from disyre.adapters.broker import broker_errors
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_store import key_in_use
from disyre.adapters.redis_scripts import once_key

_HELD: Final = 0
_MINE: Final = 1
# ARGV: who wants it, and for how many ms. Answers with the receipt if there is one.
_TAKE: Final = f"""
local held = redis.call('HMGET', KEYS[1], 'holder', 'receipt')
if held[2] then return held[2] end
if held[1] and held[1] ~= ARGV[1] then return {_HELD} end
redis.call('HSET', KEYS[1], 'holder', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {_MINE}
"""
_RELEASE: Final = """
local held = redis.call('HMGET', KEYS[1], 'holder', 'receipt')
if held[1] == ARGV[1] and not held[2] then redis.call('DEL', KEYS[1]) end
"""


class IdempotencyKeys(Protocol):
    """Keys by name. Raises Unavailable."""

    def take(self, name: str, holder: str, *, for_s: float) -> str | None:
        """Hold a key, or hold it longer; if it was used before, it stays as it is.

        Returns what the receipt holds of a key that was used. Raises StillReceiving if another one holds it.
        """

    def release(self, name: str, holder: str) -> None:
        """Let go of a key that was not used, if `holder` has it."""


class RedisIdempotencyKeys:
    """A hash for each key, which is gone when its time is over by the broker's clock."""

    def __init__(self, client: redis.Redis) -> None:
        self._take_script = client.register_script(_TAKE)
        self._release_script = client.register_script(_RELEASE)

    def take(self, name: str, holder: str, *, for_s: float) -> str | None:
        """Hold a key."""
        with broker_errors():
            answer = self._take_script(keys=[once_key(name)], args=[holder, max(1, round(for_s * 1000))])
        if answer == _HELD:
            raise key_in_use()
        return None if answer == _MINE else cast(str, answer)

    def release(self, name: str, holder: str) -> None:
        """Let go of a key."""
        with broker_errors():
            self._release_script(keys=[once_key(name)], args=[holder])


class InMemoryIdempotencyKeys:
    """For tests; the receipts are in a job store in memory."""

    def __init__(self, jobs: InMemoryJobStore) -> None:
        self._jobs = jobs
        self._holders = jobs.key_holders

    def take(self, name: str, holder: str, *, for_s: float) -> str | None:
        """Hold a key."""
        with self._jobs.lock:
            if name in self._jobs.receipts:
                return self._jobs.receipts[name].document
            other, until = self._holders.get(name, (holder, 0.0))
            if other != holder and until > time.monotonic():
                raise key_in_use()
            self._holders[name] = (holder, time.monotonic() + for_s)
            return None

    def release(self, name: str, holder: str) -> None:
        """Let go of a key."""
        with self._jobs.lock:
            if self._holders.get(name, ("",))[0] == holder:
                del self._holders[name]
