"""The API over a bucket: as over a folder, and with clear words where the bucket does not do its part."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.bucket import Bucket
from disyre.adapters.bucket_artifact_store import BucketArtifactStore
from disyre.adapters.clock_marks import InMemoryClockMarks
from disyre.adapters.expiry import InMemoryExpiry
from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.owner_index import InMemoryOwnerIndex
from disyre.adapters.task_queue import InMemoryTaskQueue
from disyre.job import Job
from disyre.job_state import JobState
from service.caretaker import Caretaker
from service.orphans import Orphans
from service.reaper import Reaper
from service.retention import Retention
from service.steady_clock import SteadyClock
from service.withdrawals import Withdrawals
from tests.builders import JOB_ID, NOON, make_job
from tests.live_bucket import NOBODY_LISTENS, Line, answering, connect, make_bucket, silent
from tests.service.live_api import LiveApi, live_api, succeed

OTHER_ID = JOB_ID.replace("0001", "0002")
FILES = {"map.nii.gz": bytes(range(256)) * 64, "summary.json": b"{}"}


def over(bucket: Bucket, tmp_path: Path) -> BucketArtifactStore:
    return BucketArtifactStore(bucket, tmp_path / "data")


def files_of(api: LiveApi) -> list[Path]:
    return [path for path in api.root.rglob("*") if path.is_file()]


def post(api: LiveApi, scan: bytes) -> httpx.Response:
    return api.client.post("/v1/jobs", content=scan, params={"model": "t1w"})


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (None, 503, "artifacts-unavailable"),
        ((403, "AccessDenied"), 503, "artifacts-unavailable"),
        ((503, "SlowDown"), 503, "artifacts-unavailable"),
        ((507, "InsufficientStorage"), 507, "storage-full"),
    ],
)
def test_an_upload_that_the_bucket_does_not_take_is_refused_and_is_no_job(
    tmp_path: Path,
    scan: bytes,
    answer: tuple[int, str] | None,
    status: int,
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        answering(answer or (500, "")) as endpoint,
        live_api(tmp_path, files=over(connect(endpoint if answer else NOBODY_LISTENS), tmp_path)) as api,
    ):
        response = post(api, scan)

        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.headers["Retry-After"]
        assert "bucket" in response.json()["detail"]
        assert status == 507 or response.json()["detail"] in caplog.messages, "the operator reads why"
        assert not api.jobs.list(limit=1)
        assert not api.queue.job_ids
        assert files_of(api) == []


def test_without_its_bucket_the_service_is_not_ready_and_tells_of_jobs_all_the_same(tmp_path: Path) -> None:
    with live_api(tmp_path, files=over(connect(NOBODY_LISTENS), tmp_path)) as api:
        job = make_job()
        api.jobs.add(job)
        ready = api.client.get("/readyz")

        assert (ready.status_code, ready.json()["checks"]["artifacts"]) == (503, False)
        assert api.client.get(f"/v1/jobs/{job.id}").status_code == 200


def running(api: LiveApi) -> Job:
    job = make_job()
    api.jobs.add(job)
    return api.jobs.update(job.id, lambda job: job.start(at=NOON))


REQUESTS = [
    ("GET", {}),
    ("HEAD", {}),
    ("GET", {"Range": "bytes=100-199"}),
    ("GET", {"Range": "bytes=-5"}),
    ("GET", {"Range": "bytes=0-9,100-109"}),
    ("GET", {"Range": "bytes=99999999-"}),
    ("GET", {"Range": "bytes=0-9", "If-Range": '"other"'}),
    ("GET", {"If-None-Match": "*"}),
]


def test_results_in_a_bucket_are_served_as_those_in_a_folder(tmp_path: Path, s3: str) -> None:
    bucket = make_bucket(s3, "results-as-in-a-folder")
    seen = []
    stores: list[ArtifactStore] = [
        FolderArtifactStore(tmp_path / "folder" / "data"),
        over(bucket.connect(), tmp_path / "bucket"),
    ]
    for name, store in zip(("folder", "bucket"), stores, strict=True):
        with live_api(tmp_path / name, files=store) as api:
            job = running(api)
            with store.incoming() as folder:
                (folder / "000001").write_bytes(b"scan")
                store.accept(folder, job.id)
            succeed(api, job, FILES, store)
            path = f"/v1/jobs/{job.id}/results/map.nii.gz"
            answers = [api.client.request(method, path, headers=headers) for method, headers in REQUESTS]
            seen.append([without_times(answer) for answer in answers])

    assert seen[0] == seen[1]
    assert [status for status, _, _ in seen[0]] == [200, 200, 206, 206, 206, 416, 200, 304]
    assert seen[1][0][2] == FILES["map.nii.gz"]


def without_times(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    boundary = answer.headers.get("content-type", "").partition("boundary=")[2].encode() or b"no boundary"
    changing = ("date", "last-modified", "x-request-id", "content-type", "traceparent")
    headers = {name: value for name, value in answer.headers.items() if name not in changing}
    return answer.status_code, headers, answer.content.replace(boundary, b"")


def test_a_job_that_cannot_be_deleted_now_can_be_once_the_bucket_is_back(
    tmp_path: Path, scan: bytes, s3: str
) -> None:
    bucket = make_bucket(s3, "deleted-later")
    line = Line(bucket.endpoint)
    store = over(bucket.connect(line.address, timeout_s=2.0), tmp_path)
    with live_api(tmp_path, files=store) as api:
        job_id = post(api, scan).json()["id"]
        assert set(bucket.objects()) == {f"disyre/jobs/{job_id}/input.tar"}
        line.is_cut = True
        line.drop()

        response = api.client.delete(f"/v1/jobs/{job_id}")
        assert (response.status_code, response.json()["code"]) == (503, "artifacts-unavailable")
        assert api.client.get(f"/v1/jobs/{job_id}").json()["state"] == "canceled"

        line.is_cut = False
        assert api.client.delete(f"/v1/jobs/{job_id}").status_code == 204
        assert bucket.objects() == {}
    line.close()


def test_while_the_bucket_is_away_lost_jobs_are_brought_back_and_withdrawn_ones_forgotten(
    tmp_path: Path,
) -> None:
    store = over(connect(NOBODY_LISTENS), tmp_path)
    store.prepare()
    jobs, queue = InMemoryJobStore(), InMemoryTaskQueue()
    lost, withdrawn = make_job(), make_job(OTHER_ID)
    jobs.add(lost, withdrawn)
    withdrawals = Withdrawals(jobs, store)
    withdrawals.note(withdrawn.id)
    clock = SteadyClock(InMemoryClockMarks(), None)
    retention = Retention(jobs, InMemoryExpiry(jobs), InMemoryOwnerIndex(), store, clock, tombstone_s=60)
    caretaker = Caretaker(
        Reaper(jobs, queue, store, grace_s=0.0, settle_s=0.0),
        withdrawals,
        Orphans(jobs, store),
        retention,
        store,
        upload_timeout_s=60,
    )

    for _ in range(3):
        caretaker.take_care()

    assert queue.job_ids == [lost.id]
    assert [job.state for job in jobs.list(limit=9)] == [JobState.QUEUED]


def test_who_waits_for_files_in_a_bucket_that_stands_still_is_in_no_others_way(tmp_path: Path) -> None:
    elsewhere = FolderArtifactStore(tmp_path / "elsewhere")
    elsewhere.prepare()
    with (
        silent() as endpoint,
        live_api(tmp_path, files=over(connect(endpoint, timeout_s=2.0), tmp_path)) as api,
        ThreadPoolExecutor(60) as threads,
    ):
        job = running(api)
        with elsewhere.incoming() as folder:
            (folder / "000001").write_bytes(b"scan")
            elsewhere.accept(folder, job.id)
        succeed(api, job, FILES, elsewhere)
        path = f"/v1/jobs/{job.id}"
        wanted = [f"{path}/results/{name}" for name in FILES] * 30
        asked = [threads.submit(api.client.get, each, timeout=60.0) for each in wanted]
        time.sleep(1.0)  # all of them have come, and more than there are threads of handlers

        told = api.client.get(path)

        assert told.status_code == 200
        assert not any(each.done() for each in asked)
        assert {each.result().status_code for each in asked} == {503}
