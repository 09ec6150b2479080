"""Answers that are the same for everybody: made once, and sent in pieces that all who ask share."""

import gzip
import hashlib
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final, Self

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from service.conditional import client_has, quoted
from service.content_coding import GZIP, takes_gzip
from service.sending_turns import SendingTurns

PIECE_BYTES: Final = 32 * 1024
"""Of an answer; the client has to take most of it before the next is read, or sent."""


@dataclass(frozen=True)
class Pieces:
    """Bytes, as they are sent."""

    parts: tuple[bytes, ...]
    n_bytes: int

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Cut what is to be sent."""
        starts = range(0, len(content), PIECE_BYTES)
        return cls(tuple(content[start : start + PIECE_BYTES] for start in starts), len(content))


class SharedResponse(Response):
    """A response whose body is not its own: each piece waits until the client has taken those before it."""

    def __init__(
        self, body: Pieces, turns: SendingTurns, *, media_type: str, headers: Mapping[str, str]
    ) -> None:
        super().__init__(media_type=media_type, headers={**headers, "Content-Length": str(body.n_bytes)})
        self._pieces = body
        self._turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, in its turn if it is large; to HEAD, no more than its head."""
        parts = () if scope["method"] == "HEAD" else self._pieces.parts
        async with self._turns.turn() if len(parts) > 1 else nullcontext():
            head = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(head)
            for piece in parts:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


@dataclass(frozen=True)
class Packed:
    """A document as it is sent to those who take gzip and to those who do not."""

    plain: Pieces
    gzip: Pieces
    etag: str
    """Of the plain one."""
    gzip_etag: str
    """Other bytes have another one (RFC 9110, 8.8.3.3)."""

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Cut it, and compress it."""
        digest = hashlib.sha256(content).hexdigest()[:32]
        return cls(
            plain=Pieces.of(content),
            gzip=Pieces.of(gzip.compress(content, compresslevel=6, mtime=0)),
            etag=quoted(digest),
            gzip_etag=quoted(f"{digest}-{GZIP}"),
        )


@dataclass(frozen=True)
class Prepared:
    """A document that everybody gets."""

    packed: Packed
    turns: SendingTurns
    media_type: str
    headers: Mapping[str, str]
    """Sent with it, whether the client has it or not."""

    def response(self, request: Request) -> Response:
        """The document, or that the client has it, packed or not."""
        is_packed = takes_gzip(",".join(request.headers.getlist("Accept-Encoding")))
        packed = self.packed
        etags = (packed.gzip_etag, packed.etag) if is_packed else (packed.etag, packed.gzip_etag)
        headers = {"Vary": "Accept-Encoding", **self.headers}
        for etag in etags:
            if client_has(request, etag):
                return Response(status_code=304, headers={"ETag": etag, **headers})
        if is_packed:
            headers["Content-Encoding"] = GZIP
        body = packed.gzip if is_packed else packed.plain
        headers["ETag"] = etags[0]
        return SharedResponse(body, self.turns, media_type=self.media_type, headers=headers)
