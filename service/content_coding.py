"""Whether a client takes what is packed, by its header `Accept-Encoding` (RFC 9110, 12.5.3)."""

from typing import Final

from service.negotiation import with_quality

GZIP: Final = "gzip"
_NAMES: Final = (GZIP, "x-gzip")
_ANY: Final = "*"
_PLAIN: Final = "identity"


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client with this header gets gzip: one that says nothing gets what everybody can read.

    So does one that would rather have it. Who takes neither gets it too.

    >>> takes_gzip("br, GZIP;q=0.5"), takes_gzip("gzip;q=0, *"), takes_gzip("x-gzipped"), takes_gzip("")
    (True, False, False, False)
    >>> takes_gzip("gzip;q=0.5, identity"), takes_gzip("gzip;q=0.5, identity;q=0.1")
    (False, True)
    """
    qualities = dict(map(with_quality, accept_encoding.split(",")))
    named = [qualities[name] for name in _NAMES if name in qualities]
    quality = max(named, default=qualities.get(_ANY, 0.0))
    return quality > 0 and quality >= qualities.get(_PLAIN, 0.0)
