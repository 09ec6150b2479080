"""What `/openapi.json` says beyond what the handlers' signatures tell."""

from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI

from disyre import errors
from disyre.errors import DisyreError
from disyre.summary_record import ShortSummary
from service import errors as request_errors
from service.guard import WAYS_IN
from service.openapi_examples import EXAMPLES
from service.openapi_headers import ALWAYS_SENT, ALWAYS_TAKEN, sent
from service.openapi_options import OPTIONS_SCHEMA, STUDY_OPTIONS_SCHEMA, option_schemas
from service.problems import MEDIA_TYPE, Problem, status_of
from service.schemas import JobView
from service.summary_schemas import summary_schemas
from service.webhooks import EndedView

_REF: Final = "#/components/schemas/{model}"
_OR_TOKEN: Final = " Or a token (JWT) of the identity provider that the operator trusts (OpenID Connect)."

ANY_ERRORS: Final = (
    request_errors.MalformedRequest,
    request_errors.HeadTimedOut,
    request_errors.TooManyConnections,
    request_errors.HeadTooLarge,
    request_errors.VersionNotSupported,
    request_errors.TransferCodingUnknown,
    request_errors.InternalError,
    errors.Misconfigured,
)
"""What any request may be answered with, before or beside what its route does."""
GUARD_ERRORS: Final = (
    request_errors.Unauthenticated,
    request_errors.Forbidden,
    request_errors.ForeignHost,
    request_errors.ForeignOrigin,
    request_errors.RateLimited,
    errors.Unavailable,
)
"""What any route that asks for a key may refuse."""
ONCE_ERRORS: Final = (
    errors.JobNotFound,
    errors.JobExpired,
    errors.StillReceiving,
    request_errors.IdempotencyMismatch,
)
"""What a route may refuse that takes an idempotency key."""
UPLOAD_ERRORS: Final = (
    request_errors.MalformedRequest,
    errors.EmptyUpload,
    request_errors.DigestMismatch,
    request_errors.UploadTimedOut,
    errors.TooLarge,
    request_errors.UnsupportedMediaType,
    errors.NotAnImage,
    errors.InvalidParams,
    request_errors.UnknownServer,
)
"""What any route that takes an upload may refuse, before it looks into the files."""
ADMISSION_ERRORS: Final = (
    errors.UnreadableVolume,
    errors.UnusableArchive,
    errors.MaskMismatch,
    errors.QueueFull,
    errors.NoWorker,
    errors.DamagedModel,
    errors.Unavailable,
    errors.StorageFull,
)
"""What any route that makes jobs of an upload may refuse, once it looks into the files."""

PULL_ERRORS: Final = (
    request_errors.SeriesNotFound,
    request_errors.ArchiveWrong,
    request_errors.SeriesIncomplete,
    request_errors.ArchiveAway,
    request_errors.ArchiveTimedOut,
)
"""What a route that fetches from an archive may be told there."""


@dataclass(frozen=True)
class Terms:
    """What the document of one server says, and that of another does not."""

    asks_for_no_key: bool
    takes_tokens: bool
    most_retention_s: int


class DocumentedApi(FastAPI):
    """An app whose OpenAPI document knows the problem documents, all headers, and examples."""

    def __init__(self, *, terms: Terms, **options: Any) -> None:
        """`options` are those of FastAPI."""
        super().__init__(**options)
        self._terms = terms

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if self.openapi_schema is None:
            document = deepcopy(super().openapi())  # parts of it are the routes', which several apps share
            _forget_validation_errors(document)
            for view in (Problem, EndedView):
                schema = view.model_json_schema(ref_template=_REF, mode="serialization")
                schemas = {**schema.pop("$defs", {}), view.__name__: schema}
                document["components"]["schemas"].update(schemas)
            _add_summaries(document["components"]["schemas"])
            document["components"]["schemas"].update(option_schemas())
            document["components"]["responses"] = {"MethodNotAllowed": _NO_SUCH_METHOD}
            for path in document["paths"].values():
                for operation in path.values():
                    _complete(operation)
                _empty(path.get("head", {"responses": {}}))
            _ask_for_keys(document)
            _agree(document, self._terms)
            self.openapi_schema = document
        return self.openapi_schema


def _add_summaries(schemas: dict[str, Any]) -> None:
    """Add what `summary.json` says; of what is said elsewhere too, such as settings, that stays as it is."""
    for name, schema in summary_schemas(_REF).items():
        if name not in schemas:
            schemas[name] = schema
    # A job passes on what was stored, so its view cannot have the type.
    said = schemas[JobView.__name__]["properties"]["summary"]
    said["anyOf"][0] = {"$ref": _REF.format(model=ShortSummary.__name__)}


def _ask_for_keys(document: dict[str, Any]) -> None:
    """Say how a key is shown where one is asked for: the gate does it, which FastAPI does not look into."""
    document["components"]["securitySchemes"] = {
        way.scheme_name: way.model.model_dump(mode="json", by_alias=True, exclude_none=True)
        for way in WAYS_IN
    }
    for path in document["paths"].values():
        for operation in path.values():
            if "401" in operation["responses"]:
                operation["security"] = [{way.scheme_name: []} for way in WAYS_IN]


def _agree(document: dict[str, Any], terms: Terms) -> None:
    """Say what holds for this server."""
    if terms.takes_tokens:
        document["components"]["securitySchemes"]["bearer"]["description"] += _OR_TOKEN
    longest = {"maximum": terms.most_retention_s}
    for name in (OPTIONS_SCHEMA, STUDY_OPTIONS_SCHEMA):
        document["components"]["schemas"][name]["properties"]["retention_s"]["anyOf"][0].update(longest)
    for path in document["paths"].values():
        for operation in path.values():
            if terms.asks_for_no_key and "security" in operation:
                operation["security"] = [{}, *operation["security"]]
            for parameter in operation["parameters"]:
                if parameter["name"] == "retention_s":
                    parameter["schema"].update(longest)


def _forget_validation_errors(document: dict[str, Any]) -> None:
    """Remove the errors that FastAPI documents by itself, and that are answered here with a problem."""
    for path in document["paths"].values():
        for operation in path.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _complete(operation: dict[str, Any]) -> None:
    """Add what all operations have in common, and the examples."""
    if "204" in operation["responses"] and "200" not in operation["responses"]:
        operation["responses"].pop("406")  # nothing is sent that a client might not take
    operation["parameters"] = [*operation.get("parameters", []), *ALWAYS_TAKEN]
    responses = operation["responses"]
    for status, response in problems(*ANY_ERRORS).items():
        _add_problem(responses.setdefault(str(status), response), response)
    for response in responses.values():
        response["headers"] = {**response.get("headers", {}), **ALWAYS_SENT}
        for content in response.get("content", {}).values():
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            if name in EXAMPLES:
                content["examples"] = EXAMPLES[name]
            if "itemSchema" in content:  # a word of OpenAPI 3.2, which readers of 3.1 refuse
                content["schema"] = content.pop("itemSchema")  # of each event, as tools for 3.1 take it
    operation["responses"] = dict(sorted(responses.items()))


def _empty(operation: dict[str, Any]) -> None:
    """Take the bodies out of the answers to HEAD, which has the head of GET alone."""
    for response in operation["responses"].values():
        response.pop("content", None)


def _add_problem(response: dict[str, Any], more: dict[str, Any]) -> None:
    """Add further problems of the same status to a response."""
    if response is not more and MEDIA_TYPE not in response["content"]:
        response["description"] = "; or ".join([response["description"], more["description"]])
        response["content"] |= more["content"]
    elif response is not more:
        codes = response["description"].partition(": ")[2].split(", ")
        others = [code for code in more["content"][MEDIA_TYPE]["examples"] if code not in codes]
        response["description"] = ", ".join([response["description"], *others])
        response["content"][MEDIA_TYPE]["examples"] |= more["content"][MEDIA_TYPE]["examples"]


def problems(*error_types: type[DisyreError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these errors."""
    found: dict[HTTPStatus, list[type[DisyreError]]] = defaultdict(list)
    for error in error_types:
        found[status_of(error)].append(error)
    return {int(status): _response(status, kinds) for status, kinds in found.items()}


def _response(status: HTTPStatus, kinds: list[type[DisyreError]]) -> dict[str, Any]:
    """A response with one of some problems, which all have the same status."""
    examples = {kind.code: _example(status, kind) for kind in kinds}
    content = {"schema": {"$ref": _REF.format(model="Problem")}, "examples": examples}
    return {
        "description": f"{status.phrase}: {', '.join(examples)}",
        "content": {MEDIA_TYPE: content},
        **sent("Cache-Control", *_OF_PROBLEMS.get(status, ()), sometimes=_AT_TIMES.get(status, ())),
    }


_OF_PROBLEMS: Final[dict[HTTPStatus, tuple[str, ...]]] = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: ("Content-Range",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
    HTTPStatus.INSUFFICIENT_STORAGE: ("Retry-After",),
}
"""Headers that a problem of a status has."""
_AT_TIMES: Final[dict[HTTPStatus, tuple[str, ...]]] = {HTTPStatus.CONFLICT: ("Retry-After",)}
"""Those that it may have: with 409, of what is still under way."""


_NO_SUCH_METHOD: Final[dict[str, Any]] = {
    "description": "Method Not Allowed: method-not-allowed",
    "content": {
        MEDIA_TYPE: {
            "schema": {"$ref": _REF.format(model="Problem")},
            "example": Problem(
                title=HTTPStatus.METHOD_NOT_ALLOWED.phrase,
                status=HTTPStatus.METHOD_NOT_ALLOWED,
                detail=HTTPStatus.METHOD_NOT_ALLOWED.description,
                code="method-not-allowed",
                instance="/v1/jobs",
            ).model_dump(exclude_none=True),
        }
    },
    "headers": {**sent("Allow", "Cache-Control")["headers"], **ALWAYS_SENT},
}
"""Of any address, to a method that it does not have; no operation can say it of itself."""


def _example(status: HTTPStatus, kind: type[DisyreError]) -> dict[str, Any]:
    detail = (kind.__doc__ or "").partition("\n")[0]
    problem = Problem(title=status.phrase, status=status, detail=detail, code=kind.code, instance="/v1/jobs")
    return {"value": problem.model_dump(exclude_none=True)}
