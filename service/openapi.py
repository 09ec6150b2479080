"""What `/openapi.json` says beyond what the handlers' signatures tell."""

from collections import defaultdict
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI

from disyre import errors
from disyre.errors import DisyreError
from disyre.modality import MODALITIES
from disyre.priority import PRIORITIES
from service import errors as request_errors
from service.openapi_examples import EXAMPLES
from service.openapi_headers import ALWAYS_SENT, ALWAYS_TAKEN, sent, taken
from service.problems import MEDIA_TYPE, Problem, status_of

_REF: Final = "#/components/schemas/{model}"
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}

_OPTIONS_OF_ONE_SERIES: Final[dict[str, Any]] = {
    "model": {"type": "string", "description": "the one for what the scan is recognised as, if not given"},
    "version": {"type": "string", "description": "the newest, if not given"},
    "modality": {
        "type": "string",
        "enum": list(MODALITIES),
        "description": "what the scan is; what it is recognised as, if not given",
    },
    "series_uid": {"type": "string", "description": "the series of DICOM that is scored"},
    "volume_index": {"type": "integer", "minimum": 0, "description": "the volume of NIfTI that is scored"},
}
_OPTIONS: Final[dict[str, Any]] = {
    "mode": {"type": "string", "enum": ["ensemble", "stepwise"]},
    "severities": {"type": "string", "description": "numbers above 0, at most 1, with commas between them"},
    "preset": {"type": "string", "enum": ["parity"]},
    "bias_correction": {
        "type": "boolean",
        "description": "divide the scan by the shading that is found in it",
    },
    "align": {
        "type": "boolean",
        "description": "turn a head upright that is tilted further than in training",
    },
    "callback": {"type": "string", "format": "uri", "description": "is called when the job has ended"},
    "threshold": {"type": "number", "exclusiveMinimum": 0},
    "priority": {
        "type": "string",
        "enum": list(PRIORITIES),
        "description": "jobs of a higher one begin first; normal, if not given",
    },
    "retention_s": {
        "type": "integer",
        "minimum": 60,
        "description": "seconds for which the job is kept once it is finished",
    },
}


def _in_query(options: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": False, "schema": schema} for name, schema in options.items()
    ]


_SENT_ONCE: Final = taken("Idempotency-Key")
_CHECKED: Final = taken("Content-Digest")
SUBMISSION: Final[dict[str, Any]] = {
    "parameters": [*_in_query({**_OPTIONS_OF_ONE_SERIES, **_OPTIONS}), *_SENT_ONCE, *_CHECKED],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "one NIfTI, one zip of DICOM, or the DICOM files of one series",
                        },
                        "mask": {
                            "type": "string",
                            "format": "binary",
                            "description": "brain mask as NIfTI, on the grid of the scan",
                        },
                        "params": {
                            "type": "string",
                            "contentMediaType": "application/json",
                            "description": "the options of the query as one JSON object, and `labels`",
                        },
                    },
                }
            },
            "application/octet-stream": _BINARY,
            "application/gzip": _BINARY,
            "application/x-gzip": _BINARY,
            "application/zip": _BINARY,
            "application/x-zip": _BINARY,
            "application/x-zip-compressed": _BINARY,
            "application/dicom": _BINARY,
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "the file as it is, in spite of the name: for `curl --data-binary`",
                }
            },
        },
    },
}
"""Options and bodies of a submission, which no handler's signature tells because the body is streamed."""
STUDY_SUBMISSION: Final[dict[str, Any]] = {
    **SUBMISSION,
    "parameters": [*_in_query(_OPTIONS), *_SENT_ONCE, *_CHECKED],
}
"""The same for a study."""
INSPECTION: Final[dict[str, Any]] = {
    **SUBMISSION,
    "parameters": [*_in_query({**_OPTIONS_OF_ONE_SERIES, **_OPTIONS}), *_CHECKED],
}
"""The same for an upload of which no job is made."""

ANY_ERRORS: Final = (
    request_errors.MalformedRequest,
    request_errors.HeadTimedOut,
    request_errors.HeadTooLarge,
    request_errors.InternalError,
    errors.Misconfigured,
)
"""What any request may be answered with, before or beside what its route does."""
GUARD_ERRORS: Final = (request_errors.Unauthenticated, request_errors.Forbidden, errors.Unavailable)
"""What any route that asks for a key may refuse."""
ONCE_ERRORS: Final = (
    errors.JobNotFound,
    errors.JobExpired,
    errors.StillReceiving,
    request_errors.IdempotencyMismatch,
)
"""What a route may refuse that takes an idempotency key."""
UPLOAD_ERRORS: Final = (
    request_errors.RateLimited,
    request_errors.MalformedRequest,
    errors.EmptyUpload,
    request_errors.DigestMismatch,
    request_errors.UploadTimedOut,
    errors.TooLarge,
    request_errors.UnsupportedMediaType,
    errors.NotAnImage,
    errors.InvalidParams,
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


class DocumentedApi(FastAPI):
    """An app whose OpenAPI document knows the problem documents, all headers, and examples."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if self.openapi_schema is None:
            document = super().openapi()
            _forget_validation_errors(document)
            schema = Problem.model_json_schema(ref_template=_REF)
            document["components"]["schemas"].update({**schema.pop("$defs", {}), "Problem": schema})
            for path in document["paths"].values():
                for operation in path.values():
                    _complete(operation)
                _empty(path.get("head", {"responses": {}}))
            self.openapi_schema = document
        return self.openapi_schema


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
    operation["responses"] = dict(sorted(responses.items()))


def _empty(operation: dict[str, Any]) -> None:
    """Take the bodies out of the answers to HEAD, which has the head of GET alone."""
    for response in operation["responses"].values():
        response.pop("content", None)


def _add_problem(response: dict[str, Any], more: dict[str, Any]) -> None:
    """Add further problems of the same status to a response."""
    if response is not more:
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


def _example(status: HTTPStatus, kind: type[DisyreError]) -> dict[str, Any]:
    detail = (kind.__doc__ or "").partition("\n")[0]
    problem = Problem(title=status.phrase, status=status, detail=detail, code=kind.code, instance="/v1/jobs")
    return {"value": problem.model_dump(exclude_none=True)}
