"""The ids of a request, from its headers (X-Request-ID, and traceparent of W3C Trace Context)."""

import re
import uuid
from typing import Final

from starlette.datastructures import Headers

from disyre.trace import REQUEST_ID, TRACEPARENT, Trace

_LATER_VERSION: Final = re.compile(r"(?!00|ff)[0-9a-f]{2}(-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})(?:-.*)?")


def read_trace(headers: Headers) -> Trace:
    """The ids that a client sent, each if it is harmless; a request without an id of its own gets one.

    Nothing is recorded of a span here, so a traceparent is handed on as it came. One of a later version is
    read as of version 00, as the standard has it.
    """
    request_id = headers.get("X-Request-ID", "")
    if not re.fullmatch(REQUEST_ID, request_id):
        request_id = uuid.uuid4().hex
    return Trace(request_id=request_id, traceparent=_traceparent(headers.getlist("traceparent")))


def _traceparent(given: list[str]) -> str | None:
    if len(given) != 1:
        return None
    later = _LATER_VERSION.fullmatch(given[0])
    traceparent = f"00{later[1]}" if later else given[0]
    return traceparent if re.fullmatch(TRACEPARENT, traceparent) else None
