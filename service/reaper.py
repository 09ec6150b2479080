"""Finds jobs that were lost, and sends them again.

A job that is running without a lease has lost its worker. A job that is queued without a message was never
sent, or the message died with the one who took it. Every process that runs the API may have a reaper: one
at a time does the work.
"""

import logging
import secrets
from collections.abc import Callable
from typing import Final

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.job_store import JobStore
from disyre.adapters.task_queue import TaskQueue
from disyre.errors import ArtifactsAway, IllegalTransition, JobNotFound, StaleAttempt, Unavailable
from disyre.job import Job
from disyre.job_state import JobState

logger = logging.getLogger(__name__)

_LOCK: Final = "reaper"
_LOCK_S: Final = 6.0
"""A reaper that died in the middle stands in the way of the others for this long."""


class Reaper:
    """Brings back lost jobs. Going over them twice, or in several processes, does no harm."""

    def __init__(
        self,
        jobs: JobStore,
        queue: TaskQueue,
        artifacts: ArtifactStore,
        *,
        grace_s: float = 10.0,
        settle_s: float = 4.0,
    ) -> None:
        """`grace_s` is how long a queued job may be on its way into or out of the queue.

        `settle_s` is how long a running job has to be seen without a lease before its worker counts as lost:
        after an outage of the broker, a worker that lives takes its lease again by then. The broker remembers
        it, so that it begins to count before a reaper that has taken over from one that died.
        """
        self._jobs = jobs
        self._queue = queue
        self._artifacts = artifacts
        self._grace_s = grace_s
        self._settle_s = settle_s
        self._name = secrets.token_hex(8)
        self._told: set[str] = set()
        """Jobs of which the log has said that they cannot be looked after."""

    def reap_once(self) -> None:
        """Go over all jobs that are not finished, unless another reaper does so now. Raises Unavailable."""
        if not self._jobs.claim(_LOCK, self._name, lease_s=_LOCK_S):
            return
        try:
            self._go_over_jobs()
        finally:
            self._jobs.release(_LOCK, self._name)

    def _go_over_jobs(self) -> None:
        """Look at each, as long as no other reaper has taken over from one that was too slow."""
        for job_id in self._jobs.running():
            if not self._goes_on():
                return
            self._look_at(job_id, self._return_if_lost)
        self._jobs.tidy()
        pending = self._queue.pending_ids()
        for job_id in self._jobs.waiting():
            if job_id in pending:
                continue
            if not self._goes_on():
                return
            self._look_at(job_id, self._send_again)

    def _look_at(self, job_id: str, look: Callable[[str], None]) -> None:
        """Look at a job; where that fails, as at a record that cannot be read, it goes on to the others."""
        try:
            look(job_id)
        except Unavailable:
            raise
        except Exception:
            if job_id not in self._told:
                self._told.add(job_id)
                logger.exception("job %s cannot be looked after", job_id)

    def _goes_on(self) -> bool:
        return self._jobs.renew(_LOCK, self._name, lease_s=_LOCK_S)

    def _return_if_lost(self, job_id: str) -> None:
        """Put a job that no worker holds back into the queue, or end it."""
        try:
            attempt = self._jobs.get(job_id).attempt
            unheld_s = self._jobs.unheld_for_s(job_id)
            if unheld_s is None or unheld_s < self._settle_s:
                return
            job = self._jobs.update(job_id, lambda job: self._lose_worker(job, attempt))
        except (IllegalTransition, JobNotFound):
            return  # it went on while we looked
        logger.warning("job %s lost its worker in attempt %d: now %s", job_id, job.attempt, job.state)
        if job.state is JobState.QUEUED:
            self._queue.enqueue(job)
        else:
            self._tidy(job_id)

    def _tidy(self, job_id: str) -> None:
        """Remove what attempts at a job have left that has ended; others that are lost do not wait for it."""
        try:
            self._artifacts.keep_only(job_id, None)
        except ArtifactsAway as error:
            logger.warning("job %s has ended, but what its attempts left stays for now: %s", job_id, error)

    def _lose_worker(self, job: Job, attempt: int) -> Job:
        if job.attempt != attempt:
            raise StaleAttempt(f"expected attempt {attempt}, found {job.attempt}")
        return job.lose_worker(at=self._jobs.now())

    def _send_again(self, job_id: str) -> None:
        """Send a job whose message is missing for longer than the grace."""
        try:
            job = self._jobs.get(job_id)
        except JobNotFound:
            return
        waits_s = (self._jobs.now() - job.history[-1].at).total_seconds()
        if job.state is JobState.QUEUED and waits_s > self._grace_s:
            logger.warning("job %s had no message in the queue: sent again", job_id)
            self._queue.enqueue(job)
