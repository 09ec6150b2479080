"""Series that came by STOW-RS: whether each is waiting, a job, or rejected, and why."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from disyre import errors
from disyre.series_uid import SERIES_UID
from service.archive_schemas import SeriesPage, SeriesView
from service.dependencies import GivenParts, note_others
from service.errors import InvalidRequest
from service.openapi import problems
from service.openapi_parameters import shown

router = APIRouter(prefix="/v1/series", tags=["dicomweb"])


@router.get(
    "",
    summary="List series that came by STOW-RS",
    response_description="the series that are held, the latest first",
    responses=problems(InvalidRequest, errors.Unavailable),
)
def list_series(
    request: Request,
    parts: GivenParts,
    study_uid: Annotated[
        str | None,
        Query(pattern=SERIES_UID, description="of this study", openapi_examples=shown("1.2.840.2")),
    ] = None,
    series_uid: Annotated[
        str | None, Query(pattern=SERIES_UID, description="this one", openapi_examples=shown("1.2.840.1"))
    ] = None,
    limit: Annotated[
        int, Query(ge=1, le=1000, description="at most so many", openapi_examples=shown(20))
    ] = 200,
) -> SeriesPage:
    """List the series that were sent by STOW-RS and are held, with what became of each; the latest first."""
    found: list[SeriesView] = []
    for key, last_ns in sorted(parts.held.series(), key=lambda each: -each[1]):
        record = parts.held.record(key)
        if record is None or not parts.caller.sees_jobs_of(record.owner):
            continue
        if study_uid not in (None, record.study_uid) or series_uid not in (None, record.series_uid):
            continue
        if record.owner != parts.caller.name:
            note_others(request)
        found.append(SeriesView.of(record, parts.held.n_images(key), last_ns))
        if len(found) == limit:
            break
    return SeriesPage(series=found)
