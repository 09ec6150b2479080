"""What a hostile or broken client sends, and what it gets for it."""

import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final, TypeAlias

import httpx

_PATIENCE_S: Final = 20.0

Post: TypeAlias = Callable[[httpx.Client], httpx.Response]
"""Sends something and returns the answer."""


@dataclass(frozen=True)
class Outcome:
    """How the service answers."""

    status: int
    code: str = ""
    """Of the refusal; of the failure, if the upload was accepted; empty if the scan was scored."""

    def __str__(self) -> str:
        if self.status != 202:
            return f"{self.status} {self.code}".strip()
        return f"job failed, {self.code}" if self.code else "scored"


@dataclass(frozen=True)
class Hostile:
    """An input, and what is expected of the service."""

    kind: str
    what: str
    post: Post
    expected: Outcome


def body(content: Callable[[], bytes], path: str = "/v1/jobs", **headers: str) -> Post:
    """Send something as the raw body of a submission; it is made when it is sent."""
    stated = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda client: client.post(path, content=content(), headers=stated)


def over_the_wire(*parts: bytes) -> Post:
    """Send bytes as they are, such as no HTTP library would send, and read the answer's first line."""

    def post(client: httpx.Client) -> httpx.Response:
        address = client.base_url.host, client.base_url.port or 0
        with closing(socket.create_connection(address, timeout=_PATIENCE_S)) as connection:
            for part in parts:
                connection.sendall(part)
            answer = b""
            while b"\r\n\r\n" not in answer and (more := connection.recv(65536)):
                answer += more
        return _parsed(answer)

    return post


def _parsed(answer: bytes) -> httpx.Response:
    """An answer as httpx has it; the body as far as it came."""
    head, _, content = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if head else 0
    return httpx.Response(status, content=content)
