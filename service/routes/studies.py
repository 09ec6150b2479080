"""Studies: all series of a study at once, each to the model of its modality."""

from fastapi import APIRouter, Request, Response, status
from fastapi.concurrency import run_in_threadpool

from disyre import errors
from service.dependencies import GivenParts, Parts, note_jobs
from service.given_options import query_options
from service.limiters import in_thread
from service.once import REPLAYED, Ticket
from service.openapi import ADMISSION_ERRORS, ONCE_ERRORS, UPLOAD_ERRORS, problems
from service.openapi_headers import sent
from service.openapi_submission import STUDY_SUBMISSION
from service.receiving import admit, incoming, receive
from service.schemas import StudyView
from service.study import Study

router = APIRouter(prefix="/v1/studies", tags=["studies"])


@router.post(
    "",
    summary="Submit all series of a study",
    response_description="a job for each series that can be scored, and why the others cannot",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra=STUDY_SUBMISSION,
    responses={
        status.HTTP_202_ACCEPTED: sent("Retry-After", sometimes=[REPLAYED]),
        **problems(
            *UPLOAD_ERRORS,
            *ONCE_ERRORS,
            *ADMISSION_ERRORS,
            errors.NothingToScore,
        ),
    },
)
async def submit_study(request: Request, response: Response, parts: GivenParts) -> StudyView:
    """Submit the DICOM files of a study: a job for each series that can be scored.

    Bodies and options are those of a job, but for options that are about one series.
    """
    with parts.metrics.counting_refusals():
        async with parts.once.ticket(request.headers, parts.submission.owner) as ticket:
            study = await _submit(request, parts, ticket)
    note_jobs(request, *(job.id for job in study.jobs))
    if ticket is not None and ticket.earlier is not None:
        response.headers[REPLAYED] = "true"
    ids = [job.id for job in study.jobs]
    view = StudyView.of(study, await run_in_threadpool(parts.queue.look_if_possible, *ids))
    response.headers["Retry-After"] = str(view.retry_after_s())
    return view


async def _submit(request: Request, parts: Parts, ticket: Ticket | None) -> Study:
    options = query_options(request.query_params.multi_items())
    check = parts.submission.checks.of_a_study
    await in_thread(parts.limiters.admission, admit, request.headers, options, parts, check, ticket)
    async with incoming(parts) as folder:
        upload = await receive(request, folder, parts)
        limiter = parts.limiters.inspection
        return await in_thread(limiter, parts.submission.submit_study, upload, folder, options, ticket)
