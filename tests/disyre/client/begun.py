"""Jobs of a client that a worker has begun, and what they give."""

from datetime import UTC, datetime

from disyre.client import JobDocument
from disyre.job import Job
from tests.service.live_api import LiveApi

MAP = bytes(range(256)) * 40
"""The map that they give."""


def start(api: LiveApi, job: JobDocument) -> Job:
    return api.jobs.update(job.id, lambda job: job.start(at=datetime.now(UTC)))
