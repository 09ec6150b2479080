"""Pages of the list of jobs."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

from disyre.job import Job, JobState
from service.own_jobs import OwnJobs

_MAX_LOOKED_AT: Final = 1000
"""After as many jobs a page ends, however few of them were wanted."""


@dataclass(frozen=True)
class Page:
    """Some jobs, the newest first."""

    jobs: list[Job]
    cursor: str | None
    """Where the next page goes on; None at the end."""

    @classmethod
    def read(
        cls, store: OwnJobs, *, limit: int, before: str | None = None, states: Collection[JobState] = ()
    ) -> Self:
        """Up to `limit` jobs in one of these states, or in any, older than the job `before`."""
        found: list[Job] = []
        for _ in range(0, _MAX_LOOKED_AT, limit):
            batch = store.list(limit=limit, before=before)
            if not batch:
                return cls(found, None)
            for job in batch:
                before = job.id
                if not states or job.state in states:
                    found.append(job)
                if len(found) == limit:
                    return cls(found, before)
        return cls(found, before)
