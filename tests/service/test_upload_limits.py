"""What is too large, too slow or too much: refused early, and without a trace."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.middleware import MOST_READ_AFTER_REFUSAL_BYTES
from tests.dicom_phantom import encoded, make_series
from tests.live import wait_for
from tests.service.live_api import PATIENCE_S, LiveApi, live_api
from tests.service.refused import check_refused
from tests.service.series.made_series import T1W
from tests.zip_files import zipped_images


def test_too_many_files_are_refused(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, max_files=2) as api:
        response = api.client.post("/v1/jobs", files=[("file", scan)] * 3)

        check_refused(api, response, 413, "too-large")


def test_a_limit_of_one_is_told_in_the_singular(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, max_files=1) as api:
        response = api.client.post("/v1/jobs", files=[("file", scan)] * 2)

        assert response.json()["detail"] == "expected at most 1 file"


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
    return "\r\n".join(["POST /v1/jobs HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def test_a_body_that_is_announced_above_the_limit_is_never_asked_for(api: LiveApi) -> None:
    with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
        connection.sendall(make_head("Content-Length: 1000000000000", "Expect: 100-continue"))
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too-large"' in answer
    assert api.holds_nothing()


def test_a_client_that_sends_all_before_it_listens_reads_why_it_is_refused(api: LiveApi) -> None:
    """The standard library's client is such a one; to it a connection closed early is a broken pipe."""
    url = "http://{}:{}/v1/jobs?priority=hello".format(*api.address)

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, data=bytes(50_000_000)), timeout=PATIENCE_S)

    assert refused.value.code == 422
    assert b'"code":"invalid-params"' in refused.value.read()
    assert api.holds_nothing()


def test_a_large_body_is_not_waited_for_once_it_is_refused(tmp_path: Path) -> None:
    with (
        live_api(tmp_path, max_upload_bytes=1000) as api,
        closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection,
    ):
        connection.sendall(make_head(f"Content-Length: {2 * MOST_READ_AFTER_REFUSAL_BYTES}"))
        answer = connection.recv(65536)

        assert answer.startswith(b"HTTP/1.1 413 ")


def test_the_connection_of_a_refused_body_can_be_used_again(api: LiveApi) -> None:
    refused = api.client.post("/v1/jobs", params={"priority": "hello"}, content=bytes(5_000_000))

    assert refused.status_code == 422
    assert "close" not in refused.headers.get("Connection", "")
    assert api.client.get("/livez").status_code == 200


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


def test_scans_with_too_many_voxels_together_wait_their_turn(tmp_path: Path, scan: bytes) -> None:
    n_voxels = 40 * 48 * 36
    with live_api(tmp_path, max_queued_voxels=3 * n_voxels - 1) as api:
        first, second, third = (api.client.post("/v1/jobs", content=scan) for _ in range(3))
        study = api.client.post("/v1/studies", content=zipped_images(encoded(make_series(**T1W))))
        api.client.post(f"/v1/jobs/{first.json()['id']}/cancel")
        fourth = api.client.post("/v1/jobs", content=scan)

    assert [each.status_code for each in (first, second, third, study, fourth)] == [202, 202, 503, 202, 202]
    assert third.json()["code"] == "queue-full"
    assert third.json()["detail"] == (
        f"expected at most {3 * n_voxels - 1} voxels in all scans that wait or run, got {2 * n_voxels} and "
        f"{n_voxels} more"
    )
    assert third.headers["Retry-After"] == "5"


def test_a_scan_with_more_voxels_than_may_wait_is_taken_while_there_is_no_other(
    tmp_path: Path, scan: bytes
) -> None:
    with live_api(tmp_path, max_queued_voxels=1) as api:
        statuses = [api.client.post("/v1/jobs", content=scan).status_code for _ in range(2)]

    assert statuses == [202, 503]
