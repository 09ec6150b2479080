"""How a machine's own clock and the broker's stood to each other; outlives the processes that looked."""

from typing import Final, Protocol, cast

import redis

from disyre.adapters.broker import broker_errors
from disyre.documents import read_document
from disyre.frozen import Frozen

_KEPT_S: Final = 86400
"""After so long without a look, both clocks may have drifted apart without a jump."""


class ClockMark(Frozen):
    """What was seen at the last look. Times are of the machine's clock that nobody sets."""

    ahead_s: float
    """Of the broker's clock over it."""
    steady_since_s: float
    """From then on, both went equally fast."""
    has_jumped: bool = False
    """Whether they did not before; else nobody looked."""


class ClockMarks(Protocol):
    """A mark for each start of a machine. Raises Unavailable."""

    def of(self, boot: str) -> ClockMark | None:
        """What was seen since a machine was started; None if nobody looked, or long ago."""

    def set(self, boot: str, mark: ClockMark) -> None:
        """Keep what is seen now."""


class RedisClockMarks:
    """A key for each start of a machine, which the broker removes when nobody looks any more."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def of(self, boot: str) -> ClockMark | None:
        """What was seen."""
        with broker_errors():
            document = cast(str | None, self._client.get(_key(boot)))
        return read_document(ClockMark, document) if document is not None else None

    def set(self, boot: str, mark: ClockMark) -> None:
        """Keep it."""
        with broker_errors():
            self._client.set(_key(boot), mark.model_dump_json(), ex=_KEPT_S)


class InMemoryClockMarks:
    """For tests."""

    def __init__(self) -> None:
        self._documents: dict[str, str] = {}

    def of(self, boot: str) -> ClockMark | None:
        """What was seen."""
        document = self._documents.get(boot)
        return read_document(ClockMark, document) if document is not None else None

    def set(self, boot: str, mark: ClockMark) -> None:
        """Keep it."""
        self._documents[boot] = mark.model_dump_json()


def _key(boot: str) -> str:
    return f"disyre:clock:{boot}"
