"""The same submission, sent again with the same `Idempotency-Key`."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers

from disyre.adapters.broker import connect
from disyre.adapters.idempotency_keys import InMemoryIdempotencyKeys
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.redis_scripts import ADD_ONCE
from disyre.adapters.settings import read_settings
from disyre.errors import StillReceiving, TooLarge, Unavailable, Undecided
from disyre.job import Job
from service.app import production_app
from service.once import Once
from service.settings import ServiceSettings
from tests.builders import make_volume
from tests.live import ROOT, free_port, live_broker, wait_for
from tests.lossy_proxy import lossy_proxy
from tests.service.conftest import nifti_bytes
from tests.service.key_files import client_of, write_keys
from tests.service.live_api import PATIENCE_S, LiveApi, live_api, served
from tests.service.series.made_series import study
from tests.toy_model import make_toy_model
from tests.zip_files import zipped_images

KEY = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


def post(api: LiveApi, scan: bytes, **kwargs: Any) -> httpx.Response:
    return api.client.post("/v1/jobs", content=scan, headers=KEY, **kwargs)


def problem_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_the_same_submission_again_finds_its_job_as_it_is_now(api: LiveApi, scan: bytes) -> None:
    first = post(api, scan, params={"threshold": "0.5"})
    api.client.post(f"/v1/jobs/{first.json()['id']}/cancel")

    bare = {"Idempotency-Key": KEY["Idempotency-Key"].strip('"')}
    params = {"params": '{"threshold": 0.50}'}
    again = api.client.post("/v1/jobs", headers=bare, files={"file": scan}, data=params)

    assert (first.status_code, first.headers.get("Idempotency-Replayed")) == (202, None)
    assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (202, "true")
    assert again.headers["Location"] == first.headers["Location"]
    assert (again.json()["id"], again.json()["state"]) == (first.json()["id"], "canceled")
    assert "Retry-After" not in again.headers
    assert (len(api.jobs.list(limit=9)), len(api.queue.job_ids)) == (1, 1)
    assert 'disyre_jobs_total{reason="",state="queued"} 1.0' in api.client.get("/metrics").text


@pytest.mark.parametrize("params", [{"threshold": "0.5"}, {}])
def test_another_submission_with_the_same_key_is_refused(
    api: LiveApi, scan: bytes, tmp_path: Path, params: dict[str, str]
) -> None:
    post(api, scan)
    other = scan if params else nifti_bytes(tmp_path, make_volume((41, 48, 36)))

    response = post(api, other, params=params)

    assert problem_of(response) == (422, "idempotency-mismatch")
    assert len(api.jobs.list(limit=9)) == 1
    assert list((api.root / "incoming").iterdir()) == []


def test_a_job_is_no_study(api: LiveApi) -> None:
    body = zipped_images(study())
    first = api.client.post("/v1/studies", content=body, headers=KEY)
    again = api.client.post("/v1/studies", content=body, headers=KEY)

    assert (first.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.json() == first.json()
    assert problem_of(post(api, body)) == (422, "idempotency-mismatch")


def test_a_refused_submission_uses_no_key_up(api: LiveApi, scan: bytes) -> None:
    assert post(api, scan[:1000]).status_code == 422
    assert post(api, scan, params={"threshold": "-1"}).status_code == 422

    assert post(api, scan).status_code == 202


def test_a_job_that_was_deleted_is_not_made_again(api: LiveApi, scan: bytes) -> None:
    path = post(api, scan).headers["Location"]
    api.client.delete(path)

    again = post(api, scan)
    assert problem_of(again) == (404, "job-not-found")
    assert again.json()["detail"] == (
        "expected an Idempotency-Key whose job is still there, got one whose job was deleted: "
        "to score the scan again, send it with another key"
    )
    assert (api.left_behind(), api.jobs.list(limit=9)) == ([], [])


def test_a_submission_is_found_again_however_full_the_queue_is(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, max_queued_jobs=1) as api:
        assert [post(api, scan).status_code for _ in range(2)] == [202, 202]


@pytest.mark.parametrize("key", ["", '""', '"a', "a" * 256, "a\tb", 'a"b'])
def test_a_key_that_is_none_is_refused(api: LiveApi, scan: bytes, key: str) -> None:
    response = api.client.post("/v1/jobs", content=scan, headers={"Idempotency-Key": key})

    assert problem_of(response) == (400, "malformed-request")


def test_two_keys_are_refused(api: LiveApi, scan: bytes) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]

    assert problem_of(api.client.post("/v1/jobs", content=scan, headers=headers)) == (
        400,
        "malformed-request",
    )


def test_a_key_belongs_to_who_sent_it(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path)) as api:
        ids = set()
        for name in ("pacs", "ward-3"):
            with client_of(api, name) as client:
                response = client.post("/v1/jobs", content=scan, headers=KEY)
            assert "Idempotency-Replayed" not in response.headers
            ids.add(response.json()["id"])

    assert len(ids) == 2


def test_a_key_of_a_submission_that_is_still_received_is_refused(api: LiveApi, scan: bytes) -> None:
    goes_on = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield scan[:1000]
        goes_on.wait(PATIENCE_S)
        yield scan[1000:]

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.client.post, "/v1/jobs", content=slowly(), headers=KEY)
        wait_for(lambda: list((api.root / "incoming").glob("*/000001")), "the first one has begun")
        response = post(api, scan)
        goes_on.set()

    assert problem_of(response) == (409, "still-receiving")
    assert int(response.headers["Retry-After"]) >= 1
    assert first.result().status_code == 202


def test_of_twenty_at_once_one_makes_a_job(tmp_path: Path, scan: bytes) -> None:
    def until_taken() -> str:
        with httpx.Client(base_url=api.client.base_url, timeout=PATIENCE_S) as client:
            while (response := client.post("/v1/jobs", content=scan, headers=KEY)).status_code == 409:
                assert response.json()["code"] == "still-receiving"
        return str(response.json()["id"])

    with live_api(tmp_path) as api, ThreadPoolExecutor(20) as pool:
        ids = {each.result() for each in [pool.submit(until_taken) for _ in range(20)]}
        assert [job.id for job in api.jobs.list(limit=30)] == list(ids)
        assert len(api.queue.job_ids) == 1


def test_a_key_is_held_for_as_long_as_its_request_takes() -> None:
    keys = InMemoryIdempotencyKeys(InMemoryJobStore())
    once = Once(keys, hold_s=0.3)

    async def take_long() -> None:
        async with once.ticket(Headers(KEY), "pacs"):
            await asyncio.sleep(1)
            with pytest.raises(StillReceiving):
                async with once.ticket(Headers(KEY), "pacs"):
                    pass

    asyncio.run(take_long())


class FalteringKeys(InMemoryIdempotencyKeys):
    """Gives every second request no answer, and does not do it."""

    n_asked = 0

    def take(self, name: str, holder: str, *, for_s: float) -> str | None:
        self.n_asked += 1
        if self.n_asked % 2 == 0:
            raise Unavailable("the broker does not answer")
        return super().take(name, holder, for_s=for_s)


def test_a_key_is_held_though_the_broker_does_not_answer_now_and_then() -> None:
    jobs = InMemoryJobStore()
    once, others = Once(FalteringKeys(jobs), hold_s=1.2), InMemoryIdempotencyKeys(jobs)

    async def take_long() -> None:
        async with once.ticket(Headers(KEY), "pacs") as ticket:
            assert ticket is not None
            for _ in range(20):
                await asyncio.sleep(0.1)
                with pytest.raises(StillReceiving):
                    others.take(ticket.name, "another", for_s=1)

    asyncio.run(take_long())


class SilentKeys(InMemoryIdempotencyKeys):
    """Does what it is told, and for a while does not say so."""

    is_silent = True

    def take(self, name: str, holder: str, *, for_s: float) -> str | None:
        answer = super().take(name, holder, for_s=for_s)
        self._say_nothing()
        return answer

    def release(self, name: str, holder: str) -> None:
        self._say_nothing()
        super().release(name, holder)

    def _say_nothing(self) -> None:
        if self.is_silent:
            raise Unavailable("the broker does not answer")


def test_a_key_that_a_stopped_broker_took_for_a_request_that_has_ended_is_free_again() -> None:
    keys = SilentKeys(InMemoryJobStore())
    once = Once(keys)

    async def ask() -> None:
        async with once.ticket(Headers(KEY), "pacs"):
            pass

    async def fail() -> None:
        async with once.ticket(Headers(KEY), "pacs"):
            keys.is_silent = True
            raise TooLarge("it is long")

    for _ in range(2):
        with pytest.raises(Unavailable):
            asyncio.run(ask())
    keys.is_silent = False
    with pytest.raises(TooLarge):
        asyncio.run(fail())
    keys.is_silent = False

    asyncio.run(ask())


class UnsureJobStore(InMemoryJobStore):
    """Adds a job and does not say so, the first time."""

    n_added = 0

    def add(self, *jobs: Job, **options: Any) -> None:
        super().add(*jobs, **options)
        self.n_added += 1
        if self.n_added == 1:
            raise Undecided("the broker did not answer")


def test_a_job_of_which_nobody_knew_is_found_by_its_key_and_stays(tmp_path: Path, scan: bytes) -> None:
    jobs = UnsureJobStore()
    with live_api(tmp_path, jobs=jobs, reap_interval_s=0.1) as api:
        first, again = post(api, scan), post(api, scan)
        job_id = again.json()["id"]
        wait_for(lambda: api.queue.job_ids, "the caretaker has found that it was not sent")

        assert (first.status_code, again.headers["Idempotency-Replayed"]) == (503, "true")
        assert api.client.get(f"/v1/jobs/{job_id}").status_code == 200
        assert api.artifacts.input_file(job_id, "000001").read_bytes() == scan


def test_an_api_that_is_killed_before_it_answers_leaves_one_job(
    tmp_path: Path, scan: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_toy_model(tmp_path / "models")
    monkeypatch.setenv("DISYRE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DISYRE_MODELS_DIR", str(tmp_path / "models"))
    with live_broker(tmp_path / "broker") as broker, lossy_proxy(broker.embedded.socket) as proxy:
        with connect(broker.url, timeout_s=2) as client:
            proxy.command = client.script_load(ADD_ONCE).encode()
        proxy.losses.append("the answer")
        monkeypatch.setenv("DISYRE_BROKER_URL", proxy.url)
        with api_process(tmp_path / "log") as (api, url), ThreadPoolExecutor(1) as pool:
            first = pool.submit(httpx.post, f"{url}/v1/jobs", content=scan, headers=KEY, timeout=PATIENCE_S)
            wait_for(lambda: proxy.lost, "the broker has added the job")
            api.kill()
            assert isinstance(first.exception(), httpx.RequestError)
        assert b"added" in proxy.lost[0]

        monkeypatch.setenv("DISYRE_BROKER_URL", broker.url)
        with served(production_app(read_settings(ServiceSettings))) as url:
            again = httpx.post(f"{url}/v1/jobs", content=scan, headers=KEY, timeout=PATIENCE_S)
            listed = httpx.get(f"{url}/v1/jobs").json()["jobs"]

    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert [job["id"] for job in listed] == [again.json()["id"]]


def test_the_key_of_an_api_that_was_killed_in_an_upload_is_free_within_15_s(
    tmp_path: Path, scan: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_toy_model(tmp_path / "models")
    monkeypatch.setenv("DISYRE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DISYRE_MODELS_DIR", str(tmp_path / "models"))
    is_killed = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield scan[:1000]
        is_killed.wait(PATIENCE_S)
        yield scan[1000:]

    with live_broker(tmp_path / "broker") as broker, connect(broker.url, timeout_s=2) as client:
        monkeypatch.setenv("DISYRE_BROKER_URL", broker.url)
        with api_process(tmp_path / "log") as (api, url), ThreadPoolExecutor(1) as pool:
            first = pool.submit(httpx.post, f"{url}/v1/jobs", content=slowly(), headers=KEY)
            wait_for(lambda: list((tmp_path / "data/incoming").glob("*/000001")), "it has begun")
            api.kill()
            api.wait()
            is_killed.set()
            assert isinstance(first.exception(), httpx.RequestError)
        with served(production_app(read_settings(ServiceSettings))) as url:

            def again() -> httpx.Response:
                return httpx.post(f"{url}/v1/jobs", content=scan, headers=KEY, timeout=PATIENCE_S)

            before = again()
            (key,) = client.scan_iter("disyre:once:*")
            left_ms = client.pttl(key)
            client.pexpire(key, 1)
            wait_for(lambda: not client.exists(key), "that time is over")
            after = again()

    assert problem_of(before) == (409, "still-receiving")
    assert 0 < left_ms <= 15_000
    assert after.status_code == 202


@contextmanager
def api_process(log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The API as a process, and where it listens."""
    port = free_port()
    environment = {**os.environ, "DISYRE_LISTEN_PORT": str(port)}
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "service"], cwd=ROOT, env=environment, stderr=file)
    try:
        wait_for(lambda: "running on http://127.0.0.1:" in log.read_text(), "the API listens")
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
