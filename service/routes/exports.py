"""Exports: the results of a job are sent to an archive."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from pydantic import Field, ValidationError

from disyre import errors
from disyre.export import Export
from disyre.job import Job
from service import errors as request_errors
from service.archive_schemas import ExportsView, ExportView
from service.dependencies import GivenJobId, GivenParts, Parts
from service.dicom_instances import dicom_of
from service.exporter import asked_at_the_end
from service.openapi import problems
from service.openapi_headers import sent
from service.pacs import server_named
from service.routes.results import NO_RESULTS, succeeded
from service.schemas import JOBS_PATH
from service.view import View

router = APIRouter(prefix=JOBS_PATH + "/{job_id}/exports", tags=["results"])

_OF_A_LIST: Final = (
    errors.JobNotFound,
    errors.JobExpired,
    request_errors.InvalidRequest,
    errors.Unavailable,
)
_LONGEST_BYTES: Final = 4096


class ExportRequest(View):
    """To whom the results are sent."""

    server: Annotated[str, Field(max_length=63)]
    """Name of an archive, as the operator has listed it."""


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": ExportRequest.model_json_schema(),
                "examples": {"archive": {"value": {"server": "pacs1"}}},
            }
        },
    }
}


@router.post(
    "",
    summary="Send the results of a job to an archive",
    response_description="the export, which goes on until the archive has all",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra=_BODY,
    responses={
        status.HTTP_202_ACCEPTED: sent("Location"),
        **problems(
            *NO_RESULTS,
            request_errors.MalformedRequest,
            request_errors.NoDicomResults,
            request_errors.UnknownServer,
            errors.TooLarge,
        ),
    },
)
async def export_job(
    request: Request, response: Response, job_id: GivenJobId, parts: GivenParts
) -> ExportView:
    """Have the DICOM results of a job sent by STOW-RS to an archive that the operator has listed.

    It is tried until the archive has them. One that has ended begins anew; of one that is under way nothing
    changes. What an archive has already it has once afterwards, too.
    """
    await run_in_threadpool(succeeded, parts.jobs, job_id)  # of a job that is none, no body is looked at
    asked = await _asked(request)
    export = await run_in_threadpool(_request, job_id, asked.server, parts)
    response.headers["Location"] = f"{JOBS_PATH}/{job_id}/exports"
    return ExportView.of(export)


@router.get(
    "",
    summary="List the exports of a job",
    response_description="each archive, and what became of each instance",
    responses=problems(
        errors.JobNotFound, errors.JobExpired, request_errors.InvalidRequest, errors.Unavailable
    ),
)
def list_exports(job_id: GivenJobId, parts: GivenParts) -> ExportsView:
    """List the archives that the results of a job were to be sent to, and what became of each instance."""
    job = parts.jobs.get(job_id)
    exports = parts.exports.list(job.id)
    due = asked_at_the_end(job)
    if due is not None and due.server not in {each.server for each in exports}:
        exports = [*exports, due]  # nobody has tried it yet
    return ExportsView.of(job.id, exports)


async def _asked(request: Request) -> ExportRequest:
    """The body. Raises TooLarge, or MalformedRequest."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_BYTES:
            raise errors.TooLarge(f"expected a body of at most {_LONGEST_BYTES} bytes")
    try:
        return ExportRequest.model_validate_json(body)
    except ValidationError as error:
        raise request_errors.MalformedRequest(
            'expected the name of an archive as JSON, {"server": "…"}'
        ) from error


def _request(job_id: str, name: str, parts: Parts) -> Export:
    """Ask for an export, and give it as it is now. Raises NoDicomResults or UnknownServer."""
    job: Job = succeeded(parts.jobs, job_id)
    server = server_named(parts.servers, name)
    if not dicom_of(job.artifacts):
        raise request_errors.NoDicomResults("expected a job with results as DICOM, got one without")
    export = Export(server=server.name, requested_at=parts.jobs.now())
    parts.exports.request(job.id, export)
    return next((each for each in parts.exports.list(job.id) if each.server == name), export)
