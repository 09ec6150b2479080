"""A submission that names its series in an archive, instead of bringing it."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

from fastapi import Request
from pydantic import ConfigDict, Field, ValidationError
from starlette.datastructures import Headers

from disyre.errors import InvalidParams, TooLarge
from disyre.field_words import in_words
from disyre.series_uid import UID
from service.content_digest import given_digest
from service.errors import MalformedRequest, UnsupportedMediaType
from service.given_options import read_object
from service.pace import paced
from service.uploads import check_digest
from service.view import View

MEDIA_TYPE: Final = "application/json"
_LONGEST_BYTES: Final = 64 * 1024
_FORM: Final = (
    '{"source": {"type": "dicomweb", "server": "…", "study": "…", "series": "…"}, "model": "…", '
    '"params": {…}}, the last two of which may be missing'
)

Uid = Annotated[str, Field(pattern=UID, max_length=64)]


class Source(View):
    """A series in an archive."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["dicomweb"]
    """How it is fetched: by QIDO-RS and WADO-RS."""
    server: Annotated[str, Field(max_length=63)]
    """Name of the archive, as the operator has listed it."""
    study: Uid
    """StudyInstanceUID."""
    series: Uid
    """SeriesInstanceUID."""


class PullRequest(View):
    """Which series is to be scored, and how."""

    model_config = ConfigDict(extra="forbid")

    source: Source
    """Where the series is."""
    model: str | None = None
    """Name of the model; the same as `model` among the `params`."""
    params: dict[str, Any] = Field(default={})
    """The options of the query as one JSON object, and `labels`; but for `series_uid` and `volume_index`."""

    def options(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """The options of the job, beside those of the query. Raises InvalidParams."""
        given = {**query, **self.params}
        if "series_uid" in given:
            raise InvalidParams("expected no series_uid beside a source, which names the series, got one")
        if self.model is not None:
            if "model" in self.params:
                raise InvalidParams("expected model once, got it beside params and in them")
            given["model"] = self.model
        return {**given, "series_uid": self.source.series}


def _schema() -> dict[str, Any]:
    """Of the body, in one piece."""
    source = Source.model_json_schema()
    whole = PullRequest.model_json_schema()
    del whole["$defs"]
    return {**whole, "properties": {**whole["properties"], "source": source}}


SCHEMA: Final = _schema()
EXAMPLE: Final = PullRequest(
    source=Source(type="dicomweb", server="pacs1", study="1.2.840.1", series="1.2.840.1.7"),
    model="t1w",
    params={"export": "pacs1", "labels": {"cohort": "a"}},
).model_dump(mode="json")


def is_pull(headers: Headers) -> bool:
    """Whether the body names a series, instead of being one."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == MEDIA_TYPE


async def read_pull(request: Request, *, stall_timeout_s: float) -> PullRequest:
    """The body of a request.

    Raises UnsupportedMediaType, TooLarge, UploadTimedOut, DigestMismatch, or MalformedRequest with what is
    wrong in which place, without what stands there.
    """
    headers = request.headers
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("expected a body without Content-Encoding")
    digest = given_digest(headers)
    _check_size(int(headers.get("content-length", 0)))
    body = b""
    async for piece in paced(request.stream(), within_s=stall_timeout_s):
        body += piece
        _check_size(len(body))
    check_digest(digest, sha256(body).digest())
    try:
        return PullRequest.model_validate(read_object(body, "the body"))
    except InvalidParams as error:
        raise MalformedRequest(f"{error}: {_FORM}") from error
    except ValidationError as error:
        raise MalformedRequest(f"expected {_FORM}: {_wrong(error)}") from error


def _check_size(size_bytes: int) -> None:
    if size_bytes > _LONGEST_BYTES:
        raise TooLarge(f"expected a body of at most {_LONGEST_BYTES} bytes that names a series")


def _wrong(error: ValidationError) -> str:
    """What is wrong where; names that are no fields are not repeated."""
    return "; ".join(
        "a name that is none of these"
        if each["type"] == "extra_forbidden"
        else f"{'.'.join(map(str, each['loc'][:2]))}: {in_words(each)}"
        for each in error.errors(include_url=False)
    )
