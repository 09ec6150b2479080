"""The API on a real broker."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from disyre.adapters.broker import connect
from disyre.adapters.queue_names import lists_of, queue_name
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.settings import read_settings
from service.app import production_app
from service.settings import ServiceSettings
from tests.live import LiveBroker, live_broker, wait_for
from tests.service.live_api import PATIENCE_S, served
from tests.toy_model import make_toy_model


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LiveBroker]:
    """A broker of its own, that a test may stop and kill."""
    with live_broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def client(broker: LiveBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A client of the API as it is in production: made from environment variables."""
    make_toy_model(tmp_path / "models")
    monkeypatch.setenv("DISYRE_BROKER_URL", broker.url)
    monkeypatch.setenv("DISYRE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DISYRE_MODELS_DIR", str(tmp_path / "models"))
    app = production_app(read_settings(ServiceSettings))
    with served(app) as url, httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        yield client


def test_a_posted_scan_is_stored_and_sent(client: httpx.Client, broker: LiveBroker, scan: bytes) -> None:
    view = client.post("/v1/jobs", content=scan).json()

    with connect(broker.url, timeout_s=2) as redis:
        assert RedisJobStore(redis).get(view["id"]).input.size_bytes == len(scan)
        assert [redis.llen(name) for name in lists_of(queue_name(""))] == [0, 1, 0]
    assert client.get(f"/v1/jobs/{view['id']}").json()["queue_position"] == 1


def test_a_broker_that_does_not_answer_is_told_to_the_client(
    client: httpx.Client, broker: LiveBroker, scan: bytes, tmp_path: Path
) -> None:
    job_id = client.post("/v1/jobs", content=scan).json()["id"]

    broker.signal(signal.SIGSTOP)
    try:
        refusals = [client.post("/v1/jobs", content=scan), client.get(f"/v1/jobs/{job_id}")]
        models = client.get("/v1/models").json()["models"]
    finally:
        broker.signal(signal.SIGCONT)

    assert [(each.status_code, each.json()["code"]) for each in refusals] == [(503, "unavailable")] * 2
    assert [model["name"] for model in models] == ["t1w"], "what is known is told"
    assert list((tmp_path / "data" / "incoming").iterdir()) == []
    wait_for(lambda: client.get(f"/v1/jobs/{job_id}").status_code == 200, "the API has recovered")


def test_a_client_that_waits_does_not_hear_of_a_broker_that_is_slow_for_a_moment(
    client: httpx.Client, broker: LiveBroker, scan: bytes
) -> None:
    job_id = client.post("/v1/jobs", content=scan).json()["id"]

    broker.signal(signal.SIGSTOP)
    recovery = threading.Timer(3, broker.signal, [signal.SIGCONT])
    recovery.start()
    try:
        answer = client.get(f"/v1/jobs/{job_id}?wait=6")
    finally:
        recovery.join()

    assert (answer.status_code, answer.json()["state"]) == (200, "queued")


def test_an_accepted_job_outlives_a_crash_of_the_broker(
    client: httpx.Client, broker: LiveBroker, scan: bytes
) -> None:
    job_id = client.post("/v1/jobs", content=scan).json()["id"]

    broker.kill()
    assert client.get(f"/v1/jobs/{job_id}").status_code == 503
    broker.start()

    wait_for(lambda: client.get(f"/v1/jobs/{job_id}").status_code == 200, "the job is there again")


def test_who_follows_a_job_hears_of_what_happens_after_a_crash_of_the_broker(
    client: httpx.Client, broker: LiveBroker, scan: bytes
) -> None:
    job_id = client.post("/v1/jobs", content=scan).json()["id"]
    with client.stream("GET", f"/v1/jobs/{job_id}/events") as response:
        lines = (line for line in response.iter_lines() if line.startswith("id: "))
        first = next(lines)
        broker.kill()
        broker.start()
        with connect(broker.url, timeout_s=2) as redis:  # as a worker does, before the API has noticed
            RedisJobStore(redis).update(job_id, lambda job: job.request_cancel(at=job.created_at))

        assert (first, *lines) == ("id: 1", "id: 2")
