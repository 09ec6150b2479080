"""Whether a client takes what is packed, by its header `Accept-Encoding` (RFC 9110, 12.5.3)."""

from typing import Final

from service.negotiation import with_quality

GZIP: Final = "gzip"
_NAMES: Final = (GZIP, "x-gzip")
_ANY: Final = "*"


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client with this header takes gzip; one that says nothing gets what everybody can read.

    >>> takes_gzip("br, GZIP;q=0.5"), takes_gzip("gzip;q=0, *"), takes_gzip("x-gzipped"), takes_gzip("")
    (True, False, False, False)
    """
    qualities = dict(map(with_quality, accept_encoding.split(",")))
    named = [qualities[name] for name in _NAMES if name in qualities]
    return max(named) > 0 if named else qualities.get(_ANY, 0) > 0
