"""The end of finished jobs: after the time that they are kept, records and files go, and a tombstone stays.

The time is the broker's. A clock that jumped must not cost a scan, so a job is removed only if the clock has
been steady since it was finished, or for an hour (`service.steady_clock`).
"""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.expiry import Expiry
from disyre.adapters.job_store import JobStore
from disyre.adapters.owner_index import OwnerIndex
from disyre.errors import IllegalTransition, JobNotFound
from disyre.job import Job
from service.steady_clock import SteadyClock

logger = logging.getLogger(__name__)

_AT_A_TIME: Final = 100
_LOOKED_AT: Final = 1000
"""Of those that are due: some of them may have to wait for a clock that is steady."""


class Retention:
    """Removes jobs whose time is over. Several processes may do so at a time."""

    def __init__(
        self,
        jobs: JobStore,
        expiry: Expiry,
        owners: OwnerIndex,
        artifacts: ArtifactStore,
        clock: SteadyClock,
        *,
        tombstone_s: float,
        on_expired: Callable[[str], None] = lambda job_id: None,
    ) -> None:
        """`tombstone_s` is how long it is remembered that there was a job.

        `on_expired` is told the ids of jobs that were removed.
        """
        self._on_expired = on_expired
        self._jobs = jobs
        self._expiry = expiry
        self._owners = owners
        self._artifacts = artifacts
        self._tombstone_s = tombstone_s
        self._clock = clock

    def expire_due(self) -> None:
        """Remove some jobs whose time is over, and their files. Raises Unavailable."""
        now = self._jobs.now()
        since = self._clock.believed_since(now)
        found = self._expiry.due(now, since=since, limit=_LOOKED_AT)
        due = (job for job_id in found if (job := self._finished_since(since, job_id)) is not None)
        for job in islice(due, _AT_A_TIME):
            self._expire(job)

    def _finished_since(self, since: datetime, job_id: str) -> Job | None:
        """A job, if it was finished then or later."""
        try:
            job = self._jobs.get(job_id)
        except JobNotFound:
            return None  # another process was here
        return job if job.finished_at is not None and job.finished_at >= since else None

    def _expire(self, seen: Job) -> None:
        """Remove the files, then the record: a job of which a process that ends leaves some is still due."""
        try:
            job = self._jobs.update(seen.id, partial(_let_go, seen, at=self._jobs.now()))
        except (JobNotFound, IllegalTransition):
            return  # another process was here, or somebody wants it again
        self._artifacts.remove(job.id)
        if self._expiry.expire(job, remembered_for_s=self._tombstone_s):
            self._on_expired(job.id)
            self._owners.forget(job.owner, job.id, marks=job.marks)
            logger.info("job %s has expired", job.id)


def _let_go(seen: Job, job: Job, *, at: datetime) -> Job:
    """Let a job go that is as it was seen to be. Raises IllegalTransition for any other."""
    if job.revision != seen.revision:
        raise IllegalTransition(f"expected a job at revision {seen.revision}, got one at {job.revision}")
    return job.let_go(at=at)
