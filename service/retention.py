"""The end of finished jobs: after the time that they are kept, records and files go, and a tombstone stays.

The time is the broker's. A clock that jumped must not cost a scan, so nothing is removed unless the broker's
clock has gone as fast as this process's own for an hour.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.expiry import Expiry
from disyre.adapters.job_store import JobStore
from disyre.adapters.owner_index import OwnerIndex
from disyre.errors import JobNotFound

logger = logging.getLogger(__name__)

_AT_A_TIME: Final = 100
_STEADY_S: Final = 3600.0
_JUMP_S: Final = 60.0


class Retention:
    """Removes jobs whose time is over. Several processes may do so at a time."""

    def __init__(
        self,
        jobs: JobStore,
        expiry: Expiry,
        owners: OwnerIndex,
        artifacts: ArtifactStore,
        *,
        tombstone_s: float,
        clock_s: Callable[[], float] = time.monotonic,
        on_expired: Callable[[str], None] = lambda job_id: None,
    ) -> None:
        """`tombstone_s` is how long it is remembered that there was a job; `clock_s` never jumps.

        `on_expired` is told the ids of jobs that were removed.
        """
        self._on_expired = on_expired
        self._jobs = jobs
        self._expiry = expiry
        self._owners = owners
        self._artifacts = artifacts
        self._tombstone_s = tombstone_s
        self._clock_s = clock_s
        self._ahead_s: float | None = None
        """Of the broker's clock over our own, when it was last looked at."""
        self._steady_since_s = 0.0

    def expire_due(self) -> None:
        """Remove some jobs whose time is over, and their files. Raises Unavailable."""
        now = self._jobs.now()
        if not self._is_steady(now):
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

    def _is_steady(self, now: datetime) -> bool:
        """Whether the broker's clock can be believed."""
        own_s = self._clock_s()
        ahead_s = now.timestamp() - own_s
        if self._ahead_s is None:
            self._steady_since_s = own_s
        elif abs(ahead_s - self._ahead_s) > _JUMP_S:
            logger.error(
                "the broker's clock jumped by %.0f s: no job expires in the next hour",
                ahead_s - self._ahead_s,
            )
            self._steady_since_s = own_s
        self._ahead_s = ahead_s
        return own_s - self._steady_since_s >= _STEADY_S
