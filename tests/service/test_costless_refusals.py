"""300 MB that are refused cost no transfer: the bytes are counted at the socket."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
import pytest

from tests.dicom_phantom import encoded, make_series
from tests.disyre.test_early import begin
from tests.service.key_files import client_of, write_keys
from tests.service.live_api import PATIENCE_S, LiveApi, live_api

BODY_BYTES: Final = 300_000_000
BUFFERED_BYTES: Final = 16_000_000
"""At most so many lie in the buffers of the two machines before somebody has read one of them."""


@dataclass(frozen=True)
class Refusal:
    """A submission, and why it is refused."""

    expected: tuple[int, str]
    settings: dict[str, Any] = field(default_factory=dict)
    key: str | None = "pacs"
    query: str = ""
    headers: tuple[str, ...] = ()
    n_before: int = 0
    """Submissions of the same key before it."""


REFUSALS: Final = {
    "size": Refusal((413, "too-large"), {"max_upload_bytes": 1_000_000}),
    "queue length": Refusal((503, "queue-full"), {"max_queued_jobs": 1}, n_before=1),
    "voxels that wait": Refusal((503, "queue-full"), {"max_queued_voxels": 1}, n_before=1),
    "disk": Refusal((507, "storage-full"), {"min_free_bytes": 2**60}),
    "rate": Refusal((429, "rate-limited"), {"max_submits_per_minute": 1}, n_before=1),
    "no key": Refusal((401, "unauthenticated"), key=None),
    "a stranger's key": Refusal((401, "unauthenticated"), key="stranger"),
    "scope": Refusal((403, "forbidden"), key="reader"),
    "type": Refusal((415, "unsupported-media-type"), headers=("Content-Type: image/png",)),
    "option": Refusal((422, "invalid-params"), query="?mode=hello"),
    "option of a form": Refusal(
        (422, "unknown-model"),
        query="?model=zzz",
        headers=("Content-Type: multipart/form-data; boundary=edge",),
    ),
    "digest": Refusal((400, "malformed-request"), headers=("Content-Digest: sha-256=:hello:",)),
}


@pytest.fixture
def api(tmp_path: Path, request: pytest.FixtureRequest, scan: bytes) -> Iterator[LiveApi]:
    """An API with the settings of a refusal, and so many submissions before."""
    refusal: Refusal = request.param
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path), **refusal.settings) as api:
        with client_of(api, "pacs") as client:
            before = [client.post("/v1/jobs", content=scan) for _ in range(refusal.n_before)]
        assert [each.status_code for each in before] == [202] * refusal.n_before
        yield api


def head_of(refusal: Refusal, *more: str) -> bytes:
    key = [f"X-API-Key: {refusal.key}"] if refusal.key else []
    length = f"Content-Length: {BODY_BYTES}"
    first = f"POST /v1/jobs{refusal.query} HTTP/1.1"
    return "\r\n".join([first, "Host: localhost", length, *key, *refusal.headers, *more, "", ""]).encode()


def sent_until_refused(api: LiveApi, head: bytes, begins: bytes = b"") -> int:
    """Bytes of a body that a client gets rid of who does not listen until it has sent all."""
    n_sent = 0
    with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
        connection.sendall(head + begins)
        try:
            while n_sent < BODY_BYTES:
                n_sent += connection.send(bytes(2**20))
        except OSError:
            pass
    return n_sent


CASES = pytest.mark.parametrize(
    ("api", "refusal"), [(each, each) for each in REFUSALS.values()], indirect=["api"], ids=list(REFUSALS)
)


@CASES
def test_not_a_byte_is_asked_for_and_few_are_taken_of_who_does_not_ask(
    api: LiveApi, refusal: Refusal
) -> None:
    left = api.left_behind()
    with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
        connection.sendall(head_of(refusal, "Expect: 100-continue"))
        answer = b""
        while (piece := connection.recv(65536)) and b"}" not in answer + piece:  # the body may come later
            answer += piece
        answer += piece

    status, code = refusal.expected
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert f'"code":"{code}"'.encode() in answer
    assert (b"retry-after:" in answer.lower()) == (status in (429, 503, 507))
    assert sent_until_refused(api, head_of(refusal)) < BUFFERED_BYTES
    assert api.left_behind() == left


_PART: Final = b'--edge\r\nContent-Disposition: form-data; name="file"\r\n\r\n'


@pytest.mark.parametrize(
    ("path", "headers", "begins"),
    [
        ("/v1/jobs", (), b"text"),
        ("/v1/inspect", (), b"text"),
        ("/v1/jobs", ("Content-Type: multipart/form-data; boundary=edge",), _PART + b"text"),
        (
            "/v1/studies",
            ("Content-Type: multipart/form-data; boundary=edge",),
            _PART + b"notes\r\n" + _PART + b"text",
        ),
    ],
    ids=["a job", "a look", "a form", "a form with notes before"],
)
def test_what_is_no_image_is_refused_by_its_beginning(
    tmp_path: Path, path: str, headers: tuple[str, ...], begins: bytes
) -> None:
    head = head_of(Refusal((415, "not-an-image"), headers=headers)).replace(b"/v1/jobs", path.encode())
    with live_api(tmp_path) as api:
        with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
            connection.sendall(head + begins + bytes(3_000_000))
            answer = connection.recv(65536)

        assert answer.startswith(b"HTTP/1.1 415 ")
        assert b'"code":"not-an-image"' in answer
        assert sent_until_refused(api, head, begins) < BUFFERED_BYTES
        assert api.left_behind() == []


def test_notes_of_any_size_may_lie_behind_an_image(tmp_path: Path) -> None:
    files = [("file", content) for content in (*encoded(make_series(12)), b"note" * 500_000)]
    with live_api(tmp_path) as api:
        answer = api.client.post("/v1/jobs", files=files, params={"model": "t1w"})

    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("headers", "begins"),
    [
        ((), begin((600, 600, 600))),
        (
            ("Content-Type: multipart/form-data; boundary=edge",),
            _PART + begin((600, 600, 600)),
        ),
    ],
    ids=["the body itself", "a form"],
)
def test_a_scan_of_too_many_voxels_is_refused_by_the_beginning_of_its_file(
    tmp_path: Path, headers: tuple[str, ...], begins: bytes
) -> None:
    head = head_of(Refusal((413, "too-large"), headers=headers))
    with live_api(tmp_path) as api:
        with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
            connection.sendall(head + begins + bytes(2_000_000))
            answer = connection.recv(65536)

        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"expected at most 90000000 voxels, got 216000000" in answer
        assert sent_until_refused(api, head, begins) < BUFFERED_BYTES
        assert api.left_behind() == []


_OPTIONS: Final = b'--edge\r\nContent-Disposition: form-data; name="params"\r\n\r\n{"model": "t1w"}\r\n'


@pytest.mark.parametrize(
    ("headers", "begins"),
    [
        ((), b""),
        (("Content-Type: multipart/form-data; boundary=edge",), _OPTIONS + _PART),
    ],
    ids=["the body itself", "a form whose options come first"],
)
def test_several_volumes_of_which_nothing_picks_one_are_refused_by_the_beginning_of_their_file(
    tmp_path: Path, headers: tuple[str, ...], begins: bytes
) -> None:
    head = head_of(Refusal((422, "not-3d"), headers=headers))
    begins += begin((200, 200, 200, 4))
    with live_api(tmp_path) as api:
        with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
            connection.sendall(head + begins + bytes(2_000_000))
            answer = connection.recv(65536)

        assert answer.startswith(b"HTTP/1.1 422 ")
        assert b"the option volume_index, from 0 to 3, picks one" in answer
        assert sent_until_refused(api, head, begins) < BUFFERED_BYTES
        assert api.left_behind() == []


def test_several_volumes_are_taken_if_an_option_that_comes_later_picks_one_or_no_job_is_wanted(
    tmp_path: Path,
) -> None:
    image = nib.Nifti1Image(np.arange(4 * 40**3, dtype=np.float32).reshape(4, 40, 40, 40).T, np.eye(4))
    one = {"volume_index": 3}
    with live_api(tmp_path) as api:

        def send(path: str, **request: Any) -> int:
            return api.client.post(path, **request).status_code

        assert send("/v1/jobs", files={"file": image.to_bytes(), "params": (None, json.dumps(one))}) == 202
        assert send("/v1/jobs", content=image.to_bytes(), params=one) == 202
        assert send("/v1/inspect", content=image.to_bytes()) == 200
        assert send("/v1/jobs", files={"file": image.to_bytes()}) == 422


def test_who_has_sent_2_mb_more_before_it_listens_hears_the_answer_to_its_end(tmp_path: Path) -> None:
    """And is not cut off by a reset, which may take the answer away."""
    sent = head_of(Refusal((413, "too-large"))) + begin((600, 600, 600)) + bytes(2_000_000)

    def answer_to(address: tuple[str, int]) -> bytes:
        with closing(socket.create_connection(address, timeout=PATIENCE_S)) as connection:
            connection.sendall(sent)
            return connection.makefile("rb").read()

    with live_api(tmp_path) as api, ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(answer_to, [api.address] * 20))

    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 413 "] * 20
    assert all(answer.endswith(b"}") for answer in answers)
