"""STOW-RS in (PS3.18, 10.5): images are held, and become a job for each series once it is quiet."""

from pathlib import Path as FilePath
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from starlette.datastructures import Headers

from disyre import errors
from disyre.adapters.dicom_heading import Named
from disyre.series_uid import SERIES_UID
from service import errors as request_errors
from service.content_digest import given_digest
from service.dependencies import GivenParts, Parts
from service.dicom_json import DATASET, DicomJsonResponse, content
from service.limiters import in_thread
from service.openapi import problems
from service.openapi_headers import taken
from service.openapi_parameters import shown
from service.receiving import admit_body, incoming, stream_body, to_disk
from service.related_parts import DICOM, RELATED, RelatedBody, check_related
from service.store_answers import StoreAnswer, hold

router = APIRouter(prefix="/dicomweb/studies", tags=["dicomweb"])

_MR: Final = "1.2.840.10008.5.1.4.1.1.4"
_HELD: Final = StoreAnswer(held=[Named(_MR, "1.2.840.1.1")]).as_json()
_FAILED: Final = StoreAnswer(failed=[(Named(_MR, "1.2.840.1.2"), 0xC000)]).as_json()
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    **problems(
        request_errors.MalformedRequest,
        errors.EmptyUpload,
        request_errors.DigestMismatch,
        request_errors.UploadTimedOut,
        errors.TooLarge,
        request_errors.UnsupportedMediaType,
        request_errors.InvalidRequest,
        errors.StorageFull,
        errors.Unavailable,
    ),
    200: {"description": "all images are held", **content(DATASET, ("held", _HELD))},
    202: {
        "description": "some images are held, and Failed SOP Sequence has others",
        **content(DATASET, ("some", {**_HELD, **_FAILED})),
    },
    409: {"description": "no image is held", **content(DATASET, ("none", _FAILED))},
}
_BODY: Final[dict[str, Any]] = {
    "parameters": taken("Content-Digest"),
    "requestBody": {
        "required": True,
        "content": {
            RELATED: {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": f'parts of type="{DICOM}", each a DICOM file',
                }
            }
        },
    },
}
_OPTIONS: Final[dict[str, Any]] = {
    "response_class": DicomJsonResponse,
    "response_model": None,
    "responses": _ANSWERS,
    "openapi_extra": _BODY,
}


@router.post("", summary="Store images (STOW-RS)", **_OPTIONS)
async def store_images(request: Request, parts: GivenParts) -> Response:
    """Hold MR images of any studies; each series becomes a job once it is quiet and if a rule takes it."""
    return await _store(request, parts, None)


@router.post("/{study}", summary="Store images of a study (STOW-RS)", **_OPTIONS)
async def store_images_of_study(
    request: Request,
    study: Annotated[
        str,
        Path(
            pattern=SERIES_UID,
            description="StudyInstanceUID of all images",
            openapi_examples=shown("1.2.840.2"),
        ),
    ],
    parts: GivenParts,
) -> Response:
    """Hold MR images of one study; images of others fail."""
    return await _store(request, parts, study)


async def _store(request: Request, parts: Parts, study: str | None) -> Response:
    with parts.metrics.counting_refusals():
        answer = await _received(request, parts, study)
    return DicomJsonResponse(answer.as_json(), status_code=answer.status)


async def _received(request: Request, parts: Parts, study: str | None) -> StoreAnswer:
    await in_thread(parts.limiters.admission, _admit, request.headers, parts)
    async with incoming(parts, parts.held.folder) as folder:
        stored = await stream_body(request, parts, lambda: _body(request.headers, folder, parts))
        return await to_disk(
            parts.limiters.inspection, hold, stored, parts.submission.owner, study, parts.held
        )


def _admit(headers: Headers, parts: Parts) -> None:
    admit_body(headers, parts, check_type=check_related)
    parts.held.check_room()


def _body(headers: Headers, folder: FilePath, parts: Parts) -> RelatedBody:
    boundary, digest = check_related(headers), given_digest(headers)
    return RelatedBody(folder, boundary, max_files=parts.settings.max_files, digest=digest)
