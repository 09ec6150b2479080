"""What ties a job to the request that made it, and to the systems that this request came through."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from disyre.frozen import Frozen

REQUEST_ID: Final = r"[A-Za-z0-9._-]{1,64}"
"""An `X-Request-ID` that is taken."""
TRACEPARENT: Final = r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
"""A `traceparent` of W3C Trace Context, version 00: trace, span that called, flags."""


def _check_request_id(text: str) -> str:
    if not re.fullmatch(REQUEST_ID, text):
        raise ValueError("expected 1 to 64 letters, digits, dots, hyphens or underscores")
    return text


def _check_traceparent(text: str) -> str:
    if not re.fullmatch(TRACEPARENT, text):
        raise ValueError("expected a traceparent of version 00")
    return text


class Trace(Frozen):
    """Ids of a request: they come from outside, are of a harmless form, and mean nothing here."""

    request_id: Annotated[str, AfterValidator(_check_request_id)]
    """The client's own `X-Request-ID`, or one that was made for it."""
    traceparent: Annotated[str, AfterValidator(_check_traceparent)] | None = None
    """As it came; None if none came, or one that is not of the standard's form."""

    @property
    def headers(self) -> dict[str, str]:
        """As a message carries it."""
        return {name: value for name, value in self.model_dump().items() if value is not None}

    @property
    def log_ids(self) -> dict[str, str | None]:
        """As lines of a log name it."""
        return {"request": self.request_id, "trace": self.traceparent and self.traceparent.split("-")[1]}
