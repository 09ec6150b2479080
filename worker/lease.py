"""A worker's hold on one job: taken before anything else, kept by a thread, given back at the end.

The same thread sees within a second that nobody wants the job any more.

While the broker is away a lease may run out. When it is back, the worker takes it again, unless somebody else
has it by then: what both of them store names their attempts, and that of the older one is refused.
"""

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from disyre.adapters.job_store import JobStore
from disyre.errors import JobCanceled, JobNotFound, StaleAttempt, Unavailable
from disyre.job_state import JobState
from worker.lost import child_prefix

logger = logging.getLogger(__name__)

_RENEWALS: Final = 4
"""How often a lease is renewed in the time that it lasts."""
_LOOK_EVERY_S: Final = 1.0


class Lease:
    """The hold on one job. It is lost when another worker has it, and stays lost."""

    def __init__(
        self,
        jobs: JobStore,
        job_id: str,
        *,
        lease_s: float,
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        self._jobs = jobs
        self._job_id = job_id
        self._lease_s = lease_s
        self._renew_every_s = lease_s / _RENEWALS
        self._look_every_s = min(look_every_s, self._renew_every_s)
        self._holder = f"{child_prefix()}{secrets.token_hex(16)}"
        self._lost = threading.Event()
        self._unwanted = threading.Event()
        self._done = threading.Event()

    def check(self) -> None:
        """Raise StaleAttempt if another worker may have the job by now, JobCanceled if nobody wants it."""
        if self._lost.is_set():
            raise StaleAttempt("the lease on the job was lost")
        if self._unwanted.is_set():
            raise JobCanceled

    def claim(self) -> bool:
        """Take the lease, if nobody has it."""
        return self._jobs.claim(self._job_id, self._holder, lease_s=self._lease_s)

    def keep(self) -> None:
        """Renew the lease until it is lost or given back, and look after the job; a thread runs this."""
        renewed_at_s = time.monotonic()
        while not self._done.wait(self._look_every_s):
            try:
                self._look()
                if time.monotonic() - renewed_at_s < self._renew_every_s:
                    continue
                renewed_at_s = time.monotonic()
                if not self._jobs.renew(self._job_id, self._holder, lease_s=self._lease_s):
                    self._lost.set()
                    return
            except Unavailable:
                logger.warning("job %s: the lease could not be renewed", self._job_id)

    def _look(self) -> None:
        """See whether the job is still wanted."""
        try:
            if self._jobs.get(self._job_id).state is JobState.CANCELING:
                self._unwanted.set()
        except JobNotFound:
            self._unwanted.set()

    def stop_keeping(self) -> None:
        """Let `keep` end."""
        self._done.set()

    def give_back(self) -> None:
        """Let others have the job, once `keep` has ended. If the broker is away, the lease runs out."""
        try:
            self._jobs.release(self._job_id, self._holder)
        except Unavailable:
            logger.warning("job %s: the lease could not be given back", self._job_id)


@contextmanager
def hold(jobs: JobStore, job_id: str, *, lease_s: float) -> Iterator[Lease | None]:
    """Hold a job for the length of a block; None if another worker holds it."""
    lease = Lease(jobs, job_id, lease_s=lease_s)
    if not lease.claim():
        yield None
        return
    keeper = threading.Thread(target=lease.keep, name="lease", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        lease.stop_keeping()
        keeper.join()  # a renewal under way would take the lease again
        lease.give_back()
