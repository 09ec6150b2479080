"""Requests that the API makes where a client asks for it: to hosts that the operator listed, nowhere else."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self, TypeAlias
from urllib.parse import SplitResult, urlsplit

from disyre.errors import InvalidParams, Misconfigured
from disyre.trust import trust

Address: TypeAlias = IPv4Address | IPv6Address
Resolve: TypeAlias = Callable[[str, int], list[str]]
"""Gives the addresses of a name."""

TIMEOUT_S: Final = 5.0
_PORTS: Final = {"https": 443, "http": 80}


def resolve(name: str, port: int) -> list[str]:
    """Addresses of a name. Raises OSError if it has none."""
    return [str(found[4][0]) for found in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class Hosts:
    """The hosts that may be reached: names, and addresses or networks, which may be private."""

    names: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def read(cls, text: str) -> Self:
        """Of a list with commas. Raises Misconfigured if something in it is no host."""
        names, networks = set(), []
        for entry in (part.strip().lower() for part in text.split(",") if part.strip()):
            try:
                networks.append(ip_network(entry))
            except ValueError:
                if not entry.replace("-", "").replace(".", "").isalnum() or entry[-1].isdigit():
                    raise Misconfigured(
                        "expected DISYRE_WEBHOOK_HOSTS to list names, addresses and networks"
                    ) from None
                names.add(entry)
        return cls(frozenset(names), tuple(networks))

    def check(self, url: str) -> SplitResult:
        """The parts of an address that may be called, without asking whose it is. Raises InvalidParams."""
        if not url.isascii() or not url.isprintable() or " " in url:
            raise InvalidParams(
                "expected callback to be a URL of ASCII characters without blanks and line breaks, which are "
                "written as %20 and the like; got one with others"
            )
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise InvalidParams("expected callback to be a URL, got something else") from None
        if parts.scheme not in _PORTS or not host:
            raise InvalidParams("expected callback to be a URL that begins with https://")
        if "@" in parts.netloc or parts.fragment:
            raise InvalidParams("expected callback to be a URL without a user and without a fragment")
        if port == 0:
            raise InvalidParams(
                "expected callback to be a URL with a port of 1 to 65535, or with none, got 0"
            )
        literal = _literal(host)
        if not (host in self.names if literal is None else self._lists(literal)):
            raise InvalidParams("expected callback to be at a host that the operator has listed")
        is_loopback = host == "localhost" or (literal is not None and literal.is_loopback)
        if parts.scheme == "http" and not is_loopback:
            raise InvalidParams("expected callback to begin with https://")
        return parts

    def allows(self, address: str) -> bool:
        """Whether an address that a listed name has may be connected to."""
        found = ip_address(address.partition("%")[0])
        return self._lists(found) or (found.is_global and not found.is_multicast and not _is_mapped(found))

    def _lists(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def post(url: str, body: bytes, headers: Mapping[str, str], hosts: Hosts, resolve: Resolve = resolve) -> int:
    """Send a body to a URL, and give the status of the answer; follows no redirect.

    Raises InvalidParams if the URL leads where nothing may be sent, before there is a connection, and OSError
    if there is no answer within TIMEOUT_S.
    """
    parts = hosts.check(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    addresses = resolve(host, port)  # once: what is looked at is what is connected to
    if not addresses or not all(map(hosts.allows, addresses)):
        raise InvalidParams(
            "expected callback to be at a public address, or at one that the operator has listed"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    began_s = time.monotonic()
    opened = socket.create_connection((addresses[0], port), TIMEOUT_S)
    if parts.scheme == "https":
        opened = trust().wrap_socket(opened, server_hostname=host, do_handshake_on_connect=False)
    with opened, _cut_off(opened, TIMEOUT_S - (time.monotonic() - began_s)):
        if isinstance(opened, ssl.SSLSocket):
            opened.do_handshake()
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(host, port)
        connection.sock = opened  # else it would ask for the address again
        try:
            connection.request("POST", path, body=body, headers=dict(headers))
            return connection.getresponse().status
        except http.client.HTTPException as error:
            raise ConnectionError("no answer of HTTP") from error


@contextmanager
def _cut_off(opened: socket.socket, after_s: float) -> Iterator[None]:
    """End a connection if a block is not done with it by then, however often something comes."""

    def end() -> None:
        with suppress(OSError):  # it has ended by itself
            socket.socket.shutdown(opened, socket.SHUT_RDWR)  # without a farewell of TLS

    timer = threading.Timer(max(0.0, after_s), end)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _literal(host: str) -> Address | None:
    """The address that a URL names; None for a name. One that hides another is nobody's."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_mapped(address: Address) -> bool:
    """Whether an IPv6 address stands for one of IPv4."""
    return isinstance(address, IPv6Address) and (
        address.ipv4_mapped is not None or address.sixtofour is not None or address.teredo is not None
    )
