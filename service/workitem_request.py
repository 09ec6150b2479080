"""What comes in the body of a UPS-RS request: data sets in DICOM JSON, from outside and not trusted."""

import json
from collections.abc import Iterator
from typing import Any, Final

from fastapi import Request
from pydantic_core import from_json
from starlette.datastructures import Headers

from disyre.errors import TooLarge
from disyre.series_uid import is_series_uid
from service.dicom_json import MEDIA_TYPE
from service.errors import MalformedRequest, UnsupportedMediaType
from service.receiving import media_type, shown_type
from service.series_jobs import WantedSeries
from service.workitems import PRIORITIES, Dataset

_LONGEST_BYTES: Final = 4 * 1024**2
_TYPES: Final = (MEDIA_TYPE, "application/json")


async def read_dataset(request: Request, *, is_optional: bool = False) -> Dataset:
    """The data set of a body, which may be alone in a list. Raises MalformedRequest, TooLarge, or
    UnsupportedMediaType.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_BYTES:
            raise TooLarge(f"expected a body of at most {_LONGEST_BYTES} bytes")
    if not body and is_optional:
        return {}
    _check_type(request.headers)
    try:
        from_json(body, allow_inf_nan=False)  # refuses what is nested beyond reason
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedRequest(f"expected a data set as {MEDIA_TYPE}, got no JSON") from None
    if isinstance(found, list) and len(found) == 1:
        (found,) = found
    if not isinstance(found, dict):
        raise MalformedRequest(f"expected one data set as {MEDIA_TYPE}, got something else")
    return found


def _check_type(headers: Headers) -> None:
    came = media_type(headers)
    if came not in _TYPES:
        raise UnsupportedMediaType(f"expected a Content-Type of {MEDIA_TYPE}; got {shown_type(came)}")


def wanted_series(dataset: Dataset) -> WantedSeries:
    """What is to be scored, by the Input Information Sequence of a new workitem. Raises MalformedRequest."""
    if value_of(dataset, "00741000") not in (None, "SCHEDULED"):
        raise MalformedRequest("expected a new workitem to be SCHEDULED (0074,1000)")
    priority = value_of(dataset, "00741200") or "MEDIUM"
    if priority not in PRIORITIES:
        raise MalformedRequest(f"expected a priority (0074,1200) of {', '.join(PRIORITIES)}")
    inputs = list(items_of(dataset, "00404021"))
    if len(inputs) != 1:
        raise MalformedRequest(
            "expected one item of Input Information Sequence (0040,4021), which is a series"
        )
    (item,) = inputs
    study, series = (value_of(item, tag) for tag in ("0020000D", "0020000E"))
    if study is None or series is None:
        raise MalformedRequest(
            "expected the input (0040,4021) to have a StudyInstanceUID and a SeriesInstanceUID, of a series "
            "that came by STOW-RS: nothing is fetched from elsewhere"
        )
    instances = [value_of(each, "00081155") for each in items_of(item, "00081199")]
    if not all(map(is_series_uid, [study, series, *(each or "" for each in instances)])):
        raise MalformedRequest("expected UIDs in the input (0040,4021), got something else")
    return WantedSeries(study, series, tuple(map(str, instances)), PRIORITIES[priority])


def value_of(dataset: Dataset, tag: str) -> str | None:
    """The only value of an element that is text; None if there is none. Raises MalformedRequest."""
    values = _values(dataset, tag)
    if not values:
        return None
    if len(values) != 1 or not isinstance(values[0], str):
        raise MalformedRequest(f"expected one text as ({tag[:4]},{tag[4:]}), got something else")
    return values[0].strip(" \0") or None


def items_of(dataset: Dataset, tag: str) -> Iterator[Dataset]:
    """The items of a sequence. Raises MalformedRequest."""
    for item in _values(dataset, tag):
        if not isinstance(item, dict):
            raise MalformedRequest(f"expected items in ({tag[:4]},{tag[4:]}), got something else")
        yield item


def _values(dataset: Dataset, tag: str) -> list[Any]:
    element = dataset.get(tag, {})
    values = element.get("Value", []) if isinstance(element, dict) else None
    if not isinstance(values, list):
        raise MalformedRequest(f"expected ({tag[:4]},{tag[4:]}) with a list of values, got something else")
    return values
