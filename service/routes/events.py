"""What happens to a job, as it happens: server-sent events."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Depends, Header, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from disyre import errors
from disyre.job_event import JobEvent
from service.dependencies import GivenJobId, GivenParts
from service.errors import InvalidRequest
from service.following import follow
from service.openapi import problems
from service.openapi_examples import JOB_EVENTS
from service.openapi_headers import sent
from service.openapi_parameters import shown
from service.schemas import JOBS_PATH, JobEventView

router = APIRouter(prefix=JOBS_PATH, tags=["jobs"])

_REVISION: Final = re.compile(r"[0-9]{1,15}")


class NothingMore(Exception):
    """The client has heard of the end of the job; a browser asks until it is told so by a 204."""


async def answer_nothing_more(request: Request, error: Exception) -> Response:
    """The response to NothingMore."""
    return Response(status_code=status.HTTP_204_NO_CONTENT)


async def _heard_of(
    job_id: GivenJobId,
    parts: GivenParts,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            description="`id` of the last event that came: those after it are sent; 0: all that are kept",
            openapi_examples=shown("3"),
        ),
    ] = None,
) -> int | None:
    """The last revision of which the client has heard; 0 if it asks for all that are kept.

    None if it says nothing that is the id of an event. Raises JobNotFound, or NothingMore.
    """
    job = await run_in_threadpool(parts.jobs.get, job_id)
    heard_of = int(last_event_id) if last_event_id and _REVISION.fullmatch(last_event_id) else None
    if heard_of == job.revision and job.state.is_finished:
        raise NothingMore
    return heard_of if heard_of is not None and heard_of <= job.revision else None


_HeardOf: TypeAlias = Annotated[int | None, Depends(_heard_of)]


@router.get(
    "/{job_id}/events",
    summary="Follow a job",
    response_class=EventSourceResponse,
    responses={
        status.HTTP_200_OK: {
            "description": "events `state` and `progress`, each with its `id`; `data` is a JobEventView",
            "content": {"text/event-stream": {"examples": JOB_EVENTS}},
            **sent("Cache-Control", "X-Accel-Buffering"),
        },
        status.HTTP_204_NO_CONTENT: {"description": "Last-Event-ID is that of the end of the job"},
        **problems(errors.JobNotFound, errors.JobExpired, InvalidRequest, errors.Unavailable),
    },
)
async def follow_job(
    job_id: GivenJobId, parts: GivenParts, heard_of: _HeardOf
) -> AsyncIterator[JobEventView]:
    """Follow a job, as server-sent events: first how it is, then each change, up to the end of the job.

    `id` of an event is the revision of the job. Without news, a comment comes every 15 s.
    """
    async for event in follow(job_id, parts, after=heard_of):
        yield _as_sent(event)


def _as_sent(event: JobEvent) -> Any:
    """A view with its name and id; what a handler yields is documented as the view alone."""
    view = JobEventView.of(event)
    return ServerSentEvent(event=event.kind, id=str(event.revision), raw_data=view.model_dump_json())
