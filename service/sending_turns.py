"""Who is being sent what is large and needs no key: a few at a time, so that who asks over and over waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from disyre.errors import Unavailable

_AT_ONCE: Final = 2
_LONGEST_S: Final = 0.05
"""A client that takes longer costs little at a time: the next need not wait for it."""
_MOST_WAITING: Final = 200


class SendingTurns:
    """Turns of one process, in the order in which they are asked for."""

    def __init__(self, *, longest_s: float = _LONGEST_S, most_waiting: int = _MOST_WAITING) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._n_waiting = 0
        self._longest_s = longest_s
        self._most_waiting = most_waiting

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it for a block, or a moment. Raises Unavailable if too many wait."""
        if self._n_waiting >= self._most_waiting:
            raise Unavailable("too many ask for this at a time")
        self._n_waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._n_waiting -= 1
        turn = _Turn(self._free, self._longest_s)
        try:
            yield
        finally:
            turn.end()


class _Turn:
    """Ends once, by itself if nobody does it sooner."""

    def __init__(self, free: asyncio.Semaphore, longest_s: float) -> None:
        self._free = free
        self._has_ended = False
        self._timer = asyncio.get_running_loop().call_later(longest_s, self.end)

    def end(self) -> None:
        """Let the next one go on."""
        if not self._has_ended:
            self._has_ended = True
            self._timer.cancel()
            self._free.release()
