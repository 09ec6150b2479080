"""The pages for people: `/`, which lists jobs and takes scans, and `/viewer`, which shows a job's results.

They are plain files that ask the API as any client does, so they need no key by themselves, hold nothing of a
patient, and are the same for everybody. What a browser lets them do is said by their Content-Security-Policy.
"""

import mimetypes
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response

from service.prepared import Packed, Prepared
from service.sending_turns import SendingTurns

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


@cache
def _packed(path: Path) -> Packed:
    """A file of the pages, which is the same for every app of the process."""
    return Packed.of(path.read_bytes())


def _read(path: Path, turns: SendingTurns) -> Prepared:
    """A file of the pages, from the disk."""
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_fixed = path.parent.name == _VENDOR
    return Prepared(
        _packed(path),
        turns,
        media_type="text/javascript" if path.suffix == ".js" else media_type,
        headers={"Cache-Control": _FOR_EVER if is_fixed else _ASK_FIRST, **_SECURITY},
    )


def serve_pages(app: FastAPI, turns: SendingTurns) -> None:
    """Add the pages and their files, which are read here once; what else lies in the folder is not served."""
    files = {
        path.relative_to(_FOLDER).as_posix(): _read(path, turns)
        for path in sorted(_FOLDER.rglob("*"))
        if path.suffix in _SUFFIXES
    }
    for name, file in files.items():
        if not name.endswith(".html"):
            _serve(app, _ASSETS + name, file)
    for address, name in _PAGES.items():
        _serve(app, address, files[name])


def _serve(app: FastAPI, address: str, file: Prepared) -> None:
    async def get_page(request: Request) -> Response:
        return file.response(request)

    app.add_api_route(address, get_page, methods=["GET", "HEAD"], include_in_schema=False)
