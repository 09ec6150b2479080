"""Errors: whatever goes wrong, the answer is a problem document."""

from pathlib import Path
from typing import Any

import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.errors import Unavailable, Undecided
from disyre.job import Job
from tests.builders import NOON, make_job
from tests.live import wait_for
from tests.service.live_api import LiveApi, live_api
from tests.service.refused import check_refused


class ReadOnlyJobStore(InMemoryJobStore):
    """A broker that is full: it can be read, and takes nothing."""

    def add(self, *jobs: Job, **options: Any) -> None:
        """Raise Unavailable."""
        raise Unavailable("the broker is full")


def test_a_job_that_cannot_be_stored_leaves_no_files(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, jobs=ReadOnlyJobStore()) as api:
        response = api.client.post("/v1/jobs", content=scan)

        check_refused(api, response, 503, "unavailable")


class ForgetfulJobStore(InMemoryJobStore):
    """A broker that takes jobs, and does not answer."""

    begins = False

    def add(self, *jobs: Job, **options: Any) -> None:
        """Store, and raise Undecided."""
        super().add(*jobs, **options)
        for job in jobs if self.begins else ():
            self.update(job.id, lambda job: job.start(at=NOON))
        raise Undecided("the broker does not answer")


def test_a_job_that_may_be_stored_keeps_its_files_until_it_is_withdrawn(tmp_path: Path, scan: bytes) -> None:
    jobs = ForgetfulJobStore()
    with live_api(tmp_path, jobs=jobs, reap_interval_s=0.5) as api:
        response = api.client.post("/v1/jobs", content=scan)

        assert (response.status_code, response.json()["code"]) == (503, "unavailable")
        assert "Retry-After" in response.headers
        wait_for(lambda: not jobs.list(limit=1), "the job is withdrawn")
        wait_for(api.holds_nothing, "its files are gone")
        assert api.client.post("/v1/jobs", content=scan).status_code == 503
        assert len(api.artifacts.input_file(jobs.waiting()[0], "000001").read_bytes()) == len(scan)


def test_a_job_that_has_begun_is_not_withdrawn(
    tmp_path: Path, scan: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = ForgetfulJobStore()
    jobs.begins = True
    with live_api(tmp_path, jobs=jobs, reap_interval_s=0.05) as api:
        assert api.client.post("/v1/jobs", content=scan).status_code == 503

        wait_for(lambda: "runs, though whoever sent it" in caplog.text, "the withdrawal was tried")
        (job_id,) = jobs.running()
        assert api.artifacts.input_file(job_id, "000001").is_file()


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
    assert "request request-1 failed: RuntimeError\n" in caplog.text
    assert "RuntimeError: secret-of-the-house" not in caplog.text


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
        ("GET", "/v2/models/t9w/ready", 404, "unknown-model"),
    ],
)
def test_every_error_is_a_problem_document(
    shared_api: LiveApi, method: str, path: str, status: int, code: str
) -> None:
    response = shared_api.client.request(method, path)

    check_refused(shared_api, response, status, code)


@pytest.mark.parametrize(
    ("path", "instance", "job_id"),
    [
        (f"/v1/jobs/{make_job().id}", f"/v1/jobs/{make_job().id}", make_job().id),
        (f"/v1/jobs/{make_job().id}?ZZCANARY=1", f"/v1/jobs/{make_job().id}", make_job().id),
        (f"/v1/job%73/{make_job().id}", f"/v1/job%73/{make_job().id}", make_job().id),
        (f"/v1/jobs/{make_job().id}/results/mask.nii.gz",) * 2 + (make_job().id,),
        (f"/v1/jobs/{make_job().id}/results/ZZCANARY", None, make_job().id),
        (f"/v1/jobs/{make_job().id}/results/canary", None, make_job().id),
        ("/v1/jobs/ZZCANARY", None, None),
        ("/v1/jobs/18770623", None, None),
        ("/v1/models/t9w", "/v1/models/t9w", None),
        ("/v1/models/t9w/versions/2", "/v1/models/t9w/versions/2", None),
        ("/v1/models/t9w/versions/18770623", None, None),
        ("/v1/models/ZZCANARY", None, None),
        ("/v1/models/18770623", None, None),
        ("/ZZCANARY", None, None),
        ("/docs/assets/ZZCANARY", None, None),
    ],
)
def test_an_address_is_repeated_as_it_was_asked_for_if_nothing_in_it_is_unknown(
    shared_api: LiveApi, path: str, instance: str | None, job_id: str | None
) -> None:
    problem = shared_api.client.get(path).json()

    assert (problem.get("instance"), problem.get("job_id")) == (instance, job_id)
    assert "ZZCANARY" not in str(problem)


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/v1/nothing", "expected an address of this API"),
        ("PUT", "/v1/jobs", "expected one of GET, POST at this address"),
    ],
)
def test_who_calls_what_there_is_not_is_told_what_there_is(
    shared_api: LiveApi, method: str, path: str, words: str
) -> None:
    assert words in shared_api.client.request(method, path).json()["detail"]


def test_a_wrong_field_is_named(api: LiveApi) -> None:
    response = api.client.get("/v1/jobs", params={"limit": "0"})

    assert [each["field"] for each in response.json()["errors"]] == ["query.limit"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "GET, POST"),
        ("PUT", f"/v1/jobs/{make_job().id}", "GET, DELETE"),
        ("POST", f"/v1/jobs/{make_job().id}/results/summary.json", "GET, HEAD"),
        ("DELETE", "/livez", "GET, HEAD"),
    ],
)
def test_who_uses_a_method_that_there_is_not_is_told_all_that_there_are(
    api: LiveApi, method: str, path: str, allowed: str
) -> None:
    response = api.client.request(method, path)

    assert (response.status_code, response.headers["Allow"]) == (405, allowed)
