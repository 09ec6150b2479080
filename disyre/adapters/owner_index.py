"""Whose jobs are whose: the ids of each owner's, in order, so that a list need not pass over those of others.

An id is noted before its job is stored, and forgotten after it was removed: each job is in its owner's index,
and an id in it may be of no job. Beside it is one for each series of DICOM that the owner has sent.
"""

from typing import Protocol, TypeAlias, cast

import redis

from disyre.adapters.broker import broker_errors

JobIds: TypeAlias = list[str]


class OwnerIndex(Protocol):
    """Ids of jobs by owner. Raises Unavailable."""

    def note(self, owner: str, *job_ids: str, series: str | None = None) -> None:
        """These jobs will be the owner's, and of a series, if one is given."""

    def forget(self, owner: str, *job_ids: str, series: str | None = None) -> None:
        """These jobs, of a series if one is given, are gone. Forgetting them twice does no harm."""

    def list(self, owner: str, *, limit: int, before: str | None = None, series: str | None = None) -> JobIds:
        """Ids of an owner, or of a series of theirs, the newest first, those that come after `before`."""


class RedisOwnerIndex:
    """A sorted set for each owner. All scores are 0, so that ids, which sort by time, are in order."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def note(self, owner: str, *job_ids: str, series: str | None = None) -> None:
        """These jobs will be the owner's."""
        with broker_errors(), self._client.pipeline() as pipe:
            for key in _keys(owner, series):
                pipe.zadd(key, dict.fromkeys(job_ids, 0))
            pipe.execute()

    def forget(self, owner: str, *job_ids: str, series: str | None = None) -> None:
        """These jobs are gone."""
        with broker_errors(), self._client.pipeline() as pipe:
            for key in _keys(owner, series):
                pipe.zrem(key, *job_ids)
            pipe.execute()

    def list(self, owner: str, *, limit: int, before: str | None = None, series: str | None = None) -> JobIds:
        """Ids of an owner, or of a series of theirs, the newest first."""
        top = "+" if before is None else f"({before}"
        key = _keys(owner, series)[-1]
        with broker_errors():
            return cast(JobIds, self._client.zrevrangebylex(key, top, "-", start=0, num=limit))


class InMemoryOwnerIndex:
    """For tests."""

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {}

    def note(self, owner: str, *job_ids: str, series: str | None = None) -> None:
        """These jobs will be the owner's."""
        for key in _keys(owner, series):
            self._ids.setdefault(key, set()).update(job_ids)

    def forget(self, owner: str, *job_ids: str, series: str | None = None) -> None:
        """These jobs are gone."""
        for key in _keys(owner, series):
            self._ids.get(key, set()).difference_update(job_ids)

    def list(self, owner: str, *, limit: int, before: str | None = None, series: str | None = None) -> JobIds:
        """Ids of an owner, or of a series of theirs, the newest first."""
        ids = sorted(self._ids.get(_keys(owner, series)[-1], set()), reverse=True)
        return [job_id for job_id in ids if before is None or job_id < before][:limit]


def _keys(owner: str, series: str | None) -> list[str]:
    """Of the owner's index; and, last, of that of a series, if one is given."""
    key = f"disyre:jobs:of:{owner}"
    return [key] if series is None else [key, f"disyre:series:{series}:of:{owner}"]
