"""Files that nobody needs, and that a process has left which ended before it could remove them.

Those that no record knows are of one that ended between keeping an upload and adding its job; the scan of a
job that has succeeded is of one that ended right after that.

A broker that lost its records, or has old ones, must not cost a scan that was accepted. So files without a
record are removed only where they and the records carry the same mark, and only of jobs that came after it.
"""

import logging
import secrets
from contextlib import suppress
from datetime import timedelta
from typing import Final

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.job_store import JobStore
from disyre.errors import JobNotFound
from disyre.job_id import new_job_id
from disyre.job_state import JobState
from disyre.store_mark import StoreMark

logger = logging.getLogger(__name__)

_LOCK: Final = "orphans"
_MARKING: Final = "orphans:mark"
_MARKING_S: Final = 10.0
_LEAST_AGE: Final = timedelta(hours=1)
_STRANGERS: Final = (
    "the records in the broker are not those of the files in the data folder, or bucket, or are older: files "
    "without a record stay; remove store-mark.json there if all is as it should be"
)


class Orphans:
    """Removes files of jobs that no record knows, and scans that were scored; only one process does so."""

    def __init__(self, jobs: JobStore, artifacts: ArtifactStore, *, every_s: float = 600.0) -> None:
        self._jobs = jobs
        self._artifacts = artifacts
        self._every_s = every_s
        self._name = secrets.token_hex(8)
        self._suspects: set[str] = set()
        """Without a record when they were last looked at."""
        self._was_marked = False
        """Whether the files have been seen with a mark."""

    def sweep(self) -> None:
        """Look, unless somebody did so lately; what has no record twice goes. Raises Unavailable.

        A folder that is away gets no mark, nor does one that is another one.
        """
        self._mark()
        if not self._jobs.claim(_LOCK, self._name, lease_s=self._every_s):
            return
        self._remove_scored()
        mark, records = self._artifacts.mark(), self._jobs.mark()
        if mark is None:
            self._begin(StoreMark(id=new_job_id(self._jobs.now())))
        elif records is not None and mark.is_of_records(records):
            self._remove_orphans(mark)
            self._set(records.next())
        else:
            logger.error(_STRANGERS)

    def _mark(self) -> None:
        """Mark files that have no mark, such as those that were restored, at the first look.

        While they have none, it takes a job that both know to tell that the folder is the right one.
        """
        if self._was_marked:
            return
        self._was_marked = self._artifacts.mark() is not None
        if not self._was_marked and self._jobs.claim(_MARKING, self._name, lease_s=_MARKING_S):
            if self._artifacts.mark() is None:  # nobody was faster
                self._begin(StoreMark(id=new_job_id(self._jobs.now())))
            self._was_marked = True

    def _begin(self, mark: StoreMark) -> None:
        """Mark both. Records that count on say that the files have it: where it lacks, they are away."""
        self._set(mark)
        self._jobs.set_mark(mark.next())

    def _set(self, mark: StoreMark) -> None:
        self._jobs.set_mark(mark)  # first, so that the files never have more
        self._artifacts.set_mark(mark)

    def _remove_scored(self) -> None:
        """Remove uploads of jobs that have succeeded: a worker that was killed may have left them."""
        for job_id in self._artifacts.ids_with_input():
            with suppress(JobNotFound):
                job = self._jobs.get(job_id)
                if job.state is JobState.SUCCEEDED:
                    logger.warning("job %s has succeeded, and its scan is still here: removing it", job_id)
                    self._artifacts.keep_only(job_id, job.attempt)
                    self._artifacts.remove_input(job_id)

    def _remove_orphans(self, mark: StoreMark) -> None:
        youngest = new_job_id(self._jobs.now() - _LEAST_AGE)
        old = {job_id for job_id in self._artifacts.job_ids() if mark.id < job_id < youngest}
        orphans = old - self._jobs.known(old)
        for job_id in orphans & self._suspects:
            logger.warning("job %s has files and no record: removing them", job_id)
            self._artifacts.remove(job_id)
        self._suspects = orphans
