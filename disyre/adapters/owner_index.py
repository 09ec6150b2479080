"""Whose jobs are whose: the ids of each owner's, in order, so that a list need not pass over those of others.

An id is noted before its job is stored, and forgotten after it was removed: each job is in its owner's index,
and an id in it may be of no job.
"""

from typing import Protocol, TypeAlias, cast

import redis

from disyre.adapters.broker import broker_errors

JobIds: TypeAlias = list[str]


class OwnerIndex(Protocol):
    """Ids of jobs by owner. Raises Unavailable."""

    def note(self, owner: str, *job_ids: str) -> None:
        """These jobs will be the owner's."""

    def forget(self, owner: str, *job_ids: str) -> None:
        """These jobs are gone. Forgetting them twice does no harm."""

    def list(self, owner: str, *, limit: int, before: str | None = None) -> JobIds:
        """Ids of an owner, the newest first; `before` is the id after which to go on."""


class RedisOwnerIndex:
    """A sorted set for each owner. All scores are 0, so that ids, which sort by time, are in order."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def note(self, owner: str, *job_ids: str) -> None:
        """These jobs will be the owner's."""
        with broker_errors():
            self._client.zadd(_key(owner), dict.fromkeys(job_ids, 0))

    def forget(self, owner: str, *job_ids: str) -> None:
        """These jobs are gone."""
        with broker_errors():
            self._client.zrem(_key(owner), *job_ids)

    def list(self, owner: str, *, limit: int, before: str | None = None) -> JobIds:
        """Ids of an owner, the newest first."""
        top = "+" if before is None else f"({before}"
        with broker_errors():
            return cast(JobIds, self._client.zrevrangebylex(_key(owner), top, "-", start=0, num=limit))


class InMemoryOwnerIndex:
    """For tests."""

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {}

    def note(self, owner: str, *job_ids: str) -> None:
        """These jobs will be the owner's."""
        self._ids.setdefault(owner, set()).update(job_ids)

    def forget(self, owner: str, *job_ids: str) -> None:
        """These jobs are gone."""
        self._ids.get(owner, set()).difference_update(job_ids)

    def list(self, owner: str, *, limit: int, before: str | None = None) -> JobIds:
        """Ids of an owner, the newest first."""
        ids = sorted(self._ids.get(owner, set()), reverse=True)
        return [job_id for job_id in ids if before is None or job_id < before][:limit]


def _key(owner: str) -> str:
    return f"disyre:jobs:of:{owner}"
