"""Gives back the job of a child that has died, at once: its parent sees that, and its lease need not run out.

Whose the lease is says its holder: this machine, the parent, the child. While a dead child has it nobody else
begins the job, so the attempt that the record named before is the dead one's; if the lease runs out after
that and another worker begins the next attempt, the number of the attempt is another, and nothing is done.
What cannot be done here is left to the reaper.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.job_store import JobStore
from disyre.adapters.task_queue import TaskQueue
from disyre.adapters.worker_registry import worker_prefix
from disyre.errors import ArtifactsAway, IllegalTransition, JobNotFound, StaleAttempt, Unavailable
from disyre.job import Job
from disyre.job_state import JobState

logger = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 0.1
_DEAD_WITHIN_S: Final = 5.0
"""A child that is killed for the time limit of its job may be told of before it has died."""


def child_prefix() -> str:
    """What the holders of the leases of this process begin with, to be told apart by its parent."""
    return f"{_of_parent(os.getppid())}{os.getpid()}:"


def give_back_soon(
    job_id: str, jobs: JobStore, queue: TaskQueue, open_artifacts: Callable[[], ArtifactStore]
) -> threading.Thread:
    """Give back a job whose child has died, without keeping the parent from its work."""
    told = job_id, jobs, queue, open_artifacts
    thread = threading.Thread(target=give_back, args=told, name="lost job", daemon=True)
    thread.start()
    return thread


def give_back(
    job_id: str, jobs: JobStore, queue: TaskQueue, open_artifacts: Callable[[], ArtifactStore]
) -> None:
    """Put a job that a dead child of this process holds back into the queue, or end it; else do nothing.

    Of a job that ends, nothing stays that its attempts had written.
    """
    try:
        job = jobs.get(job_id)  # before its holder: the other way round, its attempt may be another's
        holder = jobs.holder(job_id)
        if holder is None or not _is_dead_child(holder):
            return
        if job.state in (JobState.RUNNING, JobState.CANCELING):
            job = _lose(jobs, job)
            logger.warning("job %s lost its process in attempt %d: now %s", job_id, job.attempt, job.state)
        jobs.release(job_id, holder)
        if job.state is JobState.QUEUED:
            queue.enqueue(job)
        if job.state.is_finished:
            open_artifacts().keep_only(job_id, None)
    except (IllegalTransition, JobNotFound):
        return  # it went on meanwhile
    except ArtifactsAway as error:
        logger.warning("job %s has ended, but what its attempts left stays for now: %s", job_id, error)
    except Unavailable:
        logger.warning("job %s stays as it is for now: the reaper will see to it", job_id)


def _lose(jobs: JobStore, seen: Job) -> Job:
    """The end of the attempt that was seen. Raises StaleAttempt if another one has begun."""

    def lose(stored: Job) -> Job:
        if stored.attempt != seen.attempt:
            raise StaleAttempt(f"attempt {seen.attempt} is over, attempt {stored.attempt} has begun")
        return stored.lose_worker(at=jobs.now())

    return jobs.update(seen.id, lose)


def _of_parent(pid: int) -> str:
    return f"{worker_prefix()}{pid}/"


def _is_dead_child(holder: str) -> bool:
    """Whether a lease is that of a child of this process that is no more."""
    own = _of_parent(os.getpid())
    pid = holder.removeprefix(own).partition(":")[0]
    if not holder.startswith(own) or not pid.isdecimal():
        return False
    deadline = time.monotonic() + _DEAD_WITHIN_S
    while _lives(int(pid)):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
