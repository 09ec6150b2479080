"""Threads for what blocks, in groups: one kind of work that is slow does not keep the others waiting.

What is not named here, which is mostly the broker, has the 40 threads that FastAPI runs its handlers in.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

P = ParamSpec("P")
T = TypeVar("T")


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
    health: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))
    """Saying how the service is, also while it is not well."""


async def in_thread(limiter: CapacityLimiter, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do what blocks in a thread, once one of its group is free."""
    return await run_sync(partial(work, *args, **kwargs), limiter=limiter)
