"""What was asked lately, and is not asked again for a moment."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """What a question was answered, for a while."""

    def __init__(self, ask: Callable[[], T], for_s: float, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._for_s = for_s
        self._clock = clock
        self._told: tuple[float, T] | None = None

    def __call__(self) -> T:
        """The answer. Raises what the question raises."""
        told, now_s = self._told, self._clock()
        if told is None or now_s - told[0] > self._for_s:
            told = self._told = now_s, self._ask()
        return told[1]
