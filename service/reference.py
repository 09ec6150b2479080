"""The document `/openapi.json`, and the page `/docs` to browse and try it, all of it from here."""

import json
from typing import Final

from anyio import CapacityLimiter
from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from service.limiters import in_thread
from service.prepared import Packed, Prepared
from service.sending_turns import SendingTurns

_DOCUMENT: Final = "/openapi.json"
_ASSETS: Final = "/docs/assets"


class _Document:
    """What `/openapi.json` says: it takes a while to make, so it is made once, for who asks first."""

    def __init__(self, app: FastAPI, turns: SendingTurns) -> None:
        self._app = app
        self._turns = turns
        self._one_by_one = CapacityLimiter(1)
        self._made: Prepared | None = None

    async def get_document(self, request: Request) -> Response:
        """The document, or that the client has it."""
        if self._made is None:
            self._made = await in_thread(self._one_by_one, self._make)
        return self._made.response(request)

    def _make(self) -> Prepared:
        if self._made is None:
            said = json.dumps(self._app.openapi(), ensure_ascii=False, separators=(",", ":"))
            headers = {"Cache-Control": "no-cache"}  # the next version may say something else
            self._made = Prepared(
                Packed.of(said.encode()), self._turns, media_type="application/json", headers=headers
            )
        return self._made


def serve_reference(app: FastAPI, turns: SendingTurns) -> None:
    """Add both to an app that has none of its own; routes that come later are in the document too."""
    document = _Document(app, turns)
    app.add_api_route(_DOCUMENT, document.get_document, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount(_ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]))

    @app.get("/docs", include_in_schema=False)
    def reference() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=_DOCUMENT,
            title=app.title,
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon.png",
        )
