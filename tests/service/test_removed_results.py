"""Files of jobs that are removed while somebody downloads them: they arrive whole, or are not there."""

import asyncio
import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio import CapacityLimiter
from fastapi import Request, Response

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.errors import ArtifactNotFound
from disyre.job import Artifact, Job
from disyre.job_id import new_job_id
from service.downloads import download
from tests.builders import JOB_ID, NOON, make_job
from tests.live import wait_for
from tests.service.live_api import LiveApi, live_api, succeed

MAP = bytes(range(256)) * 1000
NAME = "anomaly.nii.gz"
ARTIFACT = Artifact(
    name=NAME,
    kind="anomaly",
    media_type="application/gzip",
    size_bytes=len(MAP),
    sha256=hashlib.sha256(MAP).hexdigest(),
)
N_READERS = 4


def address(job_id: str = JOB_ID) -> str:
    return f"/v1/jobs/{job_id}/results/{NAME}"


def finish(api: LiveApi, job_id: str = JOB_ID, content: bytes = MAP) -> Job:
    (api.root / "jobs" / job_id).mkdir()
    api.jobs.add(make_job(job_id))
    return succeed(api, api.jobs.update(job_id, lambda job: job.start(at=NOON)), {NAME: content})


def open_below(folder: Path) -> list[str]:
    """Files of a folder, removed or not, that this process has open."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(each.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
    return [name for name in found if name.startswith(str(folder)) and NAME in name]


def made(path: Path, method: str = "GET", **headers: str) -> Response:
    scope = scope_of(method, **headers)
    return download(Request(scope), ARTIFACT, path, CapacityLimiter(1))


def scope_of(method: str = "GET", **headers: str) -> dict[str, Any]:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": method, "headers": raw, "asgi": {"spec_version": "2.4"}}


def sent(response: Response, scope: dict[str, Any]) -> bytes:
    body = []

    async def send(message: Any) -> None:
        body.append(message.get("body", b""))

    async def receive() -> Any:
        return {"type": "http.request"}

    asyncio.run(response(scope, receive, send))
    return b"".join(body)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(MAP)
    return path


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({}, MAP), ({"Range": "bytes=1000-"}, MAP[1000:]), ({"Range": "bytes=-7"}, MAP[-7:])],
)
def test_a_file_that_is_removed_before_it_is_sent_arrives_whole(
    path: Path, headers: dict[str, str], expected: bytes
) -> None:
    response = made(path, **headers)
    path.unlink()

    assert sent(response, scope_of(**headers)) == expected
    assert open_below(path.parent) == []


def test_what_is_put_in_the_place_of_a_file_is_not_sent_for_it(path: Path) -> None:
    response = made(path)
    path.unlink()
    path.write_bytes(b"other")

    assert sent(response, scope_of()) == MAP


def test_a_file_that_is_gone_is_not_found_before_anything_is_sent(path: Path) -> None:
    path.unlink()

    with pytest.raises(ArtifactNotFound):
        made(path)


def test_a_response_that_nobody_wants_any_more_holds_no_file(path: Path) -> None:
    response = made(path)
    assert len(open_below(path.parent)) == 1

    del response

    assert open_below(path.parent) == []


def test_no_answer_leaves_a_file_open(api: LiveApi) -> None:
    finish(api)
    asked: list[tuple[str, dict[str, str]]] = [
        ("GET", {}),
        ("HEAD", {}),
        ("GET", {"If-None-Match": "*"}),
        ("GET", {"Range": "bytes=0-9"}),
        ("GET", {"Range": "bytes=0-9,100-109"}),
        ("GET", {"Range": f"bytes={len(MAP)}-"}),
        ("GET", {"Accept": "text/html"}),
    ]
    statuses = [api.client.request(method, address(), headers=each).status_code for method, each in asked]

    assert statuses == [200, 200, 304, 206, 206, 416, 406]
    wait_for(lambda: not open_below(api.root), "all files are closed")


def test_a_client_that_leaves_in_the_middle_leaves_no_file_open(api: LiveApi) -> None:
    finish(api, content=MAP * 200)

    with api.client.stream("GET", address()) as response:
        assert response.status_code == 200
        chunks = response.iter_raw()  # the client leaves once nobody has this any more
        next(chunks)
        wait_for(lambda: open_below(api.root), "the file is seen to be open")

    wait_for(lambda: not open_below(api.root), "the file is closed")


class _Removing(FolderArtifactStore):
    """A store in which a file is removed as soon as somebody has been told where it is."""

    then: Callable[[], object] = staticmethod(lambda: None)

    def result_file(self, job_id: str, attempt: int, name: str) -> Path:
        path = super().result_file(job_id, attempt, name)
        self.remove(job_id)
        self.then()
        return path


def _leave(jobs: InMemoryJobStore) -> None:
    jobs.update(JOB_ID, lambda job: job.let_go(at=NOON))


def _expire(jobs: InMemoryJobStore) -> None:
    jobs.update(JOB_ID, lambda job: job.model_copy(update={"expires_at": jobs.now() - timedelta(hours=1)}))


@pytest.mark.parametrize(
    ("happens", "status", "code"),
    [
        (_leave, 404, "job-not-found"),
        (lambda jobs: jobs.remove(JOB_ID), 404, "job-not-found"),
        (_expire, 410, "job-expired"),
        (lambda jobs: None, 404, "artifact-not-found"),
    ],
)
def test_a_file_that_goes_before_it_is_opened_is_answered_as_a_moment_later(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    happens: Callable[[InMemoryJobStore], object],
    status: int,
    code: str,
) -> None:
    store = _Removing(tmp_path / "data")
    with live_api(tmp_path, files=store) as api:
        finish(api)
        store.then = lambda: happens(api.jobs)

        answer = api.client.get(address())

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not [record for record in caplog.records if record.levelname == "ERROR" or record.exc_info]


def test_downloads_beside_a_delete_are_whole_or_find_no_job(
    api: LiveApi, caplog: pytest.LogCaptureFixture
) -> None:
    seen = set()
    for _ in range(20):
        job = finish(api, new_job_id(NOON))
        seen |= _answers_beside_a_delete(api, job.id)

    assert seen <= {(200, "whole"), (404, "job-not-found")}
    assert (404, "job-not-found") in seen
    assert not [record for record in caplog.records if record.levelname == "ERROR" or record.exc_info]
    wait_for(lambda: not open_below(api.root), "all files are closed")


def _answers_beside_a_delete(api: LiveApi, job_id: str) -> set[tuple[int, str]]:
    start = threading.Barrier(N_READERS + 1)

    def ask() -> set[tuple[int, str]]:
        start.wait()
        found = set()
        while (404, "job-not-found") not in found:
            found.add(_told(api.client.get(address(job_id))))
        return found

    with ThreadPoolExecutor(N_READERS) as threads:
        asked = [threads.submit(ask) for _ in range(N_READERS)]
        start.wait()
        assert api.client.delete(f"/v1/jobs/{job_id}").status_code == 204
        return set().union(*(each.result() for each in asked))


def _told(answer: httpx.Response) -> tuple[int, str]:
    if answer.status_code == 200:
        return 200, "whole" if answer.content == MAP else "not whole"
    return answer.status_code, answer.json()["code"]
