"""The files that a job gave."""

from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from disyre import errors
from disyre.adapters.job_store import not_found
from disyre.job import Artifact, Job
from disyre.job_state import JobState
from service import errors as request_errors
from service.dependencies import GivenJobId, GivenParts, Parts
from service.downloads import download
from service.limiters import in_thread
from service.negotiation import check_accept
from service.openapi import problems
from service.openapi_downloads import BYTES, CAPTURES, DICOM, MAPS, PART, PARTS, PICTURE
from service.openapi_headers import sent, taken
from service.own_jobs import OwnJobs
from service.result_schemas import ResultsView
from service.schemas import JOBS_PATH

router = APIRouter(prefix=JOBS_PATH + "/{job_id}/results", tags=["results"])

_OF_ANY_FILE: Final = ("application/octet-stream",)
"""Who takes bytes takes every file, whatever it is called here."""
_OF_A_FILE: Final = ("ETag", "Cache-Control", "Repr-Digest")
NO_RESULTS = (
    errors.JobNotFound,
    errors.JobExpired,
    request_errors.JobNotFinished,
    request_errors.JobWithoutResults,
    request_errors.InvalidRequest,
    errors.Unavailable,
)


_CONTENT: Final = {
    "application/gzip": {"schema": BYTES, "examples": MAPS},
    "image/png": {"schema": BYTES, "examples": PICTURE},
    "application/dicom": {"schema": BYTES, "examples": DICOM},
    "application/zip": {"schema": BYTES, "examples": CAPTURES},
    "application/json": {"schema": {"$ref": "#/components/schemas/Summary"}},
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    **problems(
        *NO_RESULTS,
        errors.ArtifactNotFound,
        request_errors.MalformedRequest,
        request_errors.RangeNotSatisfiable,
        errors.StorageFull,
    ),
    200: {
        "description": "the file",
        "content": _CONTENT,
        **sent(
            *_OF_A_FILE,
            "Content-Disposition",
            "Last-Modified",
            "Accept-Ranges",
            sometimes=["Content-Digest"],
        ),
    },
    206: {
        "description": "the part that Range asked for, not of JSON; of several, a `multipart/byteranges`",
        "content": {
            **{
                media_type: {"schema": BYTES, "examples": PART}
                for media_type in _CONTENT
                if media_type != "application/json"
            },
            "multipart/byteranges": {"schema": BYTES, "examples": PARTS},
        },
        **sent(
            *_OF_A_FILE,
            "Content-Disposition",
            "Last-Modified",
            "Accept-Ranges",
            sometimes=["Content-Range"],
        ),
    },
    304: {"description": "the client has the file", **sent(*_OF_A_FILE)},
}
"""Answers to who asks for a file."""
_ASKED: Final = {"parameters": taken("If-None-Match", "Range", "If-Range")}
_Name: TypeAlias = Annotated[
    str, Path(description="of a file in the list", openapi_examples={"map": {"value": "anomaly.nii.gz"}})
]


@router.get(
    "",
    summary="List the results of a job",
    response_description="the files of the job, with their sizes and digests",
    responses=problems(*NO_RESULTS),
)
def list_results(job_id: GivenJobId, parts: GivenParts) -> ResultsView:
    """List the files that a job gave."""
    return ResultsView.of(succeeded(parts.jobs, job_id))


@router.head(
    "/{name}",
    summary="Ask for the size and the digest of a result",
    response_class=Response,
    responses=_FILE,
    openapi_extra=_ASKED,
)
@router.get(
    "/{name}",
    summary="Download a result",
    response_class=Response,
    responses=_FILE,
    openapi_extra=_ASKED,
)
async def get_result(request: Request, job_id: GivenJobId, name: _Name, parts: GivenParts) -> Response:
    """Download a file, or with Range a part of it."""
    job = await run_in_threadpool(succeeded, parts.jobs, job_id)
    for artifact in job.artifacts:
        if artifact.name == name:
            check_accept(request, artifact.media_type, *_OF_ANY_FILE)
            return await in_thread(parts.limiters.files, _download, request, parts, job, artifact)
    raise errors.ArtifactNotFound(f"expected one of {', '.join(artifact.name for artifact in job.artifacts)}")


def _download(request: Request, parts: Parts, job: Job, artifact: Artifact) -> Response:
    """The response with a file. Raises JobNotFound, also if the job is deleted or expires in this moment."""
    try:
        path = parts.artifacts.result_file(job.id, job.attempt, artifact.name)
        return download(request, artifact, path, parts.limiters.downloads)
    except errors.ArtifactNotFound:
        if succeeded(parts.jobs, job.id).is_leaving:
            raise not_found() from None  # its files go first, and then its record
        raise


def succeeded(jobs: OwnJobs, job_id: str) -> Job:
    """A job with results. Raises JobNotFinished or JobWithoutResults."""
    job = jobs.get(job_id)
    if not job.state.is_finished:
        raise request_errors.JobNotFinished(f"expected a job that has succeeded, got one that is {job.state}")
    if job.state is not JobState.SUCCEEDED:
        raise request_errors.JobWithoutResults(
            f"expected a job that has succeeded, got one that is {job.state}"
        )
    return job
