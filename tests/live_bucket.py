"""A server with an S3 API on loopback, and what can be between it and a program: nothing, or a slow line."""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.session import Session

from disyre.adapters.bucket import Bucket
from tests.live import wait_for

KEY: Final = ("scans", "a-secret-of-no-use")
NOBODY_LISTENS: Final = "http://127.0.0.1:1"


@dataclass(frozen=True)
class LiveBucket:
    """A bucket of its own in a server that others may share."""

    endpoint: str
    name: str

    @property
    def url(self) -> str:
        """As a setting says it."""
        return f"s3://{self.name}/disyre"

    def connect(self, endpoint: str | None = None, **options: Any) -> Bucket:
        """What a program uses; through another endpoint, if there is one."""
        return connect(endpoint or self.endpoint, self.url, **options)

    def settings(self, folder: Path, endpoint: str | None = None) -> dict[str, str]:
        """Environment of a program that uses it."""
        secret = folder / "artifacts-secret-key"
        secret.write_text(KEY[1] + "\n")
        return {
            "DISYRE_ARTIFACTS_URL": self.url,
            "DISYRE_ARTIFACTS_ENDPOINT": endpoint or self.endpoint,
            "DISYRE_ARTIFACTS_KEY_ID": KEY[0],
            "DISYRE_ARTIFACTS_SECRET_KEY_FILE": str(secret),
        }

    def objects(self) -> dict[str, bytes]:
        """All that is in it, by key."""
        client = _client(self.endpoint)
        found = client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {
            each["Key"]: client.get_object(Bucket=self.name, Key=each["Key"])["Body"].read() for each in found
        }

    def replace(self, key: str, content: bytes) -> None:
        """What somebody does who is not us."""
        client = _client(self.endpoint)
        there = client.head_object(Bucket=self.name, Key=key)["Metadata"]
        client.put_object(Bucket=self.name, Key=key, Body=content, Metadata=there)


def connect(endpoint: str, url: str = "s3://scans/disyre", **options: Any) -> Bucket:
    """A bucket as programs use it; by default one of which nobody knows whether it is there."""
    known = {"region": "us-east-1", "key": KEY, "timeout_s": 10.0}
    return Bucket.connect(url, endpoint=endpoint, **{**known, **options})


@contextmanager
def live_s3(log: Path) -> Iterator[str]:
    """The address of a server, for the length of a block."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        found = wait_for(
            lambda: re.search(r"Running on (http://[\d.:]+)", log.read_text()), "the server with an S3 API"
        )
        yield found[1]
    finally:
        process.kill()
        process.wait()


def make_bucket(endpoint: str, name: str) -> LiveBucket:
    """A new bucket."""
    _client(endpoint).create_bucket(Bucket=name)
    return LiveBucket(endpoint, name)


@cache
def _client(endpoint: str) -> Any:
    return Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=KEY[0],
        aws_secret_access_key=KEY[1],
    )


@contextmanager
def answering(*answers: tuple[int, str], body: bytes | None = None, length: int = 0) -> Iterator[str]:
    """A server that gives these answers in turn, as status and code; the last one again and again.

    With `body`, an answer of status 200 is an object that claims to have `length` bytes.
    """
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, code = left.pop(0) if len(left) > 1 else left[0]
            text = f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()
            content = text if body is None or status != 200 else body
            self.send_response(status)
            self.send_header("Content-Length", str(length or len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            self.close_connection = True

        do_GET = do_PUT = do_HEAD = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes what is sent, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class Line:
    """A line to a server, which a test can have stop in the midst of a transfer, and go on, or be cut."""

    def __init__(self, target: str, *, stop_after: int | None = None) -> None:
        """`stop_after` bytes that were sent the line stands still."""
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._left = stop_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.has_stopped = threading.Event()
        self.is_cut = False
        """Whether nobody gets through any more."""
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def drop(self) -> None:
        """End all that is under way."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """End the line."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def _serve(self) -> None:
        with suppress(OSError):  # the end
            while True:
                here = self._listener.accept()[0]
                if self.is_cut:
                    here.close()
                    continue
                there = socket.create_connection(self._target)
                self._ends += [here, there]
                threading.Thread(target=self._carry, args=(here, there, True), daemon=True).start()
                threading.Thread(target=self._carry, args=(there, here, False), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:
        with suppress(OSError):
            while data := source.recv(2**16):
                if is_request and self._left is not None:
                    self._left -= len(data)
                    if self._left < 0:
                        self.has_stopped.set()
                        return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
