"""The address of an API: whether it is one, and how it is named where something went wrong."""

import ipaddress
from typing import Final

import httpx

from disyre.client.errors import ClientError

_VERSION: Final = "v1"
"""With which the path of every call begins."""
_EXPECTED: Final = "expected the address of an API, such as http://127.0.0.1:8000"


def read_address(text: str) -> httpx.URL:
    """An address, which may have blanks and an end of line around it.

    Raises ClientError, which repeats nothing that may be a password.
    """
    if not isinstance(text, str):
        raise ClientError(f"{_EXPECTED}, as text, got {type(text).__name__}")
    try:
        url = httpx.URL(text.strip())
        host = url.host  # decoded only now
    except (httpx.InvalidURL, UnicodeError):
        raise ClientError(f"{_EXPECTED}, got something else") from None
    if url.scheme not in ("http", "https"):
        raise ClientError(f"{_EXPECTED}, got text that does not begin with http:// or https://")
    if not host:
        raise ClientError(f"{_EXPECTED}, got one without a host")
    if url.port is not None and not 0 < url.port < 2**16:
        raise ClientError(f"{_EXPECTED}, with a port from 1 to 65535, got {url.port}")
    if url.query or url.fragment:
        raise ClientError(f"{_EXPECTED}, got one with a query or a fragment")
    if "//" in url.path:
        raise ClientError(f"{_EXPECTED}, or one with a path, got one with // in its path")
    if _VERSION in url.path.split("/"):
        raise ClientError(f"{_EXPECTED}, without /{_VERSION} and what follows, which the client adds itself")
    return url


def prefix_of(url: httpx.URL) -> str:
    """Below which path of its server an API is, behind a proxy; empty if it has the server for itself.

    >>> prefix_of(httpx.URL("https://scans.example.org/disyre/")), prefix_of(httpx.URL("http://127.0.0.1:8000/"))
    ('/disyre', '')
    """
    return url.path.rstrip("/")


def origin_of(url: httpx.URL) -> str:
    """The server of an address, without name and password.

    >>> origin_of(httpx.URL("https://me:secret@scans.example.org:8000/v1/jobs?label=a"))
    'https://scans.example.org:8000'
    """
    return f"{url.scheme}://{url.netloc.decode()}"


def is_this_machine(host: str) -> bool:
    """Whether no proxy can lie before it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
