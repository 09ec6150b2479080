"""A result file as a response: in whole or in part, with what proves that it arrived whole."""

import base64
import re
from pathlib import Path
from typing import Final

from anyio import CapacityLimiter
from fastapi import Request, Response
from starlette.datastructures import MutableHeaders

from disyre.errors import ArtifactNotFound, ArtifactsAway
from disyre.job import Artifact
from service.conditional import client_has, quoted
from service.errors import MalformedRequest, RangeNotSatisfiable
from service.held_file import HeldFile

_WHOLE: Final = "application/json"
"""A part of such a file would be none of its type, and programs read it by its type."""
_CACHE: Final = "private, no-cache"
_LONGEST_NUMBER: Final = 18
_MOST_RANGES: Final = 100
"""Of a file of which more parts are wanted, all is sent."""
_NUMBER: Final = re.compile(r"0*([0-9]+)")
_RANGE: Final = re.compile(r"\s*(?:(\d{1,18})\s*-\s*(\d{1,18})?|-\s*(\d{1,18}))\s*")


def download(request: Request, artifact: Artifact, path: Path, threads: CapacityLimiter) -> Response:
    """The response to a request for a file, which from now on may be removed; it is read in some threads.

    Raises MalformedRequest, RangeNotSatisfiable, ArtifactNotFound if the file is gone, or ArtifactsAway.
    """
    etag = quoted(artifact.sha256)
    digest = f"sha-256=:{base64.b64encode(bytes.fromhex(artifact.sha256)).decode()}:"
    headers = {"ETag": etag, "Cache-Control": _CACHE, "Repr-Digest": digest}
    if client_has(request, etag):
        return Response(status_code=304, headers=headers)
    is_whole = artifact.media_type == _WHOLE
    headers["Accept-Ranges"] = "none" if is_whole else "bytes"
    wanted = _range_in_bytes(request, is_whole=is_whole)
    if wanted is None:
        headers["Content-Digest"] = digest  # of what is sent; a part has another one
    elif request.headers.get("if-range", etag) == etag:
        _check_range(wanted, artifact.size_bytes)
    try:
        return HeldFile(
            path, threads, media_type=artifact.media_type, filename=artifact.name, headers=headers
        )
    except FileNotFoundError as error:
        raise ArtifactNotFound.of_result() from error
    except OSError as error:
        raise ArtifactsAway("the file that was asked for cannot be read now") from error


def _range_in_bytes(request: Request, *, is_whole: bool) -> str | None:
    """The part that is wanted; numbers are made shorter that lie beyond every file anyway.

    One in another unit is none (RFC 9110, 14.2), nor is there one of a file that is always sent whole, or
    of more parts than a file response takes. That is not to see it.
    """
    headers = MutableHeaders(scope=request.scope)
    wanted = headers.get("range")
    if wanted is None:
        return None
    is_known = wanted.partition("=")[0].strip().lower() == "bytes" and wanted.count(",") < _MOST_RANGES
    if is_known and not is_whole:
        headers["range"] = _NUMBER.sub(_shortened, wanted)
        return headers["range"]
    del headers["range"]
    return None


def _shortened(number: re.Match[str]) -> str:
    return number[1] if len(number[1]) <= _LONGEST_NUMBER else "9" * _LONGEST_NUMBER


def _check_range(wanted: str, size_bytes: int) -> None:
    """Refuse here what the file response would refuse without a problem document."""
    found = [_RANGE.fullmatch(each) for each in wanted.partition("=")[2].split(",")]
    for each in found:
        if each is None:
            raise MalformedRequest("expected a Range of the form bytes=<first>-<last>")
        first, last, n_last = each.groups()
        start = int(first) if first else max(0, size_bytes - int(n_last))
        if start >= size_bytes:
            raise RangeNotSatisfiable(f"expected a Range within {size_bytes} bytes", size_bytes=size_bytes)
        if last and int(last) < start:
            raise MalformedRequest("expected a Range that ends after its beginning")
