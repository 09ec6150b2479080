"""That the process is to stop: whoever waits for news gives its answer now."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Drain:
    """Whether the process has been told to stop; used by one event loop."""

    def __init__(self) -> None:
        self._has_begun = False
        self._wakers: list[Callable[[], None]] = []

    @property
    def has_begun(self) -> bool:
        """Whether no answer may be put off any more."""
        return self._has_begun

    def wake_by(self, waker: Callable[[], None]) -> None:
        """Call this when the process is to stop."""
        self._wakers.append(waker)

    @contextmanager
    def waking(self, waker: Callable[[], None]) -> Iterator[None]:
        """The same for the length of a block; at once, if it is to stop already."""
        self._wakers.append(waker)
        try:
            if self._has_begun:
                waker()
            yield
        finally:
            self._wakers.remove(waker)

    def begin(self) -> None:
        """End all waits, those to come too."""
        self._has_begun = True
        for wake in self._wakers:
            wake()
