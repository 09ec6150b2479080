"""Which media types a client takes, by its header `Accept` (RFC 9110, 12.5.1).

Whoever says nothing, or nothing that can be understood, takes everything. Errors are problem documents,
whatever a client takes; probes and Prometheus are not asked.
"""

from typing import Any, Final

from fastapi import Request

from service.errors import NotAcceptable

_ANY: Final = "*/*"


def accepts(accept: str, media_type: str) -> bool:
    """Whether a client with this header takes a media type: what says most of it counts.

    >>> accepts("text/html, application/*;q=0.5", "application/json")
    True
    >>> accepts("*/*, image/png;q=0", "image/png")
    False
    """
    qualities = dict(filter(None, map(_read, accept.split(","))))
    for pattern in (media_type, f"{media_type.partition('/')[0]}/*", _ANY):
        if pattern in qualities:
            return qualities[pattern] > 0
    return not qualities


def with_quality(part: str) -> tuple[str, float]:
    """What one part of a header names, in small letters, with its quality; other parameters are ignored.

    >>> with_quality("GZIP;q=0.5")
    ('gzip', 0.5)
    """
    name, *parameters = (each.strip().lower() for each in part.split(";"))
    quality = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        return name, float(quality)
    except ValueError:
        return name, 1.0


def check_accept(request: Request, *media_types: str) -> None:
    """Raise NotAcceptable if a client takes none of the media types of a response."""
    accept = ",".join(request.headers.getlist("Accept"))
    if not any(accepts(accept, media_type) for media_type in media_types):
        raise NotAcceptable(f"expected an Accept that takes {media_types[0]}, got one that does not")


def check_route(request: Request) -> None:
    """Check it for what a route always answers with; those that have files to offer do so themselves."""
    response: Any = request.scope["route"].response_class
    media_type = getattr(response, "value", response).media_type
    if media_type is not None:
        check_accept(request, media_type)


def _read(part: str) -> tuple[str, float] | None:
    """One media range with its quality; None if it is none."""
    media_range, quality = with_quality(part)
    return (media_range, quality) if media_range.count("/") == 1 else None
