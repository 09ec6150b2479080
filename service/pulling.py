"""From a series in an archive to a job in the queue: fetched first, then submitted like any upload."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from disyre.job import Job
from disyre.job_options import read_options
from service.dependencies import Parts
from service.fetching import fetch
from service.limiters import in_thread
from service.once import Ticket, fingerprint_of_source
from service.pacs import server_named
from service.pull_request import read_pull
from service.receiving import incoming


async def pull(request: Request, query: Mapping[str, Any], parts: Parts, ticket: Ticket | None) -> Job:
    """The job of a series that is to be fetched; or of the same submission before, for which nothing is.

    Raises InvalidInput, ArchiveWrong or Unavailable; then there is no job, and nothing of it in the artifact
    store.
    """
    asked = await read_pull(request, stall_timeout_s=parts.settings.stall_timeout_s)
    submission, limiters = parts.submission, parts.limiters
    options = asked.options(query)
    fingerprint = fingerprint_of_source(asked.source.model_dump(), read_options(options))
    if ticket is not None and ticket.earlier is not None:
        made = await in_thread(limiters.admission, submission.made_before, ticket.earlier, fingerprint)
        return made.jobs[0]
    server_named(parts.servers, asked.source.server)
    await in_thread(limiters.admission, _admit, options, parts)
    async with incoming(parts) as folder:
        upload = await fetch(asked.source, folder, parts)
        return await in_thread(
            limiters.inspection,
            submission.submit,
            upload,
            folder,
            options,
            ticket,
            fingerprint=fingerprint,
        )


def _admit(options: Mapping[str, Any], parts: Parts) -> None:
    """Refuse what need not be fetched. Raises StorageFull, QueueFull, Unavailable or InvalidInput."""
    parts.room.check(0)
    parts.submission.check_room(1)
    parts.submission.checks.of_a_job(options)
