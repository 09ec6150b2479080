"""Exports of jobs: which one is due, taken by one process of the API at a time, and what became of each."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias, cast

import redis

from disyre.adapters.broker import broker_errors, in_ms
from disyre.adapters.due_calls import TAKE
from disyre.adapters.redis_scripts import EXPORTS_DUE_KEY, exports_key, job_key
from disyre.documents import read_document
from disyre.export import Export

Exported: TypeAlias = list[Export]
Due: TypeAlias = tuple[str, str, int]
"""Id of the job, name of the server, and how often it was taken by now."""

_TRIES_KEY: Final = f"{EXPORTS_DUE_KEY}:tries"
"""How often each was taken."""

# KEYS: that of what is due. ARGV: id and server together, and the ms that its lease lasts from now on.
_KEEP: Final = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], 'XX', now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2], ARGV[1])
"""
# KEYS: those of what is due and its tries, of the job and of its exports. ARGV: id and server together,
# server, document. Answers whether there was none under way.
_REQUEST: Final = """
if redis.call('EXISTS', KEYS[3]) == 0 or redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local now = redis.call('TIME')
redis.call('HSET', KEYS[4], ARGV[2], ARGV[3])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])
return 1
"""
# The same KEYS and ARGV, and in how many ms it is due again, or nothing. Of a job that is gone nothing stays.
_NOTE: Final = """
local is_there = redis.call('EXISTS', KEYS[3]) == 1
if is_there then redis.call('HSET', KEYS[4], ARGV[2], ARGV[3]) end
if is_there and ARGV[4] ~= '' then
    local now = redis.call('TIME')
    redis.call('ZADD', KEYS[1], 'XX', now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[4], ARGV[1])
else
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('HDEL', KEYS[2], ARGV[1])
end
"""


class Exports(Protocol):
    """Exports, by the ids of their jobs and the names of their servers. Raises Unavailable."""

    def request(self, job_id: str, export: Export) -> bool:
        """Have results sent; False if that is under way, or there is no such job: then nothing changes."""

    def take(self, *, lease_s: float) -> Due | None:
        """An export that is due; it is due again after the lease, unless more was said of it by then."""

    def keep(self, job_id: str, server: str, *, lease_s: float) -> None:
        """Let the lease of an export last for so long from now on."""

    def note(self, job_id: str, export: Export, *, again_after_s: float | None = None) -> None:
        """Keep what became of an export, which ends, or is due again after some time."""

    def drop(self, job_id: str, server: str) -> None:
        """Forget that an export is due."""

    def list(self, job_id: str) -> Exported:
        """All exports of a job, by the names of their servers."""


class RedisExports:
    """A sorted set of what is due, and a hash of documents for each job, which goes with the job."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._request_script = client.register_script(_REQUEST)
        self._take_script = client.register_script(TAKE)
        self._keep_script = client.register_script(_KEEP)
        self._note_script = client.register_script(_NOTE)

    def request(self, job_id: str, export: Export) -> bool:
        """Have results sent."""
        with broker_errors():
            return bool(self._request_script(keys=_keys(job_id), args=_args(job_id, export)))

    def take(self, *, lease_s: float) -> Due | None:
        """An export that is due."""
        with broker_errors():
            found = self._take_script(keys=[EXPORTS_DUE_KEY, _TRIES_KEY], args=[in_ms(lease_s)])
        return None if found is None else (*_split(found[0]), found[1])

    def keep(self, job_id: str, server: str, *, lease_s: float) -> None:
        """Let the lease of an export last longer."""
        with broker_errors():
            self._keep_script(keys=[EXPORTS_DUE_KEY], args=[_member(job_id, server), in_ms(lease_s)])

    def note(self, job_id: str, export: Export, *, again_after_s: float | None = None) -> None:
        """Keep what became of an export."""
        again: int | str = "" if again_after_s is None else in_ms(again_after_s)
        with broker_errors():
            self._note_script(keys=_keys(job_id), args=[*_args(job_id, export), again])

    def drop(self, job_id: str, server: str) -> None:
        """Forget that an export is due."""
        member = _member(job_id, server)
        with broker_errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.zrem(EXPORTS_DUE_KEY, member)
            pipe.hdel(_TRIES_KEY, member)
            pipe.execute()

    def list(self, job_id: str) -> Exported:
        """All exports of a job."""
        with broker_errors():
            found = cast(dict[str, str], self._client.hgetall(exports_key(job_id)))
        return [read_document(Export, document) for _, document in sorted(found.items())]


class InMemoryExports:
    """For tests."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._due: dict[tuple[str, str], tuple[datetime, int]] = {}
        """When, and how often it was taken."""
        self._exports: dict[str, dict[str, Export]] = {}
        self._lock = threading.RLock()

    def request(self, job_id: str, export: Export) -> bool:
        """Have results sent; whether there is such a job is not known here."""
        with self._lock:
            if (job_id, export.server) in self._due:
                return False
            self._exports.setdefault(job_id, {})[export.server] = export
            self._due[job_id, export.server] = self._clock(), 0
            return True

    def fall_due(self, job_id: str, server: str) -> None:
        """Have results sent, as the end of their job asks for it."""
        self._due[job_id, server] = self._clock(), 0

    def take(self, *, lease_s: float) -> Due | None:
        """An export that is due."""
        with self._lock:
            now = self._clock()
            for (job_id, server), (due_at, n_taken) in self._due.items():
                if due_at <= now:
                    self._due[job_id, server] = now + timedelta(seconds=lease_s), n_taken + 1
                    return job_id, server, n_taken + 1
            return None

    def keep(self, job_id: str, server: str, *, lease_s: float) -> None:
        """Let the lease of an export last longer."""
        self._due[job_id, server] = (
            self._clock() + timedelta(seconds=lease_s),
            self._due[job_id, server][1],
        )

    def note(self, job_id: str, export: Export, *, again_after_s: float | None = None) -> None:
        """Keep what became of an export."""
        with self._lock:
            self._exports.setdefault(job_id, {})[export.server] = export
            if again_after_s is None:
                self.drop(job_id, export.server)
            else:
                self.keep(job_id, export.server, lease_s=again_after_s)

    def drop(self, job_id: str, server: str) -> None:
        """Forget that an export is due."""
        self._due.pop((job_id, server), None)

    def list(self, job_id: str) -> Exported:
        """All exports of a job."""
        return [export for _, export in sorted(self._exports.get(job_id, {}).items())]


def _member(job_id: str, server: str) -> str:
    return f"{job_id} {server}"


def _split(member: str) -> tuple[str, str]:
    job_id, _, server = member.partition(" ")
    return job_id, server


def _keys(job_id: str) -> list[str]:
    return [EXPORTS_DUE_KEY, _TRIES_KEY, job_key(job_id), exports_key(job_id)]


def _args(job_id: str, export: Export) -> list[str]:
    return [_member(job_id, export.server), export.server, export.model_dump_json()]
