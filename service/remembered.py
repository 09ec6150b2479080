"""What was asked lately, and is not asked again for a moment."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from disyre.errors import Unavailable

T = TypeVar("T")

_SILENT_FOR_S: Final = 0.5
"""Whoever did not answer is not asked again for so long: a request that asks often waits once."""


class Remembered(Generic[T]):
    """What a question was answered, for a while; that nobody answered, for a moment."""

    def __init__(self, ask: Callable[[], T], for_s: float, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._for_s = for_s
        self._clock = clock
        self._told: tuple[float, T] | None = None
        self._silent_until_s: float | None = None

    def __call__(self) -> T:
        """The answer. Raises what the question raises."""
        told, now_s = self._told, self._clock()
        if told is not None and now_s - told[0] <= self._for_s:
            return told[1]
        silent_until_s = self._silent_until_s
        if silent_until_s is not None and now_s < silent_until_s:
            raise Unavailable("the broker did not answer a moment ago")
        try:
            told = self._told = now_s, self._ask()
        except Unavailable:
            self._silent_until_s = self._clock() + _SILENT_FOR_S
            raise
        return told[1]
