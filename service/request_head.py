"""What the head of a request must say before anybody looks what is asked for (RFC 9112)."""

from collections.abc import Sequence
from typing import Final

from disyre.errors import DisyreError
from service.errors import MalformedRequest, TransferCodingUnknown, VersionNotSupported

_VERSIONS: Final = ("1.0", "1.1")
_NEEDS_NO_HOST: Final = "1.0"
_CODING: Final = "chunked"


def fault_of(version: str, fields: Sequence[tuple[bytes, bytes]]) -> DisyreError | None:
    """Why a request of a version of HTTP is refused whatever it asks for; None if it is not.

    Names of `fields` are in small letters.
    """
    if version not in _VERSIONS:
        return VersionNotSupported("expected HTTP/1.1, got another version")
    n_hosts = len(_lines_of(b"host", fields))
    if n_hosts != 1 and (n_hosts or version != _NEEDS_NO_HOST):
        return MalformedRequest(f"expected one header Host, got {'more' if n_hosts else 'none'}")
    lines = _lines_of(b"transfer-encoding", fields)
    codings = [coding.strip().lower() for line in lines for coding in line.split(",")]
    if codings.count(_CODING) > 1:
        return MalformedRequest("expected a body in chunks once, got chunks of chunks")
    if codings and codings != [_CODING]:
        return TransferCodingUnknown("expected a Transfer-Encoding of chunked alone, got another one")
    return None


def _lines_of(name: bytes, fields: Sequence[tuple[bytes, bytes]]) -> list[str]:
    return [value.decode("latin-1") for each, value in fields if each == name]
