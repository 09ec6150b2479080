"""An archive that speaks DICOMweb over a real connection, and does whatever a test has it do."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from tests.dicom_phantom import encoded, make_series
from tests.service.series.made_series import T1W, UIDS

USER: Final = "disyre"
PASSWORD: Final = "only-in-tests"
BOUNDARY: Final = "a-boundary"
RELATED: Final = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
STUDY: Final = str(make_series(1)[0].StudyInstanceUID)
SERIES: Final = UIDS["T1w"]
SOURCE: Final = {"type": "dicomweb", "server": "pacs1", "study": STUDY, "series": SERIES}


def images(n: int = 6, *, deflated: bool = False, **attributes: Any) -> list[bytes]:
    """The files of the series."""
    syntax = DeflatedExplicitVRLittleEndian if deflated else ExplicitVRLittleEndian
    return encoded(make_series(n, **{"SeriesInstanceUID": SERIES, **T1W, **attributes}), syntax)


def related(parts: list[bytes], *, boundary: str = BOUNDARY, ends: bool = True) -> bytes:
    """The body of an answer with these files."""
    head = f"\r\n--{boundary}\r\nContent-Type: application/dicom\r\nMIME-Version: 1.0\r\n\r\n".encode()
    return b"".join(head + part for part in parts) + (f"\r\n--{boundary}--\r\n".encode() if ends else b"")


Answer = Callable[[BaseHTTPRequestHandler], None]


def send(
    request: BaseHTTPRequestHandler,
    body: bytes,
    *,
    status: int = 200,
    length: int | None = None,
    **headers: str,
) -> None:
    """Answer a request; `length` is what is announced, if it is not true."""
    request.send_response(status)
    for name, value in {"Content_Type": RELATED, **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(body) if length is None else length))
    request.end_headers()
    request.wfile.write(body)


@dataclass
class Archive:
    """What it has, and how it answers."""

    files: list[bytes] = field(default_factory=images)
    modality: str = "MR"
    n_said: int | str | None = -1
    """How many images it says that the series has; -1: as many as it has."""
    answers: list[Answer] = field(default_factory=list)
    """To requests for images, in order; then the last of them for ever, or the true one if there is none."""
    on_search: Answer | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Accept of each request that it took."""
    is_open: bool = False
    """Whether it asks for no password."""
    url: str = ""

    def search(self) -> list[dict[str, Any]]:
        """What it says of its series."""
        said: dict[str, Any] = {
            "0020000E": {"vr": "UI", "Value": [SERIES]},
            "00080060": {"vr": "CS", "Value": [self.modality]},
        }
        if self.n_said is not None:
            n = len(self.files) if self.n_said == -1 else self.n_said
            said["00201209"] = {"vr": "IS", "Value": [n]}
        other = {"0020000E": {"vr": "UI", "Value": ["1.2.99"]}, "00080060": {"vr": "CS", "Value": ["CT"]}}
        return [other, said]  # some archives do not know how to filter

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        path, _, _ = request.path.partition("?")
        shown = request.headers.get("Authorization", "")
        if not self.is_open and shown != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            send(request, b"", status=401)
            return
        self.asked.append((request.path, request.headers.get("Accept", "")))
        if path == f"/dicom-web/studies/{STUDY}/series":
            if self.on_search is not None:
                self.on_search(request)
            else:
                found = json.dumps(self.search()).encode()
                send(request, found, Content_Type="application/dicom+json")
        elif path == f"/dicom-web/studies/{STUDY}/series/{SERIES}":
            n = sum(each.partition("?")[0] == path for each, _ in self.asked)
            answers = self.answers or [lambda request: send(request, related(self.files))]
            answers[min(n, len(answers)) - 1](request)
        elif path.startswith("/dicom-web/studies/"):
            send(request, b"[]", Content_Type="application/dicom+json")
        else:
            send(request, b"", status=404)

    def file(self, folder: Path, *, password: str = PASSWORD, **more: float | str | Path) -> Path:
        """The operator's file with this archive in it."""
        (folder / "password").write_text(password)
        path = folder / "pacs.toml"
        lines = [
            "[[server]]",
            'name = "pacs1"',
            f'url = "{self.url}/dicom-web/"',
            f'user = "{USER}"',
            f'password_file = "{folder / "password"}"',
            *(
                f"{name} = {value if isinstance(value, float) else json.dumps(str(value))}"
                for name, value in more.items()
            ),
        ]
        path.write_text("\n".join(lines))
        return path


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever fetches may go away."""


@contextmanager
def archive(*, tls: ssl.SSLContext | None = None, **facts: Any) -> Iterator[Archive]:
    """An archive for the length of a block; with `tls`, it speaks nothing else."""
    made = Archive(**facts)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.close_connection = True
            with suppress(BrokenPipeError, ConnectionResetError):
                made.answer(self)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    made.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
