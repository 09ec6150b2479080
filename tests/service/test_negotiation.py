"""What becomes of the header `Accept`."""

import pytest

from tests.builders import NOON, make_job
from tests.service.live_api import SUMMARY_FILE, LiveApi, succeed
from tests.service.refused import check_refused

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        *("", "*/*", BROWSER, "application/json", "Application/JSON; charset=utf-8", "application/*"),
        *("application/xml, application/json;q=0.1", "nonsense", "*/*;q=high", "text/html,*/*;q=0.1"),
    ],
)
def test_who_takes_json_or_anything_gets_it(shared_api: LiveApi, accept: str) -> None:
    response = shared_api.client.get("/v1/models", headers={"Accept": accept})

    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("accept", ["application/xml", "text/*", "*/*, application/json;q=0", "*/*;q=0"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/models"), ("POST", "/v1/jobs")])
def test_who_does_not_take_what_there_is_is_told_so_and_nothing_is_done(
    api: LiveApi, scan: bytes, method: str, path: str, accept: str
) -> None:
    response = api.client.request(method, path, content=scan, headers={"Accept": accept})

    check_refused(api, response, 406, "not-acceptable")
    assert "application/json" in response.json()["detail"]


@pytest.mark.parametrize(
    ("name", "accept", "status"),
    [
        ("mask.nii.gz", "application/gzip", 200),
        ("mask.nii.gz", "application/octet-stream", 200),
        ("mask.nii.gz", "application/json", 406),
        ("summary.json", "application/json", 200),
        ("summary.json", "image/*", 406),
    ],
)
def test_a_result_is_what_it_is_or_bytes(
    api: LiveApi, scan: bytes, name: str, accept: str, status: int
) -> None:
    job_id = api.client.post("/v1/jobs?model=t1w", content=scan).json()["id"]
    job = api.jobs.update(job_id, lambda job: job.start(at=NOON))
    succeed(api, job, {name: SUMMARY_FILE})

    response = api.client.get(f"/v1/jobs/{job_id}/results/{name}", headers={"Accept": accept})

    assert response.status_code == status


def test_events_are_only_for_who_takes_events_and_what_has_no_body_is_for_everybody(api: LiveApi) -> None:
    job = make_job()
    api.jobs.add(job)
    path = f"/v1/jobs/{job.id}"

    assert api.client.get(f"{path}/events", headers={"Accept": "application/json"}).status_code == 406
    with api.client.stream("GET", f"{path}/events", headers={"Accept": "text/event-stream"}) as events:
        assert events.status_code == 200
    assert api.client.delete(path, headers={"Accept": "image/png"}).status_code == 204


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"])
def test_probes_are_answered_whatever_they_take(shared_api: LiveApi, path: str) -> None:
    assert shared_api.client.get(path, headers={"Accept": "image/png"}).status_code == 200
