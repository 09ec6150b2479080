"""A data folder that is away, cannot be written or is another one: nobody is told that files are gone."""

import logging
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from disyre.adapters.clock_marks import InMemoryClockMarks
from disyre.adapters.expiry import InMemoryExpiry
from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.owner_index import InMemoryOwnerIndex
from disyre.adapters.task_queue import InMemoryTaskQueue
from disyre.job import Job
from disyre.job_state import JobState
from disyre.store_mark import StoreMark
from service.caretaker import Caretaker
from service.orphans import Orphans
from service.reaper import Reaper
from service.retention import Retention
from service.steady_clock import SteadyClock
from service.withdrawals import Withdrawals
from tests.builders import JOB_ID, NOON, make_job
from tests.live import wait_for
from tests.service.dicomweb.storing import files, store
from tests.service.dicomweb.test_workitems import create
from tests.service.live_api import LiveApi, live_api, succeed

FILES = {"map.nii.gz": bytes(range(256)), "summary.json": b"{}"}
MARK = StoreMark(id=JOB_ID, count=1)


def leave(root: Path) -> None:
    no_root(root)
    root.mkdir()


def no_root(root: Path) -> None:
    root.rename(root.with_name("unmounted"))


def come_back(root: Path) -> None:
    if root.exists():
        root.rmdir()
    root.with_name("unmounted").rename(root)


def post(api: LiveApi, scan: bytes) -> httpx.Response:
    return api.client.post("/v1/jobs", content=scan, params={"model": "t1w"})


def scored(api: LiveApi, scan: bytes) -> Job:
    job_id = post(api, scan).json()["id"]
    return succeed(api, api.jobs.update(job_id, lambda job: job.start(at=NOON)), FILES)


def mark(api: LiveApi) -> None:
    """As the first look for files without a record does."""
    Orphans(api.jobs, api.artifacts).sweep()


def assert_away(response: httpx.Response) -> None:
    assert (response.status_code, response.json()["code"]) == (503, "artifacts-unavailable")
    assert response.headers["Retry-After"]
    assert "folder that scans and results are kept in" in response.json()["detail"]


@pytest.mark.parametrize("go", [leave, no_root])
def test_while_the_folder_is_away_nothing_counts_as_gone_and_all_goes_on_afterwards(
    api: LiveApi, scan: bytes, go: Callable[[Path], None]
) -> None:
    job = scored(api, scan)
    failed = api.client.post(f"/v1/jobs/{post(api, scan).json()['id']}/cancel").json()["id"]
    result = f"/v1/jobs/{job.id}/results/map.nii.gz"
    mark(api)
    assert api.client.get("/readyz").json()["checks"]["artifacts"]
    go(api.root)

    ready = api.client.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["artifacts"]) == (503, False)
    for answer in (
        api.client.get(result),
        post(api, scan),
        api.client.post(f"/v1/jobs/{failed}/retry"),
        api.client.delete(f"/v1/jobs/{job.id}"),
    ):
        assert_away(answer)
    assert api.client.get(f"/v1/jobs/{job.id}").json()["state"] == "succeeded"
    come_back(api.root)

    assert api.client.get("/readyz").json()["checks"]["artifacts"]
    assert post(api, scan).status_code == 202
    assert api.client.delete(f"/v1/jobs/{job.id}").status_code == 204
    assert not (api.root / "jobs" / job.id).exists()


def test_a_job_whose_files_cannot_be_removed_is_not_deleted(
    api: LiveApi, scan: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = scored(api, scan)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_, **__: None)  # as on a file system that is read-only

        answer = api.client.delete(f"/v1/jobs/{job.id}")

        assert (answer.status_code, answer.json()["code"]) == (503, "artifacts-unavailable")
    assert api.jobs.get(job.id).is_leaving

    assert api.client.delete(f"/v1/jobs/{job.id}").status_code == 204
    assert not (api.root / "jobs" / job.id).exists()


def test_an_api_with_another_folder_than_that_of_the_jobs_takes_no_scan(tmp_path: Path, scan: bytes) -> None:
    jobs = InMemoryJobStore()
    jobs.set_mark(MARK)
    with live_api(tmp_path, jobs=jobs) as api:
        assert not api.client.get("/readyz").json()["checks"]["artifacts"]
        assert_away(post(api, scan))
        assert not (api.root / "jobs").exists()


@pytest.mark.parametrize("go", [leave, no_root])
def test_an_image_is_not_held_where_it_would_be_lost_once_the_folder_is_back(
    api: LiveApi, scan: bytes, go: Callable[[Path], None]
) -> None:
    scored(api, scan)
    mark(api)
    go(api.root)

    assert_away(store(api.client, files(2)))
    come_back(api.root)

    assert store(api.client, files(2)).status_code == 200


def test_an_api_that_was_started_with_the_folder_away_holds_images_once_it_is_there(tmp_path: Path) -> None:
    jobs = InMemoryJobStore()
    jobs.set_mark(MARK)
    with live_api(tmp_path, jobs=jobs) as api:
        assert_away(store(api.client, files(2)))
        assert not (tmp_path / "stow").exists()

        (api.root / "jobs").mkdir(parents=True)
        FolderArtifactStore(api.root).set_mark(MARK)

        assert store(api.client, files(2)).status_code == 200


@pytest.fixture
def artifacts(tmp_path: Path) -> FolderArtifactStore:
    """Those of a job; the folder is away."""
    jobs = InMemoryJobStore()
    jobs.set_mark(MARK)
    there = FolderArtifactStore(tmp_path / "data")
    there.prepare()
    with there.incoming() as folder:
        (folder / "000001").write_bytes(b"scan")
        there.accept(folder, JOB_ID)
    there.set_mark(MARK)
    leave(tmp_path / "data")
    return FolderArtifactStore(tmp_path / "data", records=jobs)


def test_while_the_folder_is_away_lost_jobs_come_back_it_gets_no_mark_and_the_log_says_it_once(
    artifacts: FolderArtifactStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    jobs, queue = InMemoryJobStore(), InMemoryTaskQueue()
    lost = make_job()
    jobs.add(lost)
    clock = SteadyClock(InMemoryClockMarks(), None)
    retention = Retention(jobs, InMemoryExpiry(jobs), InMemoryOwnerIndex(), artifacts, clock, tombstone_s=60)
    caretaker = Caretaker(
        Reaper(jobs, queue, artifacts, grace_s=0.0, settle_s=0.0),
        Withdrawals(jobs, artifacts),
        Orphans(jobs, artifacts, every_s=1e-6),
        retention,
        artifacts,
        upload_timeout_s=60,
    )

    for _ in range(3):
        caretaker.take_care()

    assert queue.job_ids == [lost.id]
    assert [job.state for job in jobs.list(limit=9)] == [JobState.QUEUED]
    assert not list((tmp_path / "data").iterdir())
    assert caplog.text.count("its mark is missing") == 1
    come_back(tmp_path / "data")

    for _ in range(2):
        caretaker.take_care()

    assert caplog.text.count("scans and results can be had again") == 1


def test_a_folder_that_was_restored_without_its_mark_has_one_before_its_jobs_may_all_go(
    tmp_path: Path, scan: bytes
) -> None:
    jobs = InMemoryJobStore()
    with live_api(tmp_path, jobs=jobs) as api:
        job_id = post(api, scan).json()["id"]
        assert api.client.post(f"/v1/jobs/{job_id}/cancel").json()["state"] == "canceled"
    Orphans(jobs, FolderArtifactStore(api.root, records=jobs)).sweep()  # nobody else's turn for minutes
    (api.root / "store-mark.json").unlink()

    with live_api(tmp_path, jobs=jobs, reap_interval_s=0.05) as api:
        wait_for((api.root / "store-mark.json").exists, "the mark")
        assert api.client.delete(f"/v1/jobs/{job_id}").status_code == 204

        assert post(api, scan).status_code == 202
        assert api.client.get("/readyz").json()["checks"]["artifacts"]


def test_series_cannot_be_listed_or_asked_for_while_their_folder_is_away(api: LiveApi, scan: bytes) -> None:
    scored(api, scan)
    assert store(api.client, files(6)).status_code == 200
    mark(api)
    leave(api.root)
    (api.root.parent / "stow").rename(api.root.parent / "held")

    assert_away(api.client.get("/v1/series"))
    assert_away(create(api.client))
