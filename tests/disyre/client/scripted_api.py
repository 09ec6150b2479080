"""A server that answers as it was told to, as no API should too: it hangs up, or breaks off halfway."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from disyre.client import Client


@dataclass(frozen=True)
class Answer:
    """An answer; `sent` of its bytes are sent before the connection breaks."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None


HANGS_UP = Answer(sent=0, status=0)
"""No answer: the connection breaks once the request was read."""


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedApi:
    """Gives one answer after the other, and notes what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = [*answers]
        self.asked: list[Asked] = []
        self.pauses_s: list[float] = []
        """How long the client waited between two requests, by its own account."""
        self.url = ""

    def client(self, *, key: str | None = None, retry_for_s: float = 60.0) -> Client:
        """A client that does not really wait."""
        return Client(
            self.url,
            key=key,
            retry_for_s=retry_for_s,
            sleep=self.pauses_s.append,
            clock=lambda: sum(self.pauses_s),
        )


@contextmanager
def scripted_api(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedApi]:
    """A server on this machine for the length of a block; with `tls`, it speaks nothing else."""
    script = ScriptedApi(*answers)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    script.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(script: ScriptedApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if len(body) < int(self.headers.get("Content-Length", 0)):
                self.close_connection = True  # the client left
                return
            script.asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
            answer = script.answers.pop(0)
            if answer is HANGS_UP:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body[: answer.sent])
            self.close_connection = answer.sent is not None

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def document(value: Any, *, status: int = 200, **headers: str) -> Answer:
    """An answer with a JSON document."""
    return Answer(status, json.dumps(value).encode(), {k.replace("_", "-"): v for k, v in headers.items()})


def problem(status: int, code: str = "odd", detail: str = "it is odd", **headers: str) -> Answer:
    """An answer with a problem document."""
    return document({"status": status, "code": code, "detail": detail}, status=status, **headers)


def job(state: str = "queued", **facts: Any) -> Answer:
    """An answer with a job."""
    return document({"id": "a", "state": state, **facts})
