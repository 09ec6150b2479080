"""Jobs: submit, list, poll, cancel, delete."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool

from disyre import errors
from disyre.job import Job
from disyre.job_state import JobState
from disyre.series_uid import SERIES_UID
from service.conditional import client_has, quoted
from service.dependencies import GivenCursor, GivenJobId, GivenLabel, GivenParts, GivenTime, Parts, note_jobs
from service.errors import InputGone, InvalidRequest
from service.given_options import query_options
from service.limiters import in_thread
from service.listing import Page, Wanted
from service.long_poll import LONGEST_S, news_of, preferred_wait_s
from service.once import REPLAYED, Ticket
from service.openapi import ADMISSION_ERRORS, ONCE_ERRORS, PULL_ERRORS, UPLOAD_ERRORS, problems
from service.openapi_headers import sent, taken
from service.openapi_parameters import JOB_ID, shown
from service.openapi_submission import JOB_SUBMISSION
from service.pull_request import is_pull
from service.pulling import pull
from service.receiving import admit, incoming, receive
from service.retry import retry
from service.schemas import JOBS_PATH, JobPage, JobView

router = APIRouter(prefix=JOBS_PATH, tags=["jobs"])

_NO_JOB: Final = (errors.JobNotFound, errors.JobExpired)
_OF_A_JOB: Final = ("ETag", "Cache-Control")


@router.post(
    "",
    summary="Submit a scan",
    response_description="the job, which waits; of a repeated submission, the job that there is",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra=JOB_SUBMISSION,
    responses={
        status.HTTP_202_ACCEPTED: sent("Location", sometimes=["Retry-After", REPLAYED]),
        **problems(
            *UPLOAD_ERRORS,
            *ONCE_ERRORS,
            *ADMISSION_ERRORS,
            *PULL_ERRORS,
            errors.UnknownModel,
            errors.NoModelForModality,
            errors.UnusableVolume,
        ),
    },
)
async def submit_job(request: Request, response: Response, parts: GivenParts) -> JobView:
    """Submit a scan: as the body, as part `file` of a form, or by JSON that names a series in an archive.

    Options go into the query, or, with a form or JSON, into its `params` as a JSON object. A series is
    fetched before the answer. Without the option
    `model`, the scan goes to the model of the modality that it is recognised as.
    """
    with parts.metrics.counting_refusals():
        async with parts.once.ticket(request.headers, parts.submission.owner) as ticket:
            job = await _submit(request, parts, ticket)
    note_jobs(request, job.id)
    if ticket is not None and ticket.earlier is not None:
        response.headers[REPLAYED] = "true"
    view = JobView.of(job, await run_in_threadpool(parts.queue.look_if_possible, job.id))
    response.headers["Location"] = view.links.self
    retry_after_s = view.retry_after_s()
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return view


async def _submit(request: Request, parts: Parts, ticket: Ticket | None) -> Job:
    options = query_options(request.query_params.multi_items())
    if is_pull(request.headers):
        return await pull(request, options, parts, ticket)
    submission = parts.submission
    await in_thread(
        parts.limiters.admission, admit, request.headers, options, parts, submission.checks.of_a_job, ticket
    )
    async with incoming(parts) as folder:
        upload = await receive(request, folder, parts, options)
        limiter = parts.limiters.inspection
        return await in_thread(limiter, submission.submit, upload, folder, options, ticket)


@router.get(
    "",
    summary="List jobs",
    response_model=JobPage,
    response_description="a page of jobs, newest first",
    responses={
        status.HTTP_200_OK: sent(sometimes=["Link"]),
        **problems(InvalidRequest, errors.Unavailable),
    },
)
async def list_jobs(
    request: Request,
    parts: GivenParts,
    state: Annotated[
        list[JobState] | None,
        Query(description="one of these", openapi_examples=shown(["failed", "canceled"])),
    ] = None,
    model: Annotated[
        str | None,
        Query(description="name of the model, once it is decided", openapi_examples=shown("t1w")),
    ] = None,
    label: Annotated[
        list[GivenLabel] | None,
        Query(description="all of these, as `name:value`", openapi_examples=shown(["cohort:a"])),
    ] = None,
    series_uid: Annotated[
        str | None,
        Query(
            pattern=SERIES_UID,
            description="what the job has as its option `series_uid`",
            openapi_examples=shown("1.2.840.1"),
        ),
    ] = None,
    created_after: Annotated[
        GivenTime | None, Query(description="then or later", openapi_examples=shown("2026-01-01T00:00:00Z"))
    ] = None,
    created_before: Annotated[
        GivenTime | None,
        Query(description="earlier than that", openapi_examples=shown("2027-01-01T00:00:00+01:00")),
    ] = None,
    limit: Annotated[
        int, Query(ge=1, le=200, description="at most so many in a page", openapi_examples=shown(20))
    ] = 50,
    cursor: Annotated[
        GivenCursor | None,
        Query(
            description="`next_cursor` of another page",
            openapi_examples=shown(JOB_ID),
        ),
    ] = None,
) -> Response:
    """List jobs, the newest first: those for which all holds that is asked for, exactly.

    `state` and `label` may be given more than once. A page may be short and still have a next one.
    """
    wanted = Wanted(
        states=state or (),
        model=model,
        labels=label or (),
        series_uid=series_uid,
        created_after=created_after,
        created_before=created_before,
    )
    return await in_thread(parts.limiters.listing, _list, request, parts, wanted, limit, cursor)


def _list(request: Request, parts: Parts, wanted: Wanted, limit: int, cursor: str | None) -> Response:
    """A page, written in the thread that has read it: what it takes is gone with it."""
    page = Page.read(parts.jobs, wanted, limit=limit, before=cursor)
    line = parts.queue.look(*(job.id for job in page.jobs if job.state is JobState.QUEUED))
    view = JobPage(jobs=[JobView.of(job, line) for job in page.jobs], next_cursor=page.cursor)
    headers = {}
    if page.cursor is not None:
        following = request.url.include_query_params(cursor=page.cursor)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return Response(view.model_dump_json(), media_type="application/json", headers=headers)


@router.get(
    "/{job_id}",
    summary="Look at a job",
    response_description="the job as it is now",
    response_model=JobView,
    responses={
        **problems(*_NO_JOB, InvalidRequest, errors.Unavailable),
        status.HTTP_200_OK: sent(*_OF_A_JOB, sometimes=["Retry-After", "Preference-Applied"]),
        status.HTTP_304_NOT_MODIFIED: {
            "description": "the job has not changed since If-None-Match",
            **sent(*_OF_A_JOB, sometimes=["Preference-Applied"]),
        },
    },
    openapi_extra={"parameters": taken("If-None-Match", "Prefer")},
)
async def get_job(
    request: Request,
    response: Response,
    job_id: GivenJobId,
    parts: GivenParts,
    wait: Annotated[
        float | None,
        Query(
            ge=0,
            le=LONGEST_S,
            description="seconds to wait for news; `Prefer: wait=` says the same",
            openapi_examples=shown(5),
        ),
    ] = None,
) -> JobView | Response:
    """Look at a job.

    With `wait`, answers when the job has changed since If-None-Match, or, without that header, when it is
    finished, or when the time is over.
    """
    preferred = preferred_wait_s(request) if wait is None else None
    wait_s = wait or preferred or 0.0
    newest = await news_of(request, job_id, parts, wait_s=wait_s) if wait_s > 0 else None
    job, view = await run_in_threadpool(_look, request, job_id, parts, newest)
    if preferred is not None:
        response.headers["Preference-Applied"] = f"wait={preferred:.0f}"
    response.headers["ETag"] = quoted(job.revision)
    response.headers["Cache-Control"] = "private, no-cache"
    if view is None:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=dict(response.headers))
    retry_after_s = view.retry_after_s()
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return view


def _look(request: Request, job_id: str, parts: Parts, newest: Job | None) -> tuple[Job, JobView | None]:
    """A job, as it is now or was waited for, and what to tell of it; None if the client has that."""
    job = newest or parts.jobs.get(job_id)
    if client_has(request, quoted(job.revision)):
        return job, None
    if job.state is JobState.QUEUED:
        return job, JobView.of(job, parts.queue.look(job.id))
    return job, JobView.of(job, left_s=None if job.state.is_finished else parts.queue.left_s(job))


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    response_description="the job, which has not begun and never will",
    responses={
        **problems(*_NO_JOB, errors.IllegalTransition, errors.Unavailable),
        status.HTTP_202_ACCEPTED: {"model": JobView, "description": "the worker was asked to stop"},
    },
)
def cancel_job(response: Response, job_id: GivenJobId, parts: GivenParts) -> JobView:
    """Cancel a job: at once if it waits (200), at its next step if it runs (202)."""
    job = parts.jobs.update(job_id, lambda job: job.request_cancel(at=parts.jobs.now()))
    if job.state is JobState.CANCELING:
        response.status_code = status.HTTP_202_ACCEPTED
    return JobView.of(job)


@router.post(
    "/{job_id}/retry",
    summary="Queue a job again",
    response_description="the job, which waits again",
    status_code=status.HTTP_202_ACCEPTED,
    responses={
        status.HTTP_202_ACCEPTED: sent("Location", "Retry-After"),
        **problems(
            *_NO_JOB,
            errors.IllegalTransition,
            InputGone,
            errors.QueueFull,
            errors.Unavailable,
        ),
    },
)
async def retry_job(response: Response, job_id: GivenJobId, parts: GivenParts) -> JobView:
    """Queue a job again that has failed or was canceled, as it was submitted; its attempts are counted on."""
    job = await in_thread(parts.limiters.files, retry, job_id, parts)
    view = JobView.of(job, await run_in_threadpool(parts.queue.look_if_possible, job_id))
    response.headers["Location"] = view.links.self
    response.headers["Retry-After"] = str(view.retry_after_s())
    return view


@router.delete(
    "/{job_id}",
    summary="Delete a job and its files",
    response_description="there is no such job any more",
    status_code=status.HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problems(*_NO_JOB, errors.IllegalTransition, errors.Unavailable),
)
async def delete_job(job_id: GivenJobId, parts: GivenParts) -> None:
    """Forget a job, its input and its results. A running job has to be canceled first.

    From the first step on it is not retried, and the record goes last: a call that failed can be made again.
    """
    await in_thread(parts.limiters.files, _delete, job_id, parts)


def _delete(job_id: str, parts: Parts) -> None:
    parts.jobs.update(job_id, lambda job: job.let_go(at=parts.jobs.now()))
    parts.artifacts.remove(job_id)
    parts.jobs.remove(job_id)
