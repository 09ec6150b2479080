"""Whose jobs are whose: the ids of each owner's, in order, so that a list need not pass over those of others.

An id is noted before its job is stored, and forgotten after it was removed: each job is in its owner's index,
and an id in it may be of no job. Beside it is one for each mark: a series of DICOM that the owner has sent,
or a workitem that the owner has asked for.
"""

from collections.abc import Collection, Iterable
from typing import Protocol, TypeAlias, cast

import redis

from disyre.adapters.broker import broker_errors

JobIds: TypeAlias = list[str]


class OwnerIndex(Protocol):
    """Ids of jobs by owner. Raises Unavailable."""

    def note(self, owner: str, *job_ids: str, marks: Collection[str] = ()) -> None:
        """These jobs will be the owner's, and be found by marks, if some are given."""

    def forget(self, owner: str, *job_ids: str, marks: Collection[str] = ()) -> None:
        """These jobs, which had these marks, are gone. Forgetting them twice does no harm."""

    def list(self, owner: str, *, limit: int, before: str | None = None, mark: str | None = None) -> JobIds:
        """Ids of an owner, or of a mark of theirs, the newest first, those that come after `before`."""


class RedisOwnerIndex:
    """A sorted set for each owner. All scores are 0, so that ids, which sort by time, are in order."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def note(self, owner: str, *job_ids: str, marks: Collection[str] = ()) -> None:
        """These jobs will be the owner's."""
        with broker_errors(), self._client.pipeline() as pipe:
            for key in _keys(owner, marks):
                pipe.zadd(key, dict.fromkeys(job_ids, 0))
            pipe.execute()

    def forget(self, owner: str, *job_ids: str, marks: Collection[str] = ()) -> None:
        """These jobs are gone."""
        with broker_errors(), self._client.pipeline() as pipe:
            for key in _keys(owner, marks):
                pipe.zrem(key, *job_ids)
            pipe.execute()

    def list(self, owner: str, *, limit: int, before: str | None = None, mark: str | None = None) -> JobIds:
        """Ids of an owner, or of a mark of theirs, the newest first."""
        top = "+" if before is None else f"({before}"
        key = _keys(owner, (mark,) if mark is not None else ())[-1]
        with broker_errors():
            return cast(JobIds, self._client.zrevrangebylex(key, top, "-", start=0, num=limit))


class InMemoryOwnerIndex:
    """For tests."""

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {}

    def note(self, owner: str, *job_ids: str, marks: Collection[str] = ()) -> None:
        """These jobs will be the owner's."""
        for key in _keys(owner, marks):
            self._ids.setdefault(key, set()).update(job_ids)

    def forget(self, owner: str, *job_ids: str, marks: Collection[str] = ()) -> None:
        """These jobs are gone."""
        for key in _keys(owner, marks):
            self._ids.get(key, set()).difference_update(job_ids)

    def list(self, owner: str, *, limit: int, before: str | None = None, mark: str | None = None) -> JobIds:
        """Ids of an owner, or of a mark of theirs, the newest first."""
        ids = sorted(
            self._ids.get(_keys(owner, (mark,) if mark is not None else ())[-1], set()), reverse=True
        )
        return [job_id for job_id in ids if before is None or job_id < before][:limit]


def _keys(owner: str, marks: Iterable[str]) -> list[str]:
    """Of the owner's index, and of those of marks."""
    return [f"disyre:jobs:of:{owner}", *(f"disyre:series:{mark}:of:{owner}" for mark in marks)]
