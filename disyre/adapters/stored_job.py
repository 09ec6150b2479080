"""A job as the scripts of the job store in Redis take it."""

import hashlib
from typing import TypeAlias

from disyre.documents import write_document
from disyre.job import Job
from disyre.job_event import JobEvent
from disyre.priority import rank_of
from disyre.tally import Counts


def in_pairs(tally: Counts) -> list[str | float]:
    """Names and numbers, one after another."""
    return [word for name, value in tally.items() for word in (name, float(value))]


def duration_of(job: Job) -> str:
    """What is kept of how long a job took; nothing of one that has not succeeded."""
    return "" if job.run_s is None or job.model is None else f"{job.model.name} {job.run_s:.3f}"


StoredJob: TypeAlias = tuple[str, str, int, str, str, int, str]
"""Id, document, revision, state, event, rank and queue of a job."""


def as_stored(job: Job, *, over: str | None = None, before: Job | None = None) -> StoredJob:
    """A job as the scripts take it, over the document that it replaces, of the job `before`."""
    event = JobEvent.of(job, before=before).model_dump_json()
    rank = rank_of(job.params.priority)
    return job.id, write_document(job, over=over), job.revision, job.state.value, event, rank, job.queue


def name_of_call(stored: list[StoredJob]) -> str:
    """The same for the same jobs."""
    return hashlib.sha256(repr(stored).encode()).hexdigest()
