"""The headers of requests and responses, as `/openapi.json` says them."""

from collections.abc import Collection
from typing import Any, Final

from service.once import HEADER as IDEMPOTENCY_KEY
from service.once import LONGEST_KEY, REPLAYED
from service.openapi_parameters import JOB_ID

_TEXT: Final = {"type": "string"}
_SECONDS: Final = {"type": "integer", "minimum": 0}
_KEY: Final = rf'^("[ !#-\[\]-~]{{1,{LONGEST_KEY}}}"|[!#-\[\]-~]{{1,{LONGEST_KEY}}})$'
_DIGEST: Final = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
_ETAG: Final = '"3"'
_TRACEPARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

_SENT: Final[dict[str, tuple[str, dict[str, Any], str | int]]] = {
    "Accept-Ranges": ("whether it has parts: JSON has none", {"enum": ["bytes", "none"]}, "bytes"),
    "Allow": ("the methods that there are", _TEXT, "GET, POST"),
    "Cache-Control": ("who may keep the response, and for how long", _TEXT, "private, no-cache"),
    "Content-Digest": ("SHA-256 of the body (RFC 9530); not of a part", _TEXT, _DIGEST),
    "Content-Disposition": ("the name of the file", _TEXT, 'attachment; filename="anomaly.nii.gz"'),
    "Content-Range": ("which part it is, or how many bytes there are", _TEXT, "bytes 0-99/4711"),
    "ETag": ("the revision of the job, or the SHA-256 of the file", _TEXT, _ETAG),
    REPLAYED: ("the same submission had been made before", {"const": "true"}, "true"),
    "Last-Modified": ("when the file was written", _TEXT, "Thu, 01 Jan 2026 12:00:00 GMT"),
    "Link": ("the next page, if there is one", _TEXT, '</v1/jobs?limit=50&cursor=…>; rel="next"'),
    "Location": ("where the job is", _TEXT, f"/v1/jobs/{JOB_ID}"),
    "Preference-Applied": ("the part of Prefer that was honoured", _TEXT, "wait=25"),
    "Repr-Digest": ("SHA-256 of the whole file (RFC 9530)", _TEXT, _DIGEST),
    "Retry-After": ("seconds until it is worth while to ask again", _SECONDS, 2),
    "traceparent": ("that of the request, if it had one of the standard's form", _TEXT, _TRACEPARENT),
    "Warning": ("why nothing was changed", _TEXT, '299 disyre "The UPS is already …"'),
    "WWW-Authenticate": ("how to say who calls", _TEXT, 'Bearer realm="disyre"'),
    "X-Accel-Buffering": ("that a proxy is to pass events on as they come", {"const": "no"}, "no"),
    "X-Content-Type-Options": ("that nobody is to guess a type", {"const": "nosniff"}, "nosniff"),
    "X-Request-ID": ("the request's own, or one that was made for it", _TEXT, "pacs-7"),
}  # fmt: skip
_TAKEN: Final[dict[str, tuple[str, dict[str, Any], str | None]]] = {
    "Content-Digest": (  # of an example, no body has it
        "`sha-256=:<base64>:` of the body, which is then checked (RFC 9530)",
        _TEXT,
        None,
    ),
    IDEMPOTENCY_KEY: (
        "for 24 h, the same submission with the same key makes no second job",
        {"type": "string", "pattern": _KEY},
        "9f86d081884c7d65",
    ),
    "If-None-Match": ("`ETag` of what the client has: that is not sent again", _TEXT, _ETAG),
    "If-Range": ("`ETag` of the file of which the client has a part: of another, all is sent", _TEXT, _ETAG),
    "Prefer": ("`wait=<seconds>`: as the parameter `wait` (RFC 7240)", _TEXT, "wait=25"),
    "Range": ("`bytes=<first>-<last>`: the part that is wanted", _TEXT, "bytes=0-99"),
    "traceparent": ("of W3C Trace Context; the job keeps it", _TEXT, _TRACEPARENT),
    "X-Request-ID": ("up to 64 letters, digits, dots, hyphens, underscores; logs name it", _TEXT, "pacs-7"),
}  # fmt: skip


def sent(*names: str, sometimes: Collection[str] = ()) -> dict[str, Any]:
    """Headers of a response, as `responses` takes them: those that it always has, and those that it may."""
    return {"headers": {name: _header(name, is_required=name in names) for name in (*names, *sometimes)}}


def taken(*names: str) -> list[dict[str, Any]]:
    """Headers that a request may have, as `parameters`."""
    return [_parameter(name) for name in names]


def _header(name: str, *, is_required: bool) -> dict[str, Any]:
    description, schema, example = _SENT[name]
    return {"description": description, "required": is_required, "schema": schema, "example": example}


def _parameter(name: str) -> dict[str, Any]:
    description, schema, example = _TAKEN[name]
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema,
        **({"example": example} if example is not None else {}),
    }


ALWAYS_SENT: Final = sent("X-Request-ID", "X-Content-Type-Options", sometimes=["traceparent"])["headers"]
"""Of every response."""
ALWAYS_TAKEN: Final = taken("X-Request-ID", "traceparent")
"""Of every request."""
