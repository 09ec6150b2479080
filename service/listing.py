"""Pages of the list of jobs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from disyre.job import Job
from disyre.job_id import first_id
from disyre.job_state import JobState
from service.own_jobs import OwnJobs

_MAX_LOOKED_AT: Final = 1000
"""After as many jobs a page ends, however few of them were wanted."""
_BATCH: Final = 100
"""So many are read at a time where some are left out."""


@dataclass(frozen=True)
class Wanted:
    """Which jobs a list has: those for which all of this holds. What is not said leaves none out."""

    states: Collection[JobState] = ()
    """One of them."""
    model: str | None = None
    """The name of the model that scores the job, if that is decided."""
    labels: Collection[str] = ()
    """All of them, as name and value; the first colon is what is between."""
    series_uid: str | None = None
    """The job's option of this name."""
    created_after: datetime | None = None
    """Then or later."""
    created_before: datetime | None = None
    """Earlier than that."""

    def newest(self, cursor: str | None) -> str | None:
        """Before which id a list begins that goes on at a cursor; ids tell when jobs were created."""
        latest = first_id(self.created_before) if self.created_before else None
        bounds = [bound for bound in (cursor, latest) if bound is not None]
        return min(bounds, default=None)

    def is_over_at(self, job: Job) -> bool:
        """Whether this job, and so all before it, are too old."""
        return self.created_after is not None and job.id < first_id(self.created_after)

    def fits(self, job: Job) -> bool:
        """Whether a job of the time is in the list."""
        wanted = [label.partition(":") for label in self.labels]
        return (
            (not self.states or job.state in self.states)
            and (self.model is None or (job.model is not None and job.model.name == self.model))
            and all(job.params.labels.get(name) == value for name, _, value in wanted)
            and (self.series_uid is None or job.params.series_uid == self.series_uid)
        )


@dataclass(frozen=True)
class Page:
    """Some jobs, the newest first."""

    jobs: list[Job]
    cursor: str | None
    """Where the next page goes on; None at the end."""

    @classmethod
    def read(cls, store: OwnJobs, wanted: Wanted, *, limit: int, before: str | None = None) -> Self:
        """Up to `limit` of the jobs that are wanted, older than the job `before`."""
        found: list[Job] = []
        before = wanted.newest(before)
        size = limit if wanted == Wanted() else max(limit, _BATCH)
        for _ in range(0, _MAX_LOOKED_AT, size):
            batch = store.list(limit=size, before=before)
            for job in batch:
                if wanted.is_over_at(job):
                    return cls(found, None)
                before = job.id
                if wanted.fits(job):
                    found.append(job)
                if len(found) == limit:
                    return cls(found, before)
            if not batch:
                return cls(found, None)
        return cls(found, before)
