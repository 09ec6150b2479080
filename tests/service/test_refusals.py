"""What is refused: with a problem document that says why, and without a trace."""

import base64
import gzip
import socket
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import nibabel as nib
import numpy as np
import pytest

from disyre.adapters.job_store import InMemoryJobStore
from disyre.errors import Unavailable
from disyre.job import Job
from tests.builders import make_job
from tests.live import wait_for
from tests.service.conftest import make_mask, nifti_bytes
from tests.service.live_api import PATIENCE_S, LiveApi, live_api

Request = dict[str, Any]


def check_refused(api: LiveApi, response: httpx.Response, status: int, code: str) -> None:
    """A refusal is a problem document and leaves nothing behind."""
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == response.request.url.path
    wait_for(api.holds_nothing, "the upload is gone")


def four_dimensional() -> bytes:
    image = nib.Nifti1Image(np.zeros((4, 4, 4, 2), dtype=np.float32), np.eye(4))
    return bytes(image.to_bytes())


def zipped(*members: tuple[str, bytes]) -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for name, content in members:
            writer.writestr(name, content)
    return archive.getvalue()


RAW: dict[str, tuple[Callable[[bytes], Request], int, str]] = {
    "an empty body": (lambda scan: {"content": b""}, 400, "empty-upload"),
    "a text file": (lambda scan: {"content": b"patient,age\n" * 100}, 415, "not-an-image"),
    "a gzipped text file": (lambda scan: {"content": gzip.compress(b"text" * 1000)}, 415, "not-an-image"),
    "a few bytes of gzip": (lambda scan: {"content": scan[:12]}, 415, "not-an-image"),
    "a truncated scan": (lambda scan: {"content": scan[:-100]}, 422, "unreadable-volume"),
    "a scan with a wrong checksum": (
        lambda scan: {"content": scan[:-8] + bytes(4) + scan[-4:]},
        422,
        "unreadable-volume",
    ),
    "a 4-D file": (lambda scan: {"content": four_dimensional()}, 422, "not-3d"),
    "a broken zip": (lambda scan: {"content": zipped(("a", b"b"))[:-10]}, 422, "unusable-archive"),
    "an unknown model": (
        lambda scan: {"content": scan, "params": {"model": "t9w"}},
        422,
        "unknown-model",
    ),
    "an unknown version": (
        lambda scan: {"content": scan, "params": {"version": "9"}},
        422,
        "unknown-model",
    ),
    "an unknown option": (lambda scan: {"content": scan, "params": {"modle": "t1w"}}, 422, "invalid-params"),
    "a severity above 1": (
        lambda scan: {"content": scan, "params": {"severities": "2"}},
        422,
        "invalid-params",
    ),
    "a threshold that is no number": (
        lambda scan: {"content": scan, "params": {"threshold": "high"}},
        422,
        "invalid-params",
    ),
    "severities that rise in stepwise mode": (
        lambda scan: {"content": scan, "params": {"mode": "stepwise", "severities": "0.2,0.8"}},
        422,
        "invalid-params",
    ),
    "a compressed transfer": (
        lambda scan: {"content": scan, "headers": {"Content-Encoding": "gzip"}},
        415,
        "unsupported-media-type",
    ),
    "a body of another type": (
        lambda scan: {"content": scan, "headers": {"Content-Type": "image/png"}},
        415,
        "unsupported-media-type",
    ),
    "curl's default type": (
        lambda scan: {"content": scan, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        415,
        "unsupported-media-type",
    ),
    "a digest of something else": (
        lambda scan: {
            "content": scan,
            "headers": {"Content-Digest": f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"},
        },
        400,
        "digest-mismatch",
    ),
    "a digest that is none": (
        lambda scan: {"content": scan, "headers": {"Content-Digest": "sha-256=abc"}},
        400,
        "malformed-request",
    ),
}

FORMS: dict[str, tuple[Callable[[bytes], Request], int, str]] = {
    "an empty file": (lambda scan: {"files": {"file": b""}}, 400, "empty-upload"),
    "no file": (lambda scan: {"files": {"params": b"{}"}}, 400, "empty-upload"),
    "an unknown part": (lambda scan: {"files": {"file": scan, "scan": scan}}, 400, "malformed-request"),
    "two masks": (
        lambda scan: {"files": [("file", scan), ("mask", scan), ("mask", scan)]},
        400,
        "malformed-request",
    ),
    "two scans": (lambda scan: {"files": [("file", scan), ("file", scan)]}, 422, "multiple-volumes"),
    "a text among the files": (
        lambda scan: {"files": [("file", scan), ("file", b"text")]},
        415,
        "not-an-image",
    ),
    "a mask that is a text": (lambda scan: {"files": {"file": scan, "mask": b"text"}}, 415, "not-an-image"),
    "a mask that is a zip": (
        lambda scan: {"files": {"file": scan, "mask": zipped(("a", b"b"))}},
        422,
        "mask-mismatch",
    ),
    "options that are no JSON": (
        lambda scan: {"files": {"file": scan}, "data": {"params": "{"}},
        422,
        "invalid-params",
    ),
    "options that are a list": (
        lambda scan: {"files": {"file": scan}, "data": {"params": "[]"}},
        422,
        "invalid-params",
    ),
    "options nested beyond reason": (
        lambda scan: {"files": {"file": scan}, "data": {"params": '{"labels":' + "[" * 30000}},
        422,
        "invalid-params",
    ),
    "options beyond their size": (
        lambda scan: {"files": {"file": scan}, "data": {"params": " " * 70000}},
        413,
        "too-large",
    ),
    "an unknown model in the options": (
        lambda scan: {"files": {"file": scan}, "data": {"params": '{"model": "t9w"}'}},
        422,
        "unknown-model",
    ),
    "no boundary": (
        lambda scan: {"content": scan, "headers": {"Content-Type": "multipart/form-data"}},
        400,
        "malformed-request",
    ),
    "a form that is none": (
        lambda scan: {"content": scan, "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        400,
        "malformed-request",
    ),
    "a form that is cut off": (
        lambda scan: {
            "content": b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + scan,
            "headers": {"Content-Type": "multipart/form-data; boundary=x"},
        },
        400,
        "malformed-request",
    ),
}


@pytest.fixture(scope="module")
def shared_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    """One API for all tests in which nothing may be left behind anyway."""
    with live_api(tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.mark.parametrize("what", [*RAW, *FORMS])
def test_refused_with_a_reason_and_without_a_trace(shared_api: LiveApi, scan: bytes, what: str) -> None:
    make_request, status, code = {**RAW, **FORMS}[what]

    response = shared_api.client.post("/v1/jobs", **make_request(scan))

    check_refused(shared_api, response, status, code)


def test_a_mask_of_another_shape_is_refused(api: LiveApi, scan: bytes, tmp_path: Path) -> None:
    other = nifti_bytes(tmp_path, make_mask((10, 10, 10)))

    response = api.client.post("/v1/jobs", files={"file": scan, "mask": other})

    check_refused(api, response, 422, "mask-mismatch")
    assert "(40, 48, 36)" in response.json()["detail"]


def test_what_is_wrong_with_an_option_is_told_without_its_value(api: LiveApi, scan: bytes) -> None:
    response = api.client.post("/v1/jobs", content=scan, params={"threshold": "ZZCANARY^PHI"})

    assert "threshold" in response.json()["detail"]
    assert "ZZCANARY" not in response.text


def test_too_many_files_are_refused(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, max_files=2) as api:
        response = api.client.post("/v1/jobs", files=[("file", scan)] * 3)

        check_refused(api, response, 413, "too-large")


def test_a_body_above_the_limit_is_refused(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, max_upload_bytes=len(scan) - 1) as api:
        response = api.client.post("/v1/jobs", content=scan)

        check_refused(api, response, 413, "too-large")


def test_a_body_of_unknown_length_above_the_limit_is_refused(tmp_path: Path) -> None:
    def endless() -> Iterator[bytes]:
        yield make_nifti_head()
        for _ in range(20):
            yield bytes(2**20)

    with live_api(tmp_path, max_upload_bytes=5 * 2**20) as api:
        response = api.client.post("/v1/jobs", content=endless())

        check_refused(api, response, 413, "too-large")


def make_nifti_head() -> bytes:
    return (348).to_bytes(4, "little") + bytes(348)


def make_head(*lines: str) -> bytes:
    """The beginning of a submission, as it goes over the wire."""
    return "\r\n".join(["POST /v1/jobs HTTP/1.1", "Host: disyre", *lines, "", ""]).encode()


def test_a_body_that_is_announced_above_the_limit_is_never_asked_for(api: LiveApi) -> None:
    with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
        connection.sendall(make_head("Content-Length: 1000000000000", "Expect: 100-continue"))
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too-large"' in answer
    assert api.holds_nothing()


def test_a_client_that_leaves_in_the_middle_leaves_nothing(api: LiveApi) -> None:
    with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
        connection.sendall(make_head("Content-Length: 10000000") + make_nifti_head() + bytes(2**21))
        wait_for(api.left_behind, "the upload has begun")

    wait_for(api.holds_nothing, "the upload is gone")
    wait_for(lambda: 'reason="client-gone"' in api.client.get("/metrics").text, "the refusal is counted")


def test_a_body_that_does_not_arrive_is_given_up(tmp_path: Path) -> None:
    with (
        live_api(tmp_path, upload_timeout_s=0.2) as api,
        closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection,
    ):
        connection.sendall(make_head("Content-Length: 10000000") + make_nifti_head())
        answer = connection.recv(65536)

        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"upload-timed-out"' in answer
        wait_for(api.holds_nothing, "the upload is gone")


def test_with_too_little_room_on_the_disk_nothing_is_taken(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, min_free_bytes=2**60) as api:
        response = api.client.post("/v1/jobs", content=scan)

        check_refused(api, response, 507, "storage-full")
        assert "Retry-After" in response.headers


def test_with_too_many_jobs_waiting_no_more_are_taken(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, max_queued_jobs=1) as api:
        assert api.client.post("/v1/jobs", content=scan).status_code == 202
        before = api.left_behind()

        response = api.client.post("/v1/jobs", content=scan)

        assert (response.status_code, response.json()["code"]) == (503, "queue-full")
        assert "Retry-After" in response.headers
        assert api.left_behind() == before


class ReadOnlyJobStore(InMemoryJobStore):
    """A broker that is full: it can be read, and takes nothing."""

    def add(self, job: Job) -> None:
        """Raise Unavailable."""
        raise Unavailable("the broker is full")


def test_a_job_that_cannot_be_stored_leaves_no_files(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, jobs=ReadOnlyJobStore()) as api:
        response = api.client.post("/v1/jobs", content=scan)

        check_refused(api, response, 503, "unavailable")


class BrokenJobStore(InMemoryJobStore):
    """A store with a fault in its code."""

    def get(self, job_id: str) -> Job:
        """Raise what nobody expects."""
        raise RuntimeError("secret-of-the-house")


def test_an_error_that_nobody_thought_of_tells_the_client_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with live_api(tmp_path, jobs=BrokenJobStore()) as api:
        response = api.client.get(f"/v1/jobs/{make_job().id}", headers={"X-Request-ID": "request-1"})

    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["X-Request-ID"] == "request-1"
    assert "secret-of-the-house" not in response.text
    assert "request request-1 failed" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("PUT", "/v1/jobs", 405, "method-not-allowed"),
        ("GET", "/v1/jobs/", 404, "not-found"),
        ("GET", "/v1/jobs?limit=0", 422, "invalid-request"),
        ("GET", "/v1/jobs?state=sleeping", 422, "invalid-request"),
        ("GET", "/v1/jobs?cursor=first", 422, "invalid-request"),
        ("GET", f"/v1/jobs/{make_job().id}", 404, "job-not-found"),
        ("GET", "/v1/jobs/no-uuid", 404, "job-not-found"),
        ("GET", f"/v1/jobs/{make_job().id}/results", 404, "job-not-found"),
        ("GET", "/v1/jobs/no-uuid/results/anomaly.nii.gz", 404, "job-not-found"),
        ("POST", "/v1/jobs/no-uuid/cancel", 404, "job-not-found"),
        ("DELETE", f"/v1/jobs/{make_job().id}", 404, "job-not-found"),
        ("GET", "/v1/models/t9w", 404, "unknown-model"),
        ("GET", "/v1/models/t1w/versions/9", 404, "unknown-model"),
    ],
)
def test_every_error_is_a_problem_document(
    shared_api: LiveApi, method: str, path: str, status: int, code: str
) -> None:
    response = shared_api.client.request(method, path)

    check_refused(shared_api, response, status, code)


def test_a_wrong_field_is_named(api: LiveApi) -> None:
    response = api.client.get("/v1/jobs", params={"limit": "0"})

    assert [each["field"] for each in response.json()["errors"]] == ["query.limit"]
