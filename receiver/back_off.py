"""When to try something again that has failed."""

import time
from collections.abc import Callable
from typing import Final

_FIRST_S: Final = 1.0
_LONGEST_S: Final = 300.0


class BackOff:
    """Pauses that grow with each failure in a row, for many things by their names."""

    def __init__(self, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._n_failures: dict[str, int] = {}
        self._next_at_s: dict[str, float] = {}

    def fail(self, name: str) -> float:
        """Note a failure; seconds until the next try.

        >>> tries = BackOff()
        >>> [tries.fail("a") for _ in range(11)][-4:], tries.fail("b")
        ([128.0, 256.0, 300.0, 300.0], 1.0)
        """
        n_failures = self._n_failures[name] = self._n_failures.get(name, 0) + 1
        wait_s = min(_LONGEST_S, _FIRST_S * 2.0 ** min(n_failures - 1, 20))
        self._next_at_s[name] = self._clock_s() + wait_s
        return wait_s

    def left_s(self, name: str) -> float:
        """Seconds until the next try; 0 if it is time."""
        return max(0.0, self._next_at_s.get(name, 0.0) - self._clock_s())

    def forget(self, name: str) -> None:
        """It has gone well, or is over."""
        self._n_failures.pop(name, None)
        self._next_at_s.pop(name, None)
