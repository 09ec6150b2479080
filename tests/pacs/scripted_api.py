"""An API that answers submissions as a test says, and has each job end at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

ACCEPTED = b'{"id": "00000000-0000-7000-8000-000000000000", "state": "failed", "error": {"code": "tried"}}'


@dataclass
class ScriptedApi:
    """What it is asked, and how it answers."""

    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    """Bodies of submissions."""
    keys: list[str | None] = field(default_factory=list)
    """The key of each."""
    idempotency_keys: list[str | None] = field(default_factory=list)
    """By which each is known again."""
    answer: "Answer" = field(default=lambda handler, api: send(handler, 202, ACCEPTED))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Answer: TypeAlias = Callable[[BaseHTTPRequestHandler, ScriptedApi], None]


@contextmanager
def scripted_api(answer: Answer | None = None, *, port: int = 0) -> Iterator[ScriptedApi]:
    """Such an API for the length of a block."""
    api = ScriptedApi() if answer is None else ScriptedApi(answer=answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            api.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            api.keys.append(self.headers["X-API-Key"])
            api.idempotency_keys.append(self.headers["Idempotency-Key"])
            api.answer(self, api)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    api.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, *, n_bytes: int | None = None) -> None:
    """An answer, which may announce more than it has."""
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body) if n_bytes is None else n_bytes))
    handler.end_headers()
    handler.wfile.write(body)


def with_key(file: Path) -> Answer:
    """Let in who has the key that a file holds."""

    def answer(handler: BaseHTTPRequestHandler, api: ScriptedApi) -> None:
        if handler.headers["X-API-Key"] == file.read_text().strip():
            send(handler, 202, ACCEPTED)
        else:
            send(handler, 401, b'{"code": "unauthenticated"}')

    return answer
