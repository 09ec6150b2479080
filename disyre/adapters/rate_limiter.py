"""How much each may do in a minute: a bucket of tokens, which all processes of the API share.

A bucket holds a minute's tokens, so whoever was quiet may do that much at once. Each token taken is a write,
for which a broker that loses nothing waits for its disk: this is for calls that change something, no polls.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

import redis

from disyre.adapters.broker import broker_errors

_MS_PER_MINUTE: Final = 60_000

_TAKE: Final = f"""
local most = tonumber(ARGV[1])
local per_ms = most / {_MS_PER_MINUTE}
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at_ms')
local tokens = most
if held[1] then
    tokens = math.min(most, tonumber(held[1]) + math.max(0, now_ms - tonumber(held[2])) * per_ms)
end
local wait_ms = 0
if tokens >= 1 then tokens = tokens - 1 else wait_ms = math.ceil((1 - tokens) / per_ms) end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at_ms', now_ms)
redis.call('PEXPIRE', KEYS[1], {_MS_PER_MINUTE})
return wait_ms
"""


class RateLimiter(Protocol):
    """A bucket for each name."""

    def take(self, name: str, *, per_minute: int) -> float:
        """Take a token; 0, or, if there is none, the seconds until there is one. Raises Unavailable."""


class RedisRateLimiter:
    """A hash for each name, which is gone once its bucket is full."""

    def __init__(self, client: redis.Redis) -> None:
        self._take_script = client.register_script(_TAKE)

    def take(self, name: str, *, per_minute: int) -> float:
        """Take a token."""
        with broker_errors():
            wait_ms = self._take_script(keys=[f"disyre:rate:{name}"], args=[per_minute])
        return float(wait_ms) / 1000


class InMemoryRateLimiter:
    """For tests."""

    def __init__(self, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str, *, per_minute: int) -> float:
        """Take a token."""
        now_s = self._clock_s()
        tokens, at_s = self._buckets.get(name, (float(per_minute), now_s))
        tokens = min(per_minute, tokens + (now_s - at_s) * per_minute / 60)
        self._buckets[name] = (tokens - 1 if tokens >= 1 else tokens, now_s)
        return 0.0 if tokens >= 1 else (1 - tokens) * 60 / per_minute
