"""Which requests an API that asks for no keys takes: those that were meant for it, and no web page's.

A browser on the API's own machine reaches it for whatever page is open in it. A page may have its own name
lead to this machine (DNS rebinding): its requests then name the page's host. Or it may send a form to the API
without reading the answer: then the browser names where that came from. Who asks for keys need not look, as
no page has one.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from disyre.errors import Misconfigured
from service.errors import ForeignHost, ForeignOrigin

_READING: Final = ("GET", "HEAD")
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
"""A host, and its port if there is one."""
_NAME: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|[0-9a-f:.]+")


@dataclass(frozen=True)
class OwnHosts:
    """The hosts under which an API is reached: its own machine's, and those that the operator lists."""

    listed: frozenset[str] = frozenset()

    @classmethod
    def read(cls, text: str) -> Self:
        """Of a list with commas. Raises Misconfigured if something in it is no host."""
        names = [name.strip().lower().strip("[]") for name in text.split(",") if name.strip()]
        if not all(map(_NAME.fullmatch, names)):
            raise Misconfigured("expected DISYRE_ALLOWED_HOSTS to list names and addresses, without ports")
        return cls(frozenset(names))

    def check(self, method: str, headers: Headers) -> None:
        """Raise ForeignHost or ForeignOrigin if a request was not meant for this API."""
        hosts = headers.getlist("Host")
        if not hosts or not all(map(self._is_own, hosts)):
            raise ForeignHost(
                "expected a Host of this machine, such as localhost, as no API keys are asked for; got "
                "another one, which the operator may list in DISYRE_ALLOWED_HOSTS"
            )
        if method in _READING:
            return
        site, origins = headers.get("Sec-Fetch-Site"), headers.getlist("Origin")
        is_of_another = site == "cross-site" or (site == "same-site" and not origins)
        if is_of_another or not all(self._is_of(hosts[0], origin) for origin in origins):
            raise ForeignOrigin(
                "expected a request that no web page of another origin sends, as no API keys are asked for; "
                "got one of such a page"
            )

    def _is_of(self, host: str, origin: str) -> bool:
        """Whether a page of an origin may send a request to a host."""
        try:
            authority = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return authority == host.lower() or _name_in(authority) in self.listed

    def _is_own(self, host: str) -> bool:
        name = _name_in(host)
        return name == "localhost" or name in self.listed or _is_loopback(name)


def _name_in(authority: str) -> str:
    """The host of what may have a port behind it; empty if it is of another form."""
    found = _AUTHORITY.fullmatch(authority)
    return found[1].lower().strip("[]").removesuffix(".") if found else ""


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
