"""Tells those who asked for it that a job has ended; again and again, until they have heard, or for a day."""

import logging
from dataclasses import dataclass
from typing import Final

from disyre.adapters.due_calls import DueCall
from disyre.adapters.job_store import JobStore
from disyre.errors import InvalidParams, JobNotFound
from disyre.job import Job
from service.egress import Hosts, Resolve, post, resolve
from service.webhooks import Secrets, body_of, headers_of

logger = logging.getLogger(__name__)

RETRY_AFTER_S: Final = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 21600.0, 43200.0)
"""After each attempt that failed; after the last of them nobody is told any more."""
_LEASE_S: Final = 30.0
"""A process that died while it called stands in the way of the others for so long."""
_MOST_AT_ONCE: Final = 50
_GONE: Final = 410


@dataclass(frozen=True)
class Postman:
    """Makes the calls that are due. Several processes may have one: a call is taken by one of them."""

    jobs: JobStore
    hosts: Hosts
    secrets: Secrets
    resolve: Resolve = resolve
    retry_after_s: tuple[float, ...] = RETRY_AFTER_S

    def deliver(self) -> None:
        """Make the calls that are due now. Raises Unavailable."""
        for _ in range(_MOST_AT_ONCE):
            due = self.jobs.take_call(lease_s=_LEASE_S)
            if due is None:
                return
            self._deliver(due)

    def _deliver(self, due: DueCall) -> None:
        job_id, n_tries, _ = due
        try:
            job = self.jobs.get(job_id)
        except JobNotFound:
            logger.info("job %s: its callback is given up, as the job was deleted or has expired", job_id)
            self.jobs.end_call(due)
            return
        if (
            not job.state.is_finished
            or job.params.callback is None
            or self._is_told(job, job.params.callback)
        ):
            self.jobs.end_call(due)
        elif n_tries > len(self.retry_after_s):
            logger.warning(
                "job %s: its callback was called %d times in vain, and is given up", job_id, n_tries
            )
            self.jobs.end_call(due)
        else:
            self.jobs.put_off_call(due, after_s=self.retry_after_s[n_tries - 1])

    def _is_told(self, job: Job, url: str) -> bool:
        """Call, and say whether that was that."""
        body = body_of(job)
        headers = headers_of(job, body, self.secrets, self.jobs.now())
        try:
            status = post(url, body, headers, self.hosts, self.resolve)
        except InvalidParams as error:
            logger.warning("job %s: its callback is not called: %s", job.id, error)
            return True
        except (OSError, ValueError) as error:
            logger.info("job %s: its callback did not answer: %s", job.id, type(error).__name__)
            return False
        logger.info("job %s: its callback answered %d", job.id, status)
        return 200 <= status < 300 or status == _GONE
