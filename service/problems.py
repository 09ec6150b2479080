"""Errors as `application/problem+json` (RFC 9457); the only place with status codes for errors."""

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from itertools import pairwise
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from disyre import errors
from disyre.candidate import Candidate
from disyre.explanation import in_words
from disyre.job import JobProblem
from disyre.job_id import read_job_id
from disyre.result_names import RESULT_NAMES
from disyre.series_uid import is_series_uid
from service import errors as request_errors
from service.waiting_line import QueueWatch

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_RETRY_AFTER_S: Final = 5
_RETRY_SOON_S: Final = 1
_RETRY_LATE_S: Final = 120
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="disyre"'}
_INVALID_TOKEN: Final = {"WWW-Authenticate": 'Bearer realm="disyre", error="invalid_token"'}
"""As RFC 6750 says it, so that a client gets itself another one."""
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_LOOKS_LIKE: Final[dict[str, Callable[[str], object]]] = {
    "jobs": read_job_id,
    "results": RESULT_NAMES.__contains__,
    "models": re.compile(r"[a-z][a-z0-9-]{0,62}").fullmatch,
    "studies": is_series_uid,
    "workitems": is_series_uid,
    "versions": re.compile(r"[1-9][0-9]{0,5}").fullmatch,
}
"""Whether a parameter of an address, by the step before it, may be repeated."""
_WORTH_A_RETRY: Final = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INSUFFICIENT_STORAGE}

STATUS: Final[dict[type[errors.DisyreError], HTTPStatus]] = {
    request_errors.MalformedRequest: HTTPStatus.BAD_REQUEST,
    request_errors.ClientGone: HTTPStatus.BAD_REQUEST,
    request_errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    request_errors.Forbidden: HTTPStatus.FORBIDDEN,
    request_errors.ForeignHost: HTTPStatus.MISDIRECTED_REQUEST,
    request_errors.ForeignOrigin: HTTPStatus.FORBIDDEN,
    request_errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    request_errors.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    request_errors.UploadTimedOut: HTTPStatus.REQUEST_TIMEOUT,
    request_errors.HeadTimedOut: HTTPStatus.REQUEST_TIMEOUT,
    request_errors.HeadTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    request_errors.VersionNotSupported: HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
    request_errors.TransferCodingUnknown: HTTPStatus.NOT_IMPLEMENTED,
    request_errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    request_errors.RangeNotSatisfiable: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    request_errors.ModelNotFound: HTTPStatus.NOT_FOUND,
    request_errors.SeriesNotFound: HTTPStatus.NOT_FOUND,
    request_errors.ArchiveWrong: HTTPStatus.BAD_GATEWAY,
    request_errors.ArchiveTimedOut: HTTPStatus.GATEWAY_TIMEOUT,
    errors.JobNotFound: HTTPStatus.NOT_FOUND,
    errors.JobExpired: HTTPStatus.GONE,
    errors.ArtifactNotFound: HTTPStatus.NOT_FOUND,
    errors.EmptyUpload: HTTPStatus.BAD_REQUEST,
    errors.NotAnImage: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.IllegalTransition: HTTPStatus.CONFLICT,
    errors.StillReceiving: HTTPStatus.CONFLICT,
    errors.StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DisyreError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The nearest ancestor of an error decides."""


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    field: str
    """Which: where it is (query, header, path), and its name."""
    detail: str
    """What was expected, and what came, in words."""


class Problem(BaseModel):
    """An error, as RFC 9457 wants it; `code` is stable, `detail` is for people."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str = "about:blank"
    """Always `about:blank`: `code` says what kind of problem it is."""
    title: str
    """What HTTP calls the status."""
    status: int
    """Of the response; of a job that failed, what its submission would have been answered with."""
    detail: str
    """What was expected, and what came, in words for people; never with anything of a patient."""
    code: str
    """What kind of problem it is, for programs: kebab-case, and stable."""
    instance: str | None = None
    """The path that was asked for, if all that is in it is known here."""
    job_id: str | None = None
    """The job that the path names, if it names one."""
    errors: list[FieldError] | None = None
    """Everything that is wrong with the fields of a request."""
    candidates: list[Candidate] | None = None
    """The volumes that were found, where one was wanted."""


def problem_response(error: errors.DisyreError, request: Request | None = None) -> JSONResponse:
    """The response to an error. What only the operator can mend is told to the log alone."""
    detail = str(error)
    if isinstance(error, errors.Misconfigured):
        logger.error("%s", error)
        detail = "the service is set up wrongly; its log says how"
    elif isinstance(error, errors.ArtifactsAway):
        logger.warning("%s", error)
    candidates = list(error.candidates) if isinstance(error, errors.InvalidInput) else []
    headers = {}
    if isinstance(error, request_errors.RateLimited | request_errors.ProviderAway):
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if isinstance(error, request_errors.RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    if isinstance(error, errors.StillReceiving):
        headers["Retry-After"] = str(_RETRY_SOON_S)
    if isinstance(error, request_errors.InvalidToken):
        headers |= _INVALID_TOKEN
    return _respond(
        status_of(type(error)), error.code, detail, request, candidates=candidates, headers=headers
    )


def problem_of_job(failure: JobProblem, path: str, job_id: str) -> Problem:
    """Why a job failed, as the document that a request would be answered with."""
    status = _STATUS_OF_CODE.get(failure.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    return Problem(
        title=status.phrase,
        status=status,
        detail=failure.detail,
        code=failure.code,
        instance=path,
        job_id=job_id,
    )


def status_of(error: type[errors.DisyreError]) -> HTTPStatus:
    """The status code of an error."""
    return next(STATUS[cls] for cls in error.__mro__ if issubclass(cls, errors.DisyreError) and cls in STATUS)


_STATUS_OF_CODE: Final = {
    kind.code: status_of(kind)
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.DisyreError)
}
"""Of the errors that a job may fail with."""


def handle_problems(app: FastAPI) -> None:
    """Have every error of an app answered with a problem document."""
    app.add_exception_handler(errors.DisyreError, _of_ours)
    app.add_exception_handler(ClientDisconnect, _of_a_lost_client)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)


async def _of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.DisyreError)
    response = problem_response(error, request)
    if isinstance(error, errors.QueueFull):
        response.headers["Retry-After"] = str(await run_in_threadpool(_room_in_s, request))
    return response


def _room_in_s(request: Request) -> int:
    """When to come back to a queue that is full: as a job would begin that were submitted now."""
    watch: QueueWatch = request.app.state.parts.queue
    line = watch.look_if_possible()
    eta_s = line.eta_of_next() if line is not None else None
    if eta_s is None:
        return _RETRY_AFTER_S
    return min(max(math.ceil(eta_s), _RETRY_SOON_S), _RETRY_LATE_S)


async def _of_a_lost_client(request: Request, error: Exception) -> Response:
    logger.info("a client left while it sent its request")
    return problem_response(request_errors.ClientGone("the client left"), request)


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [FieldError(field=_name_of(each["loc"]), detail=in_words(each)) for each in error.errors()]
    detail = "; ".join(f"{field.field}: {field.detail}" for field in fields)
    return _respond(
        HTTPStatus.UNPROCESSABLE_ENTITY, request_errors.InvalidRequest.code, detail, request, fields=fields
    )


def _name_of(places: Sequence[str | int]) -> str:
    """A field; which of several values of it is wrong, its own words tell."""
    return ".".join(place for place in places if isinstance(place, str))


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code = status.name.lower().replace("_", "-")
    headers, detail = error.headers, status.description or status.phrase
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(_allowed(request))
        headers = {**(headers or {}), "Allow": allowed}  # else of one route alone
        detail = f"expected one of {allowed} at this address, got another method"
    elif status is HTTPStatus.NOT_FOUND:
        detail = "expected an address of this API, got one that there is not; /openapi.json has all"
    return _respond(status, code, detail, request, headers=headers)


def _allowed(request: Request) -> list[str]:
    """The methods that there are at the address of a request."""
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    routes = request.app.router.routes
    return [
        method
        for method, scope in scopes.items()
        if any(route.matches(scope)[0] is Match.FULL for route in routes)
    ]


def _address(request: Request) -> str | None:
    """The path of a request as it was asked for, without its query.

    A person may have written anything into it, so it is only repeated if there is such an address, and each
    parameter in it looks like what stands there: an id, a version, the name of a model or of a result.
    """
    template = getattr(request.scope.get("route"), "path", "")
    steps = [template.split("/")[0]]
    for before, step in pairwise(template.split("/")):
        is_parameter = step.startswith("{")
        value = request.path_params.get(step.strip("{}"), "") if is_parameter else step
        if is_parameter and not _LOOKS_LIKE[before](value):
            return None
        steps.append(value)
    if "/".join(steps) != request.url.path:
        return None
    raw: bytes = request.scope["raw_path"]
    return raw.decode("ascii")


def _job_id(request: Request) -> str | None:
    """The job that an address names, if it can be one."""
    return read_job_id(request.path_params.get("job_id", ""))


def _respond(
    status: HTTPStatus,
    code: str,
    detail: str,
    request: Request | None,
    *,
    fields: list[FieldError] | None = None,
    candidates: list[Candidate] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    problem = Problem(
        title=status.phrase,
        status=status,
        detail=detail,
        code=code,
        instance=_address(request) if request else None,
        job_id=_job_id(request) if request else None,
        errors=fields,
        candidates=candidates or None,
    )
    retry = {"Retry-After": str(_RETRY_AFTER_S)} if status in _WORTH_A_RETRY else {}
    challenge = _CHALLENGE if status is HTTPStatus.UNAUTHORIZED else {}
    return JSONResponse(
        # What a document lacks is left out; a candidate has all fields, as where an upload is inspected.
        {name: value for name, value in problem.model_dump().items() if value is not None},
        status_code=status,
        headers={**retry, **challenge, **(headers or {}), "Cache-Control": "no-store"},
        media_type=MEDIA_TYPE,
    )
