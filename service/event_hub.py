"""Who waits for news of jobs: one reader of the broker, for all who listen to this process."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from disyre.adapters.job_events import JobEvents
from disyre.errors import Unavailable
from disyre.job_event import JobEvent
from service.drain import Drain

logger = logging.getLogger(__name__)

T = TypeVar("T")

_READ_S: Final = 1.0
"""A call of the broker waits so long for something to come; less than the broker's client has patience."""
_PAUSE_S: Final = 0.5
"""Before the broker is asked again that did not answer."""
_MOST_KEPT: Final = 100
"""Events for a listener that is slow to take them; after more, it has to look for itself."""


@dataclass(frozen=True)
class News:
    """What a listener is told."""

    events: tuple[JobEvent, ...] = ()
    missed: bool = False
    """Whether there may have been others: the listener has to look at the job."""


class Listener:
    """Waits for news of one job."""

    def __init__(self, drain: Drain) -> None:
        self._drain = drain
        self._woken = asyncio.Event()
        self._events: list[JobEvent] = []
        self._missed = False

    def tell(self, event: JobEvent) -> None:
        """There is news."""
        if len(self._events) < _MOST_KEPT:
            self._events.append(event)
        else:
            self._missed = True
        self.wake()

    def miss(self) -> None:
        """There may have been news."""
        self._missed = True
        self.wake()

    def wake(self) -> None:
        """End the wait, if there is one."""
        self._woken.set()

    async def news(self, *, within_s: float) -> News:
        """What has come; if nothing has, waits, but not for longer than the process is to live."""
        if not self._drain.has_begun:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), within_s)
        news = News(tuple(self._events), self._missed)
        self._woken.clear()
        self._events, self._missed = [], False
        return news


class EventHub:
    """Reads what happens to jobs while anybody listens, and tells it to those whom it concerns."""

    def __init__(self, events: JobEvents, drain: Drain) -> None:
        self._events = events
        self._drain = drain
        self._listeners: defaultdict[str, set[Listener]] = defaultdict(set)
        self._reader: asyncio.Task[None] | None = None
        self._one_by_one = CapacityLimiter(1)
        drain.wake_by(self._wake_all)

    @property
    def is_reading(self) -> bool:
        """Whether the broker is asked for news."""
        return self._reader is not None

    @contextmanager
    def listen(self, job_id: str) -> Iterator[Listener]:
        """Hear of all that happens to a job from now on; what was before is to be looked for after this."""
        listener = Listener(self._drain)
        self._listeners[job_id].add(listener)
        if not self.is_reading:
            self._reader = asyncio.create_task(self._read())
        try:
            yield listener
        finally:
            self._listeners[job_id].discard(listener)
            if not self._listeners[job_id]:
                del self._listeners[job_id]

    async def stop(self) -> None:
        """Read no more."""
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader

    async def _read(self) -> None:
        """Read as long as there is a listener. After an outage, each looks from where it was."""
        position: str | None = None
        try:
            while self._listeners:
                try:
                    if position is None:
                        position = await self._ask(self._events.position)
                        self._miss_all()
                    position = await self._read_on(position)
                except Unavailable:
                    position = None
                    await asyncio.sleep(_PAUSE_S)
                except Exception:
                    logger.exception("what happens to jobs cannot be read")
                    position = None
                    await asyncio.sleep(_PAUSE_S)
        finally:
            self._reader = None

    async def _read_on(self, position: str) -> str:
        now, events = await self._ask(lambda: self._events.read(position, wait_s=_READ_S))
        for event in events:
            for listener in self._listeners.get(event.job_id, ()):
                listener.tell(event)
        return now

    async def _ask(self, call: Callable[[], T]) -> T:
        """Ask the broker in a thread of its own, which nobody waits for when the process ends."""
        return await run_sync(call, limiter=self._one_by_one, abandon_on_cancel=True)

    def _miss_all(self) -> None:
        for listener in self._all():
            listener.miss()

    def _wake_all(self) -> None:
        for listener in self._all():
            listener.wake()

    def _all(self) -> list[Listener]:
        return [listener for listeners in self._listeners.values() for listener in listeners]
