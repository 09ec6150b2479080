"""What happens to jobs, from the streams that the scripts of the job store write in Redis or Valkey."""

from collections.abc import Sequence
from typing import Final, TypeAlias, cast

import redis

from disyre.adapters.broker import broker_errors
from disyre.adapters.redis_scripts import EVENTS_KEY, events_key
from disyre.documents import read_document
from disyre.job_event import JobEvent

_MOST: Final = 1000
"""So many are read at a time."""
_Entries: TypeAlias = list[tuple[str, dict[str, str]]]


class RedisJobEvents:
    """Streams in Redis or Valkey: one of all jobs, and one of each. Raises Unavailable."""

    def __init__(self, client: redis.Redis) -> None:
        """The client has to wait for an answer longer than any call of `read` does."""
        self._client = client

    def position(self) -> str:
        """Where the stream of all jobs is now."""
        with broker_errors():
            newest = cast(_Entries, self._client.xrevrange(EVENTS_KEY, count=1))
        return newest[0][0] if newest else "0-0"

    def read(self, after: str, *, wait_s: float) -> tuple[str, Sequence[JobEvent]]:
        """What came after a position, and the position then."""
        with broker_errors():
            answer = self._client.xread({EVENTS_KEY: after}, count=_MOST, block=max(1, round(wait_s * 1000)))
        streams = cast(list[tuple[str, _Entries]], answer)
        entries = streams[0][1] if streams else []
        return (entries[-1][0] if entries else after), _events(entries)

    def of(self, job_id: str, *, after: int) -> Sequence[JobEvent]:
        """What happened to a job after a revision."""
        with broker_errors():
            return _events(cast(_Entries, self._client.xrange(events_key(job_id), min=f"{after + 1}-0")))


def _events(entries: _Entries) -> list[JobEvent]:
    return [read_document(JobEvent, fields["event"]) for _, fields in entries]
