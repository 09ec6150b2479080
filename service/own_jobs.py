"""Jobs as a caller sees them: those of others are not there. The handlers are given no other store."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self, TypeAlias

from disyre.adapters.job_store import Change, JobStore, not_found
from disyre.adapters.owner_index import OwnerIndex
from disyre.errors import JobExpired, JobNotFound
from disyre.job import Job
from service.caller import Caller
from service.lifetimes import Lifetimes

Jobs: TypeAlias = list[Job]
OnOthers: TypeAlias = Callable[[], None]
"""Is told that a job of others was shown."""


def _ignore() -> None:
    """Be told, and do nothing."""


@dataclass(frozen=True)
class OwnJobs:
    """The jobs of a caller, or, of one who may do everything, all."""

    _jobs: JobStore
    _owners: OwnerIndex
    _caller: Caller
    _lifetimes: Lifetimes
    _on_others: OnOthers = _ignore

    def of(self, caller: Caller, on_others: OnOthers = _ignore) -> Self:
        """The jobs of somebody else; `on_others` is called when one is shown that is not theirs."""
        return replace(self, _caller=caller, _on_others=on_others)

    def now(self) -> datetime:
        """The time of day by which all that happens to jobs is told."""
        return self._jobs.now()

    def get(self, job_id: str) -> Job:
        """The job as it is now.

        Raises JobExpired, or JobNotFound, in the same words for one of others as for none.
        """
        job = self._look(job_id)
        if job.owner != self._caller.name:
            self._on_others()
        return job

    def has(self, job_id: str) -> bool:
        """Whether there is such a job."""
        try:
            self._look(job_id)
        except JobNotFound:
            return False
        return True

    def update(self, job_id: str, change: Change) -> Job:
        """Apply a change and store the result. Raises JobNotFound, and what `change` raises."""
        with self._hiding_others():
            return self._jobs.update(job_id, lambda job: change(self._own(job)))

    def remove(self, job_id: str) -> None:
        """Forget a job. Removing it twice does no harm."""
        try:
            job = self.get(job_id)
        except JobNotFound:
            return
        self._jobs.remove(job_id)
        self._owners.forget(job.owner, job_id, marks=job.marks)

    def list(self, *, limit: int, before: str | None = None) -> Jobs:
        """The newest jobs first; `before` is the id after which to go on."""
        if self._caller.sees_all:
            jobs = self._all(limit, before)
            if any(job.owner != self._caller.name for job in jobs):
                self._on_others()
            return jobs
        found: Jobs = []
        while ids := self._owners.list(self._caller.name, limit=limit - len(found), before=before):
            found += [job for job in map(self._if_there, ids) if job is not None]
            before = ids[-1]
            if len(found) == limit:
                break
        return found

    def _all(self, limit: int, before: str | None) -> Jobs:
        """The newest jobs of everybody that are not over."""
        found: Jobs = []
        while jobs := self._jobs.list(limit=limit - len(found), before=before):
            found += [job for job in jobs if not self._lifetimes.is_over(job)]
            before = jobs[-1].id
            if len(found) == limit:
                break
        return found

    def _look(self, job_id: str) -> Job:
        with self._hiding_others():
            return self._own(self._jobs.get(job_id))

    def _if_there(self, job_id: str) -> Job | None:
        try:
            return self.get(job_id)
        except JobNotFound:
            return None

    @contextmanager
    def _hiding_others(self) -> Iterator[None]:
        """Raise JobNotFound for an expired job of others."""
        try:
            yield
        except JobExpired as error:
            if not self._caller.sees_jobs_of(error.owner):
                raise not_found() from error
            raise

    def _own(self, job: Job) -> Job:
        if not self._caller.sees(job):
            raise not_found()
        self._lifetimes.check(job)
        return job
