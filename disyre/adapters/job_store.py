"""Where jobs are kept, and who holds the lease on one.

A change is a pure function from job to job. It is stored only if nobody stored another one meanwhile;
else it is applied again to what they stored, so a transition that is no longer allowed raises.
"""

from collections.abc import Callable
from typing import Protocol

from disyre.job import Job

Change = Callable[[Job], Job]


class JobStore(Protocol):
    """Jobs by id, their order, and the leases of the workers that run them."""

    def add(self, job: Job) -> None:
        """Store a new job. Durable when this returns."""

    def get(self, job_id: str) -> Job:
        """The job as it is now. Raises JobNotFound."""

    def update(self, job_id: str, change: Change) -> Job:
        """Apply a change and store the result, whole or not at all.

        Raises JobNotFound, and what `change` raises.
        """

    def remove(self, job_id: str) -> None:
        """Forget a job. Removing it twice does no harm."""

    def list(self, *, limit: int, before: str | None = None) -> list[Job]:
        """The newest jobs first; `before` is the id after which to go on."""

    def waiting(self) -> list[str]:
        """Ids of queued jobs, in the order in which they will start."""

    def running(self) -> list[str]:
        """Ids of jobs that a worker has begun and not ended."""

    def claim(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Take the lease on a job for `holder`, if nobody has it. Expires by the store's clock."""

    def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        """Lengthen a lease; False if `holder` no longer has it."""

    def release(self, job_id: str, holder: str) -> None:
        """Give the lease back, if `holder` has it."""

    def is_leased(self, job_id: str) -> bool:
        """Whether a worker holds the job."""
