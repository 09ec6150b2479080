"""The time of day by the broker's clock, which all programs around it share, whatever their own say."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import redis

from disyre.adapters.broker import broker_errors
from disyre.errors import Unavailable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BrokerClock:
    """Asks the broker for the time now and then, and counts on by a clock that nobody sets.

    Right to half the time that an answer takes.
    """

    def __init__(
        self, client: redis.Redis, *, ask_every_s: float = 5.0, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._ask_every_s = ask_every_s
        self._clock_s = clock_s
        self._began_at: datetime | None = None
        """When `clock_s` was 0, by the broker's clock."""
        self._asked_at_s = float("-inf")

    def now(self) -> datetime:
        """The time of day, counted on while the broker is away. Raises Unavailable if it never was there."""
        if self._began_at is None or self._clock_s() - self._asked_at_s > self._ask_every_s:
            self._began_at = self._ask()
        return self._began_at + timedelta(seconds=self._clock_s())

    def _ask(self) -> datetime:
        sent_at_s = self._clock_s()
        try:
            with broker_errors():
                seconds, us = self._client.time()
        except Unavailable:
            if self._began_at is None:
                raise
            self._asked_at_s = self._clock_s()
            return self._began_at
        self._asked_at_s = self._clock_s()
        told = _EPOCH + timedelta(seconds=seconds, microseconds=us)
        return told - timedelta(seconds=(sent_at_s + self._asked_at_s) / 2)
