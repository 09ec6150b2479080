"""The pages for people: `/`, which lists jobs and takes scans, and `/viewer`, which shows a job's results.

They are plain files that ask the API as any client does, so they need no key by themselves, hold nothing of a
patient, and are the same for everybody. What a browser lets them do is said by their Content-Security-Policy.
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from fastapi import FastAPI, Request, Response

from service.conditional import client_has, quoted

_FOLDER: Final = Path(__file__).parent / "viewer"
_PAGES: Final = {"/": "index.html", "/viewer": "viewer.html"}
_ASSETS: Final = "/viewer/assets/"
_SUFFIXES: Final = (".html", ".css", ".js", ".svg")
_VENDOR: Final = "vendor"
"""Files in this folder have their version in their name, and never change."""
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_FIRST: Final = "no-cache"
"""The next version of the service may have another file at the same address."""
_SECURITY: Final = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",  # fonts of NiiVue; the preview, which is fetched with a key
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True)
class _File:
    """A file of the pages, as it is sent."""

    content: bytes
    packed: bytes
    """In gzip."""
    media_type: str
    etag: str
    cache: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """From the disk."""
        content = path.read_bytes()
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        is_fixed = path.parent.name == _VENDOR
        return cls(
            content=content,
            packed=gzip.compress(content, compresslevel=6, mtime=0),
            media_type="text/javascript" if path.suffix == ".js" else media_type,
            etag=quoted(hashlib.sha256(content).hexdigest()[:32]),
            cache=_FOR_EVER if is_fixed else _ASK_FIRST,
        )

    def response(self, request: Request) -> Response:
        """The file, or that the client has it."""
        headers = {"ETag": self.etag, "Cache-Control": self.cache, "Vary": "Accept-Encoding", **_SECURITY}
        if client_has(request, self.etag):
            return Response(status_code=304, headers=headers)
        takes_gzip = "gzip" in request.headers.get("Accept-Encoding", "")
        if takes_gzip:
            headers["Content-Encoding"] = "gzip"
        return Response(
            self.packed if takes_gzip else self.content, media_type=self.media_type, headers=headers
        )


def serve_pages(app: FastAPI) -> None:
    """Add the pages and their files, which are read here once; what else lies in the folder is not served."""
    files = {
        path.relative_to(_FOLDER).as_posix(): _File.read(path)
        for path in sorted(_FOLDER.rglob("*"))
        if path.suffix in _SUFFIXES
    }
    for name, file in files.items():
        if not name.endswith(".html"):
            _serve(app, _ASSETS + name, file)
    for address, name in _PAGES.items():
        _serve(app, address, files[name])


def _serve(app: FastAPI, address: str, file: _File) -> None:
    async def get_page(request: Request) -> Response:
        return file.response(request)

    app.add_api_route(address, get_page, methods=["GET", "HEAD"], include_in_schema=False)
