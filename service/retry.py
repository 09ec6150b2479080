"""Another attempt at a job that is finished, and has no result."""

import logging

from disyre.errors import Unavailable
from disyre.job import Job
from service.dependencies import Parts
from service.errors import InputGone

logger = logging.getLogger(__name__)


def retry(job_id: str, parts: Parts) -> Job:
    """Queue a job that has failed or was canceled, as it was submitted.

    Raises JobNotFound, IllegalTransition, InputGone, QueueFull or Unavailable; then it is as it was.
    """
    job = parts.jobs.update(job_id, lambda job: _again(job, parts))
    try:
        parts.submission.queue.enqueue(job)
    except Unavailable:
        logger.warning("job %s is stored, but not in the queue yet: the reaper will send it", job.id)
    return job


def _again(job: Job, parts: Parts) -> Job:
    retried = job.retry(at=parts.jobs.now())
    if not parts.artifacts.has_input(job.id, job.input):
        raise InputGone("expected a job whose scan is still here, got one whose scan was removed")
    parts.submission.check_room(1)
    return retried
