"""The end of finished jobs: after the time that they are kept, records and files go, and a tombstone stays.

The time is the broker's. A clock that jumped must not cost a scan, so nothing is removed unless it has been
steady for an hour (`service.steady_clock`).
"""

import logging
from collections.abc import Callable
from typing import Final

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.expiry import Expiry
from disyre.adapters.job_store import JobStore
from disyre.adapters.owner_index import OwnerIndex
from disyre.errors import JobNotFound
from service.steady_clock import SteadyClock

logger = logging.getLogger(__name__)

_AT_A_TIME: Final = 100


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
        if not self._clock.has_been_steady(now):
            return
        for job_id in self._expiry.due(now, limit=_AT_A_TIME):
            self._expire(job_id)

    def _expire(self, job_id: str) -> None:
        """Remove the record, then the files: those that stay if this process ends are orphans."""
        try:
            job = self._jobs.get(job_id)
        except JobNotFound:
            return  # another process was here
        if self._expiry.expire(job, remembered_for_s=self._tombstone_s):
            self._on_expired(job_id)
            self._owners.forget(job.owner, job_id)
            self._artifacts.remove(job_id)
            logger.info("job %s has expired", job_id)
