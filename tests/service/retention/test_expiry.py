"""What becomes of jobs whose time is over."""

from pathlib import Path

import httpx
import pytest

from disyre.adapters.owner_index import InMemoryOwnerIndex
from disyre.errors import ArtifactsAway
from disyre.job import Job
from disyre.job_state import JobState
from service.orphans import Orphans
from tests.dicom_phantom import encoded, make_series
from tests.service.key_files import client_of
from tests.service.live_api import LiveApi, live_api
from tests.service.retention.clocks import Clocks, finish, finished, retention_of, run_down
from tests.zip_files import zipped_images


def test_a_job_says_when_it_expires_and_is_gone_then_with_its_files(
    api: LiveApi, pacs: httpx.Client, scan: bytes
) -> None:
    clocks = Clocks()
    retention = retention_of(api, clocks)
    path = pacs.post("/v1/jobs?model=t1w", content=scan, headers={"Idempotency-Key": "a"}).headers["Location"]
    assert pacs.get(path).json()["expires_at"] is None
    finish(api, path.rpartition("/")[2])

    run_down(retention, clocks, 1)
    assert pacs.get(f"{path}/results").status_code == 200
    run_down(retention, clocks, 2)

    assert clocks.expired == [path.rpartition("/")[2]]
    gone = [
        pacs.get(path),
        pacs.get(f"{path}/results"),
        pacs.get(f"{path}/results/summary.json"),
        pacs.post(f"{path}/cancel"),
        pacs.delete(path),
        pacs.post("/v1/jobs?model=t1w", content=scan, headers={"Idempotency-Key": "a"}),
    ]
    assert [(each.status_code, each.json()["code"]) for each in gone] == [(410, "job-expired")] * 6
    assert gone[-1].json()["detail"] == (
        "expected an Idempotency-Key whose job is still there, got one whose job has expired: "
        "to score the scan again, send it with another key"
    )
    assert (api.left_behind(), api.jobs.list(limit=9), pacs.get("/v1/jobs").json()["jobs"]) == ([], [], [])
    with client_of(api, "ward-3") as ward:
        assert ward.get(path).json()["code"] == ward.delete(path).json()["code"] == "job-not-found"
    with client_of(api, "boss") as boss:
        assert boss.get(path).status_code == 410


def test_the_owner_of_a_job_that_has_expired_has_it_no_more_nor_its_series(
    api: LiveApi, pacs: httpx.Client
) -> None:
    clocks, owners = Clocks(), InMemoryOwnerIndex()
    retention = retention_of(api, clocks, owners=owners)
    job_id = finished(api, pacs, zipped_images(encoded(make_series(6))))
    job = api.jobs.get(job_id)
    assert job.series_id is not None
    owners.note(job.owner, job_id, marks=job.marks)

    run_down(retention, clocks, 3)

    assert owners.list(job.owner, limit=9) == owners.list(job.owner, limit=9, mark=job.series_id) == []


def test_a_job_is_over_in_the_moment_that_it_says_though_its_files_are_removed_later(
    api: LiveApi, pacs: httpx.Client, scan: bytes
) -> None:
    clocks = Clocks()
    retention_of(api, clocks)
    key = {"Idempotency-Key": "a"}
    path = pacs.post("/v1/jobs?model=t1w&retention_s=60", content=scan, headers=key).headers["Location"]
    finish(api, path.rpartition("/")[2])

    clocks.pass_by(59)
    before = [pacs.get(path), pacs.get(f"{path}/results/summary.json"), pacs.get("/v1/jobs")]
    clocks.pass_by(1)

    assert [each.status_code for each in before] == [200] * 3
    assert len(before[-1].json()["jobs"]) == 1
    gone = [
        pacs.get(path),
        pacs.get(f"{path}/events"),
        pacs.get(f"{path}/results/summary.json"),
        pacs.post(f"{path}/retry"),
        pacs.delete(path),
        pacs.post("/v1/jobs?model=t1w&retention_s=60", content=scan, headers=key),
    ]
    assert [(each.status_code, each.json()["code"]) for each in gone] == [(410, "job-expired")] * 6
    assert api.left_behind()
    with client_of(api, "ward-3") as ward:
        assert ward.get(path).status_code == 404
    with client_of(api, "boss") as boss:
        assert boss.get(path).status_code == 410
        assert boss.get("/v1/jobs").json()["jobs"] == pacs.get("/v1/jobs").json()["jobs"] == []


def test_a_job_that_was_finished_under_a_steady_clock_is_removed_with_its_files_as_its_time_is_over(
    api: LiveApi, pacs: httpx.Client, scan: bytes
) -> None:
    clocks = Clocks()
    retention = retention_of(api, clocks)
    retention.expire_due()
    clocks.pass_by(5)
    path = pacs.post("/v1/jobs?retention_s=60", content=scan).headers["Location"]
    finish(api, path.rpartition("/")[2])

    clocks.pass_by(59)
    retention.expire_due()
    assert pacs.get(f"{path}/results/summary.json").status_code == 200
    clocks.pass_by(1)
    retention.expire_due()

    assert (clocks.expired, api.left_behind()) == ([path.rpartition("/")[2]], [])
    assert pacs.get(path).json()["code"] == "job-expired"


def test_a_job_whose_files_could_not_be_removed_yet_is_removed_with_them_later(
    api: LiveApi, pacs: httpx.Client, scan: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks()
    retention = retention_of(api, clocks)
    retention.expire_due()
    path = pacs.post("/v1/jobs?retention_s=60", content=scan).headers["Location"]
    finish(api, path.rpartition("/")[2])
    clocks.pass_by(61)

    with monkeypatch.context() as away:
        away.setattr(api.artifacts, "remove", bucket_is_away)
        with pytest.raises(ArtifactsAway):
            retention.expire_due()
    assert pacs.get(path).status_code == 410
    assert (clocks.expired, len(api.jobs.list(limit=9))) == ([], 1)
    retention.expire_due()

    assert (clocks.expired, api.left_behind()) == ([path.rpartition("/")[2]], [])


def test_a_job_whose_folder_is_away_as_its_time_is_over_is_removed_with_its_files_later(
    api: LiveApi, pacs: httpx.Client, scan: bytes
) -> None:
    clocks = Clocks()
    retention = retention_of(api, clocks)
    retention.expire_due()
    path = pacs.post("/v1/jobs?retention_s=60", content=scan).headers["Location"]
    finish(api, path.rpartition("/")[2])
    Orphans(api.jobs, api.artifacts).sweep()
    clocks.pass_by(61)
    unmounted = api.root.rename(api.root.with_name("unmounted"))
    api.root.mkdir()

    with pytest.raises(ArtifactsAway):
        retention.expire_due()
    assert (clocks.expired, len(api.jobs.list(limit=9))) == ([], 1)
    api.root.rmdir()
    unmounted.rename(api.root)
    retention.expire_due()

    assert (clocks.expired, api.left_behind()) == ([path.rpartition("/")[2]], [])


def bucket_is_away(job_id: str) -> None:
    raise ArtifactsAway("expected an answer of the bucket, got none")


def test_a_job_that_is_queued_again_in_the_moment_that_its_time_is_over_keeps_its_files(
    api: LiveApi, pacs: httpx.Client, scan: bytes
) -> None:
    clocks = Clocks()
    retention = retention_of(api, clocks)
    retention.expire_due()
    job_id = str(pacs.post("/v1/jobs?retention_s=60", content=scan).json()["id"])
    api.jobs.update(job_id, lambda job: job.request_cancel(at=api.jobs.now()))
    clocks.pass_by(61)
    meanwhile = pytest.MonkeyPatch()

    def get_and_retry(wanted: str) -> Job:
        meanwhile.undo()
        seen = api.jobs.get(wanted)
        api.jobs.update(job_id, lambda job: job.retry(at=api.jobs.now()))
        return seen

    meanwhile.setattr(api.jobs, "get", get_and_retry)
    retention.expire_due()

    assert (clocks.expired, api.jobs.get(job_id).state) == ([], JobState.QUEUED)
    assert api.left_behind()


def test_jobs_that_have_to_wait_for_a_steady_clock_stand_in_the_way_of_no_other(
    api: LiveApi, pacs: httpx.Client, scan: bytes
) -> None:
    clocks = Clocks()
    retention = retention_of(api, clocks)
    before = [str(pacs.post("/v1/jobs?retention_s=600", content=scan).json()["id"]) for _ in range(3)]
    for job_id in before:
        finish(api, job_id)
    clocks.pass_by(500)
    retention.expire_due()  # the first look at the clock
    after = str(pacs.post("/v1/jobs?retention_s=600", content=scan).json()["id"])
    finish(api, after)

    clocks.pass_by(600)
    retention.expire_due()
    assert clocks.expired == [after]
    clocks.pass_by(3000)
    retention.expire_due()

    assert sorted(clocks.expired) == sorted([after, *before])


def test_a_page_of_everybodys_jobs_goes_on_over_those_that_are_over(api: LiveApi, scan: bytes) -> None:
    clocks = Clocks()
    retention_of(api, clocks)
    with client_of(api, "boss") as boss:
        kept = finished(api, boss, scan)
        for _ in range(3):
            over = boss.post("/v1/jobs?retention_s=60", content=scan).json()["id"]
            finish(api, over)
        clocks.pass_by(60)

        page = boss.get("/v1/jobs?limit=2").json()

    assert [job["id"] for job in page["jobs"]] == [kept]


def test_a_job_may_be_kept_for_less_and_not_for_more(api: LiveApi, pacs: httpx.Client, scan: bytes) -> None:
    retention_of(api, Clocks())
    less = pacs.post("/v1/jobs?retention_s=3600", content=scan).json()["id"]
    more = pacs.post(f"/v1/jobs?retention_s={3 * 86400}", content=scan)
    far_more = pacs.post("/v1/jobs?retention_s=99999999999", content=scan)
    finish(api, less)

    assert pacs.get(f"/v1/jobs/{less}").json()["expires_at"] == "2026-01-01T13:00:00Z"
    assert (more.status_code, more.json()["code"]) == (422, "invalid-params")
    assert more.json()["detail"] == "expected a retention_s of at most 172800, got 259200"
    assert far_more.json()["detail"] == "expected a retention_s of at most 172800, got 99999999999"


@pytest.mark.parametrize(("query", "expires_at"), [("", None), ("?retention_s=3600", "2026-01-01T13:00:00Z")])
def test_a_service_that_keeps_jobs_still_removes_those_that_ask_for_it(
    tmp_path: Path, scan: bytes, query: str, expires_at: str | None
) -> None:
    with live_api(tmp_path, retention_s=0) as api:
        retention_of(api, Clocks())
        job_id = api.client.post(f"/v1/jobs{query}", content=scan).json()["id"]
        finish(api, job_id)

        assert api.client.get(f"/v1/jobs/{job_id}").json()["expires_at"] == expires_at
        longer = api.client.post("/v1/jobs?retention_s=99999999999", content=scan)
        assert longer.json()["detail"] == "expected a retention_s of at most 3153600000, got 99999999999"


def test_a_job_that_another_process_removed_meanwhile_is_no_trouble(
    api: LiveApi, pacs: httpx.Client, scan: bytes
) -> None:
    clocks = Clocks()
    retention = retention_of(api, clocks)
    job_id = finished(api, pacs, scan)

    api.jobs.remove(job_id)
    run_down(retention, clocks, 3)

    assert pacs.get(f"/v1/jobs/{job_id}").status_code == 404
