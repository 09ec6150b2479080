"""`Content-Digest` of RFC 9530: what the client says the bytes of the body are."""

import base64
import binascii
import re
from typing import Final

from starlette.datastructures import Headers

from service.errors import MalformedRequest

_IS_GIVEN: Final = re.compile(r"(?:^|,)\s*sha-256\s*(?:$|[=,;])")
_SHA256: Final = re.compile(r"(?:^|,)\s*sha-256\s*=\s*:([A-Za-z0-9+/=]*):\s*(?:$|,|;)")


def given_digest(headers: Headers) -> bytes | None:
    """The SHA-256 that the client says its body has; None if it says none, as other algorithms are ignored.

    Raises MalformedRequest.
    """
    field = ", ".join(headers.getlist("content-digest"))
    if not _IS_GIVEN.search(field):
        return None
    found = _SHA256.search(field)
    if found is None:
        raise MalformedRequest("expected a Content-Digest of the form sha-256=:<base64>:")
    try:
        return base64.b64decode(found[1], validate=True)
    except binascii.Error as error:
        raise MalformedRequest("expected base64 in Content-Digest") from error
