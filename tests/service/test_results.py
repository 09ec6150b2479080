"""The files that a job gave, on their way to the client."""

import base64
import hashlib
from typing import Any

import httpx
import pytest

from disyre import INTENDED_USE
from disyre.job import Job, JobProblem
from tests.builders import JOB_ID, NOON, make_job
from tests.service.live_api import SUMMARY_FILE, LiveApi, succeed

MAP = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(MAP)
DIGEST = f"sha-256=:{base64.b64encode(SHA256.digest()).decode()}:"
ETAG = f'"{SHA256.hexdigest()}"'
PATH = f"/v1/jobs/{JOB_ID}/results/anomaly.nii.gz"


@pytest.fixture
def finished(api: LiveApi) -> Job:
    """A job with results."""
    api.artifacts.accept(make_incoming(api), JOB_ID)
    api.jobs.add(make_job())
    running = api.jobs.update(JOB_ID, lambda job: job.start(at=NOON))
    return succeed(api, running, {"anomaly.nii.gz": MAP, "summary.json": SUMMARY_FILE})


def make_incoming(api: LiveApi) -> Any:
    folder = api.root / "incoming" / "made"
    folder.mkdir()
    return folder


def test_the_manifest_names_every_file_and_where_it_is(api: LiveApi, finished: Job) -> None:
    manifest = api.client.get(f"/v1/jobs/{finished.id}/results").json()

    assert manifest["intended_use"] == INTENDED_USE
    assert manifest["model"]["provider"] == "CPUExecutionProvider"
    assert manifest["results"][0] == {
        "name": "anomaly.nii.gz",
        "kind": "anomaly",
        "media_type": "application/gzip",
        "size_bytes": len(MAP),
        "sha256": SHA256.hexdigest(),
        "href": PATH,
    }
    assert api.client.get(manifest["results"][1]["href"]).content == SUMMARY_FILE


def test_a_file_arrives_whole_and_can_be_proved_to(api: LiveApi, finished: Job) -> None:
    response = api.client.get(PATH)

    assert (response.status_code, response.content) == (200, MAP)
    assert response.headers["Content-Type"] == "application/gzip"
    assert "Content-Encoding" not in response.headers
    assert response.headers["Content-Length"] == str(len(MAP))
    assert response.headers["ETag"] == ETAG
    assert (response.headers["Content-Digest"], response.headers["Repr-Digest"]) == (DIGEST, DIGEST)
    assert response.headers["Content-Disposition"] == 'attachment; filename="anomaly.nii.gz"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "media_type"), [("pm.dcm", "application/dicom"), ("sc.zip", "application/zip")]
)
def test_results_as_dicom_are_said_to_be_what_they_are(api: LiveApi, name: str, media_type: str) -> None:
    api.artifacts.accept(make_incoming(api), JOB_ID)
    api.jobs.add(make_job())
    succeed(api, api.jobs.update(JOB_ID, lambda job: job.start(at=NOON)), {name: MAP})

    path = f"/v1/jobs/{JOB_ID}/results/{name}"
    whole = api.client.get(path, headers={"Accept": media_type})
    part = api.client.get(path, headers={"Range": "bytes=0-9"})
    refused = api.client.get(path, headers={"Accept": "image/png"})

    assert (whole.status_code, whole.content) == (200, MAP)
    assert whole.headers["Content-Type"] == part.headers["Content-Type"] == media_type
    assert whole.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert (part.status_code, refused.status_code) == (206, 406)


def test_the_headers_of_a_file_can_be_had_alone(api: LiveApi, finished: Job) -> None:
    response = api.client.head(PATH)

    assert (response.status_code, response.content, response.headers["ETag"]) == (200, b"", ETAG)


def test_a_file_that_the_client_has_is_not_sent_again(api: LiveApi, finished: Job) -> None:
    response = api.client.get(PATH, headers={"If-None-Match": f'"other", {ETAG}'})

    assert (response.status_code, response.content) == (304, b"")


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=1000-", 1000, None),
        ("bytes=-7", -7, None),
        ("bytes=5-99999999", 5, None),
        ("bytes=0-9999999999999999999", 0, None),
        ("bytes=-99999999999999999999", 0, None),
        ("bytes=5-" + "9" * 5000, 5, None),
        ("bytes=" + "0" * 5000 + "5-00000000000000000000006", 5, 7),
    ],
)
def test_a_part_of_a_file_can_be_had(
    api: LiveApi, finished: Job, wanted: str, start: int, stop: int | None
) -> None:
    response = api.client.get(PATH, headers={"Range": wanted})

    assert (response.status_code, response.content) == (206, MAP[start:stop])
    assert response.headers["Content-Range"].endswith(f"/{len(MAP)}")
    assert response.headers["Repr-Digest"] == DIGEST
    assert "Content-Digest" not in response.headers  # it would have to be that of the part


def test_a_download_is_resumed_only_if_the_file_is_the_same(api: LiveApi, finished: Job) -> None:
    same = api.client.get(PATH, headers={"Range": "bytes=1000-", "If-Range": ETAG})
    other = api.client.get(PATH, headers={"Range": "bytes=1000-", "If-Range": '"other"'})

    assert (same.status_code, same.content) == (206, MAP[1000:])
    assert (other.status_code, other.content) == (200, MAP)


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        (f"bytes={len(MAP)}-", 416, "range-not-satisfiable"),
        ("bytes=" + "9" * 5000 + "-", 416, "range-not-satisfiable"),
        ("bytes=-0", 416, "range-not-satisfiable"),
        ("bytes=0-1,999999-", 416, "range-not-satisfiable"),
        ("bytes=9-1", 400, "malformed-request"),
        ("bytes=", 400, "malformed-request"),
        ("bytes=a-b", 400, "malformed-request"),
        ("bytes", 400, "malformed-request"),
    ],
)
def test_a_range_that_cannot_be_had_is_a_problem(
    api: LiveApi, finished: Job, wanted: str, status: int, code: str
) -> None:
    response = api.client.get(PATH, headers={"Range": wanted})

    check_problem(response, status, code)
    if status == 416:
        assert response.headers["Content-Range"] == f"bytes */{len(MAP)}"


MANY = "bytes=" + ",".join(f"{n}-{n}" for n in range(101))


@pytest.mark.parametrize("wanted", ["voxels=0-1", "items=0-1,5-", "none", MANY])
def test_a_range_in_a_unit_that_nobody_knows_or_of_very_many_parts_is_ignored(
    api: LiveApi, finished: Job, wanted: str
) -> None:
    response = api.client.get(PATH, headers={"Range": wanted})

    assert (response.status_code, response.content) == (200, MAP)
    assert response.headers["Content-Digest"] == DIGEST


@pytest.mark.parametrize("wanted", ["bytes=1-", "bytes=-1", "bytes=0-0,5-6", "bytes=999999-", "bytes=9-1"])
def test_json_is_sent_whole_whatever_part_is_wanted(api: LiveApi, finished: Job, wanted: str) -> None:
    path = f"/v1/jobs/{JOB_ID}/results/summary.json"
    response = api.client.get(path, headers={"Range": wanted})
    head = api.client.head(path, headers={"Range": wanted})

    assert (response.status_code, response.content) == (200, SUMMARY_FILE)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(SUMMARY_FILE)))
    assert response.headers["Accept-Ranges"] == head.headers["Accept-Ranges"] == "none"
    assert api.client.head(PATH).headers["Accept-Ranges"] == "bytes"


def check_problem(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["job_id"] == JOB_ID
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["other.nii.gz", "..%2F..%2Finput%2F000001", "%00"])
def test_a_file_that_the_job_did_not_give_is_not_found(api: LiveApi, finished: Job, name: str) -> None:
    response = api.client.get(f"/v1/jobs/{JOB_ID}/results/{name}")

    assert response.status_code == 404
    assert response.json()["code"] in ("artifact-not-found", "not-found")


@pytest.mark.parametrize("path", [f"/v1/jobs/{JOB_ID}/results", PATH])
def test_a_job_that_is_not_finished_has_no_results(api: LiveApi, path: str) -> None:
    api.jobs.add(make_job())

    check_problem(api.client.get(path), 409, "job-not-finished")


@pytest.mark.parametrize("path", [f"/v1/jobs/{JOB_ID}/results", PATH])
def test_a_job_that_failed_has_no_results(api: LiveApi, path: str) -> None:
    api.jobs.add(make_job())
    problem = JobProblem(code="empty-image", detail="nothing to score")
    api.jobs.update(JOB_ID, lambda job: job.start(at=NOON).fail(problem, attempt=1, at=NOON))

    check_problem(api.client.get(path), 409, "job-without-results")
