"""Trying again what has failed or was canceled."""

import re
import shutil
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import httpx
import pytest

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.task_queue import InMemoryTaskQueue
from disyre.errors import Unavailable
from disyre.job import Job, JobProblem
from tests.builders import NOON, make_job
from tests.live import ROOT
from tests.service.live_api import LiveApi, live_api
from tests.service.refused import check_refused

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
OTHER_ID = "019b7a00-0000-7000-8000-000000000002"
RUNNING_ID = "019b7a00-0000-7000-8000-000000000003"


def submit(api: LiveApi, scan: bytes, mask: bytes) -> str:
    response = api.client.post("/v1/jobs", files={"file": scan, "mask": mask})
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def fail(api: LiveApi, job_id: str, code: str = "internal") -> Job:
    api.jobs.update(job_id, lambda job: job.start(at=NOON))
    problem = JobProblem(code=code, detail="no fault of yours")
    return api.jobs.update(job_id, lambda job: job.fail(problem, attempt=job.attempt, at=api.jobs.now()))


def test_a_failed_job_is_queued_and_sent_again(api: LiveApi, scan: bytes, mask: bytes) -> None:
    job_id = submit(api, scan, mask)
    fail(api, job_id)

    response = api.client.post(f"/v1/jobs/{job_id}/retry")

    job = response.json()
    assert (response.status_code, response.headers["Location"]) == (202, f"/v1/jobs/{job_id}")
    assert (job["state"], job["error"], job["attempt"], job["queue_position"]) == ("queued", None, 1, 1)
    assert int(response.headers["Retry-After"]) >= 1
    assert api.jobs.get(job_id).state == "queued"
    assert api.queue.job_ids == [job_id, job_id]


def test_what_the_operations_say_of_a_full_disk_queues_the_jobs_that_failed_of_it(
    api: LiveApi, scan: bytes, mask: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [submit(api, scan, mask) for _ in range(3)]
    for job_id, code in zip(ids, ("storage-full", "internal", "storage-full"), strict=True):
        fail(api, job_id, code)
    (code,) = re.findall(r"^  ```python\n(.*?)^  ```$", OPERATIONS, re.MULTILINE | re.DOTALL)

    exec(dedent(code).replace("http://localhost:8000", str(api.client.base_url)), {"KEY": None})

    assert [api.jobs.get(job_id).state for job_id in ids] == ["queued", "failed", "queued"]
    assert capsys.readouterr().out == "2 queued again\n"


def test_a_canceled_job_is_queued_again(api: LiveApi, scan: bytes, mask: bytes) -> None:
    job_id = submit(api, scan, mask)
    api.client.post(f"/v1/jobs/{job_id}/cancel")

    assert api.client.post(f"/v1/jobs/{job_id}/retry").json()["state"] == "queued"


def test_a_job_that_waits_is_not_queued_twice(api: LiveApi, scan: bytes, mask: bytes) -> None:
    job_id = submit(api, scan, mask)

    response = api.client.post(f"/v1/jobs/{job_id}/retry")

    assert (response.status_code, response.json()["code"]) == (409, "illegal-transition")
    assert api.queue.job_ids == [job_id]


@pytest.mark.parametrize("gone", ["input", "input/mask"])
def test_a_job_whose_scan_is_gone_has_to_be_submitted_again(
    api: LiveApi, scan: bytes, mask: bytes, gone: str
) -> None:
    job_id = submit(api, scan, mask)
    before = fail(api, job_id)
    path = api.root / "jobs" / job_id / gone
    assert path.exists()
    path.unlink() if path.is_file() else shutil.rmtree(path)

    response = api.client.post(f"/v1/jobs/{job_id}/retry")

    assert (response.status_code, response.json()["code"]) == (409, "input-gone")
    assert api.jobs.get(job_id) == before


def test_a_full_queue_takes_no_job_back(tmp_path: Path, scan: bytes, mask: bytes) -> None:
    with live_api(tmp_path, max_queued_jobs=1) as api:
        job_id = submit(api, scan, mask)
        before = fail(api, job_id)
        api.jobs.add(make_job())

        response = api.client.post(f"/v1/jobs/{job_id}/retry")

        assert (response.status_code, response.json()["code"]) == (503, "queue-full")
        assert api.jobs.get(job_id) == before


@pytest.mark.parametrize(("job_s", "retry_after"), [(None, "5"), (0.2, "1"), (39.4, "79"), (900, "120")])
def test_who_meets_a_full_queue_is_told_to_come_back_as_a_new_job_would_begin(
    tmp_path: Path, scan: bytes, job_s: float | None, retry_after: str
) -> None:
    with live_api(tmp_path, max_queued_jobs=1) as api:
        if job_s is not None:
            done = make_job(OTHER_ID).start(at=NOON)
            api.jobs.add(done)
            api.jobs.update(
                OTHER_ID,
                lambda job: job.succeed(
                    attempt=1, artifacts=(), summary={}, provider="", at=NOON + timedelta(seconds=job_s)
                ),
            )
        api.jobs.add(make_job(), make_job(RUNNING_ID).start(at=api.jobs.now()))

        response = api.client.post("/v1/jobs", content=scan)
        queue = api.client.get("/v1/queue").json()

    assert (response.json()["code"], response.headers["Retry-After"]) == ("queue-full", retry_after)
    # Of what the running one takes, a moment is over.
    assert queue["eta_s"] == (None if job_s is None else pytest.approx(2 * job_s, abs=1.0))


def test_a_job_that_there_is_not_is_not_tried_again(api: LiveApi) -> None:
    check_refused(api, api.client.post(f"/v1/jobs/{make_job().id}/retry"), 404, "job-not-found")


def test_a_job_that_cannot_be_sent_again_at_once_is_queued_all_the_same(
    tmp_path: Path, scan: bytes, mask: bytes
) -> None:
    class AwayQueue(InMemoryTaskQueue):
        def enqueue(self, job: Job) -> None:
            raise Unavailable("away")

    with live_api(tmp_path, queue=AwayQueue()) as api:
        job_id = submit(api, scan, mask)
        fail(api, job_id)

        assert api.client.post(f"/v1/jobs/{job_id}/retry").status_code == 202
        assert api.jobs.waiting() == [job_id]


def test_a_job_that_is_being_deleted_is_not_retried(tmp_path: Path, scan: bytes, mask: bytes) -> None:
    """Who is told that it waits again would find it gone, or a worker without its files."""
    retried: list[httpx.Response] = []

    class SlowStore(FolderArtifactStore):
        def remove(self, job_id: str) -> None:
            retried.append(api.client.post(f"/v1/jobs/{job_id}/retry"))
            super().remove(job_id)

    with live_api(tmp_path, files=SlowStore(tmp_path / "data")) as api:
        waiting, failed = submit(api, scan, mask), submit(api, scan, mask)
        fail(api, failed)
        for job_id in (waiting, failed):
            assert api.client.delete(f"/v1/jobs/{job_id}").status_code == 204

    assert [(each.status_code, each.json()["code"]) for each in retried] == [(409, "illegal-transition")] * 2
    assert (api.left_behind(), api.jobs.list(limit=9)) == ([], [])
