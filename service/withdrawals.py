"""Jobs of which nobody knows whether the broker has them: whoever sent them was told that there are none.

They are kept by the process that sent them. If it ends before the broker answers, such a job may run, for
nobody; its files are whole.
"""

import logging
from collections import deque

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.job_store import JobStore
from disyre.errors import ArtifactsAway

logger = logging.getLogger(__name__)


class Withdrawals:
    """Ids of jobs that are to be forgotten as soon as the broker answers."""

    def __init__(self, jobs: JobStore, artifacts: ArtifactStore) -> None:
        self._jobs = jobs
        self._artifacts = artifacts
        self._ids: deque[str] = deque()

    def note(self, *job_ids: str) -> None:
        """These are to be forgotten."""
        self._ids.extend(job_ids)

    def carry_out(self) -> None:
        """Forget them and their files, but for those that a worker has begun. Raises Unavailable."""
        while self._ids:
            job_id = self._ids[0]
            if self._jobs.withdraw(job_id):
                self._remove_files(job_id)
                logger.warning("job %s was withdrawn: the broker had not said whether it took it", job_id)
            else:
                logger.warning("job %s runs, though whoever sent it was told that it does not", job_id)
            self._ids.popleft()

    def _remove_files(self, job_id: str) -> None:
        try:
            self._artifacts.remove(job_id)
        except ArtifactsAway:
            logger.warning("job %s: its files stay until files without a record are removed", job_id)
