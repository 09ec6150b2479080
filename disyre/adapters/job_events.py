"""What happens to jobs, as a stream that processes follow: of all jobs for a while, and of each job apart."""

import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from disyre.job_event import JobEvent


class JobEvents(Protocol):
    """Changes of jobs, in the order in which they were stored. Raises Unavailable."""

    def position(self) -> str:
        """Where the stream of all jobs is now."""

    def read(self, after: str, *, wait_s: float) -> tuple[str, Sequence[JobEvent]]:
        """What came after a position, and the position then; waits up to `wait_s` for something to come."""

    def of(self, job_id: str, *, after: int) -> Sequence[JobEvent]:
        """What happened to a job after a revision, as far as it is known still; the oldest first."""


class InMemoryJobEvents:
    """For tests; a job store in memory tells it."""

    def __init__(self) -> None:
        self._all: list[JobEvent] = []
        self._of: defaultdict[str, list[JobEvent]] = defaultdict(list)
        self._came = threading.Condition()

    def tell(self, event: JobEvent) -> None:
        """A job has changed."""
        with self._came:
            self._all.append(event)
            self._of[event.job_id].append(event)
            self._came.notify_all()

    def forget(self, job_id: str) -> None:
        """A job is gone."""
        self._of.pop(job_id, None)

    def position(self) -> str:
        """Where the stream of all jobs is now."""
        return str(len(self._all))

    def read(self, after: str, *, wait_s: float) -> tuple[str, Sequence[JobEvent]]:
        """What came after a position, and the position then."""
        with self._came:
            self._came.wait_for(lambda: len(self._all) > int(after), wait_s)
            return self.position(), self._all[int(after) :]

    def of(self, job_id: str, *, after: int) -> Sequence[JobEvent]:
        """What happened to a job after a revision."""
        return [event for event in self._of.get(job_id, ()) if event.revision > after]
