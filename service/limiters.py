"""Threads for what blocks, in groups: one kind of work that is slow does not keep the others waiting.

What is not named here, which is mostly the broker, has the 40 threads that FastAPI runs its handlers in.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from service.errors import ArchiveAway

P = ParamSpec("P")
T = TypeVar("T")


_AT_ONCE: Final = 4
_MOST_WAITING: Final = 32


class Turns:
    """Who fetches from which archive: of each a few at a time, so that one that is slow is in no other's way.

    They have no thread while they wait for it.
    """

    def __init__(self) -> None:
        self._limiters: defaultdict[str, CapacityLimiter] = defaultdict(lambda: CapacityLimiter(_AT_ONCE))

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait for the turn, and have it for a block. Raises ArchiveAway if too many wait already."""
        limiter = self._limiters[name]
        if limiter.statistics().tasks_waiting >= _MOST_WAITING:
            raise ArchiveAway("too many wait for this archive already")
        async with limiter:
            yield


@dataclass(frozen=True)
class Limiters:
    """How many threads may do what at a time."""

    admission: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))
    """Deciding whether an upload may come: a hundred at once are not in the way of who polls."""
    disk: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(16))
    """Writing uploads."""
    inspection: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))
    """Looking into uploads, which takes a processor, and some 20 MB for a series of DICOM."""
    listing: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))
    """Reading pages of jobs, each of which may take some MB."""
    downloads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))
    """Reading results, a piece at a time: however many download, handlers keep their threads."""
    files: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(16))
    """Having files of jobs at hand, and removing them: they may be in a bucket that stands still."""
    archives: Turns = field(default_factory=Turns)
    """Fetching from archives."""
    health: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))
    """Saying how the service is, also while it is not well."""


async def in_thread(limiter: CapacityLimiter, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do what blocks in a thread, once one of its group is free."""
    return await run_sync(partial(work, *args, **kwargs), limiter=limiter)
