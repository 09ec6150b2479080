"""Inspect: what an upload holds, without a job."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import Headers

from disyre import errors
from disyre.intake import inspection
from disyre.intake.upload import Upload
from service.candidates import judged, with_judged
from service.dependencies import GivenParts, Parts
from service.given_options import parse_params, query_options
from service.limiters import in_thread
from service.openapi import UPLOAD_ERRORS, problems
from service.openapi_submission import INSPECTION
from service.receiving import admit_body, incoming, receive
from service.schemas import InspectionView

router = APIRouter(prefix="/v1/inspect", tags=["inspect"])


@router.post(
    "",
    summary="Look into an upload without making a job",
    response_description="the volumes of the upload, and which model would score each",
    openapi_extra=INSPECTION,
    responses=problems(
        *UPLOAD_ERRORS,
        errors.UnreadableVolume,
        errors.UnusableVolume,
        errors.UnusableArchive,
        errors.MaskMismatch,
        errors.UnknownModel,
        errors.NoModelForModality,
        errors.StorageFull,
        errors.Unavailable,
    ),
)
async def inspect_upload(request: Request, parts: GivenParts) -> InspectionView:
    """List the volumes of an upload: what each is, and which model would score it, or why none.

    Options are those of a job, and refused as with a job; with `series_uid`, only that series is listed.
    """
    options = query_options(request.query_params.multi_items())
    await in_thread(parts.limiters.admission, _admit, request.headers, options, parts)
    async with incoming(parts) as folder:
        upload = await receive(request, folder, parts)
        return await in_thread(parts.limiters.inspection, _inspect, upload, folder, options, parts)


def _admit(headers: Headers, options: Mapping[str, Any], parts: Parts) -> None:
    """Refuse an upload for which its body need not be read, as it is refused with a job."""
    admit_body(headers, parts)
    parts.submission.checks.of_a_listing(options)


def _inspect(upload: Upload, folder: Path, options: Mapping[str, Any], parts: Parts) -> InspectionView:
    params = parts.submission.checks.of_a_listing({**options, **parse_params(upload.params)})
    max_voxels = parts.submission.max_voxels
    try:
        found = inspection.inspect(
            upload,
            folder,
            max_voxels=max_voxels,
            series=params.series_uid,
            volume_index=params.volume_index,
            outputs=params.outputs,
        )
    except errors.InvalidInput as error:
        raise with_judged(error, parts.models, params) from error
    volumes = judged(found.volumes, parts.models, params)
    return InspectionView(volumes=tuple(volumes), warnings=found.warnings)
