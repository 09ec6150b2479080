"""Inspect: what an upload holds, without a job."""

from fastapi import APIRouter, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool

from disyre import errors
from disyre.job import JobParams
from service import errors as request_errors
from service import inspection
from service.candidates import judged
from service.dependencies import GivenParts
from service.openapi import SUBMISSION, problems
from service.receiving import admit_body, receive
from service.schemas import InspectionView

router = APIRouter(prefix="/v1/inspect", tags=["inspect"])


@router.post(
    "",
    openapi_extra=SUBMISSION,
    responses=problems(
        request_errors.MalformedRequest,
        request_errors.EmptyUpload,
        request_errors.DigestMismatch,
        request_errors.UploadTimedOut,
        errors.TooLarge,
        request_errors.UnsupportedMediaType,
        errors.NotAnImage,
        errors.UnreadableVolume,
        errors.UnusableArchive,
        errors.StorageFull,
    ),
)
async def inspect_upload(request: Request, parts: GivenParts) -> InspectionView:
    """List the volumes of an upload: what each is, and which model would score it, or why none."""
    await run_in_threadpool(admit_body, request.headers, parts)
    async with contextmanager_in_threadpool(parts.artifacts.incoming()) as folder:
        upload = await receive(request, folder, parts.settings)
        found = await run_in_threadpool(
            inspection.inspect, upload, folder, max_voxels=parts.submission.max_voxels
        )
        volumes = await run_in_threadpool(judged, found.volumes, parts.models, JobParams())
    return InspectionView(volumes=tuple(volumes), warnings=found.warnings)
