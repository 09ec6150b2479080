"""What operators and their machines ask: queue, models, health and metrics."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from disyre import INTENDED_USE
from disyre.adapters.broker import connect
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.worker_registry import InMemoryWorkerRegistry, RedisWorkerRegistry
from disyre.job import Job
from disyre.model_package import MANIFEST_FILE
from tests.builders import JOB_ID, NOON, make_job
from tests.live import wait_for
from tests.service.live_api import PATIENCE_S, LiveApi, live_api, make_worker, succeed
from tests.toy_model import make_toy_model

OTHER_ID = "019b7a00-0000-7000-8000-000000000002"
NOBODY_LISTENS = "redis://127.0.0.1:1/0"


def test_the_queue_shows_its_depth_and_its_workers(api: LiveApi) -> None:
    api.jobs.add(make_job())

    queue = api.client.get("/v1/queue").json()

    assert (queue["depth"], queue["running"], queue["eta_s"]) == (1, 0, None)
    assert [(worker["id"], worker["models"]) for worker in queue["workers"]] == [("worker-1", ["t1w/1"])]


def test_models_are_shown_with_what_helps_to_judge_them(api: LiveApi) -> None:
    models = api.client.get("/v1/models").json()["models"]

    assert [(model["name"], model["version"], model["intended_use"]) for model in models] == [
        ("t1w", "1", INTENDED_USE)
    ]
    assert {"sha256", "modality", "calibration", "training_data", "licence", "metrics"} <= models[0].keys()
    assert api.client.get(models[0]["href"]).json() == models[0]


def test_the_versions_of_a_model_are_listed_the_newest_last(tmp_path: Path) -> None:
    for name, version in (("t1w", "10"), ("t1w", "9"), ("t2w", "1")):
        make_toy_model(tmp_path / "models", name=name, version=version)
    with live_api(tmp_path) as api:
        models = api.client.get("/v1/models/t1w").json()["models"]

    assert [model["version"] for model in models] == ["9", "10"]


def test_a_service_with_a_worker_is_ready(api: LiveApi) -> None:
    response = api.client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "ready": True,
        "checks": {"broker": True, "worker": True, "queue": True, "disk": True, "artifacts": True},
    }


def test_metrics_name_every_model_that_a_worker_takes_jobs_for_loaded_or_not(tmp_path: Path) -> None:
    held = [
        {"name": name, "version": "1", "sha256": "0" * 64, "modality": "T1w"} for name in ("t1w", "other")
    ]
    with live_api(tmp_path, workers=InMemoryWorkerRegistry(make_worker(holds=held))) as api:
        metrics = api.client.get("/metrics").text

    for name in ("t1w", "other"):
        assert (
            f'disyre_model_info{{name="{name}",provider="CPUExecutionProvider",version="1"}} 1.0' in metrics
        )


def test_a_service_and_a_model_with_a_worker_are_ready_for_kserve_too(api: LiveApi) -> None:
    paths = ("health/live", "health/ready", "models/t1w/ready")

    answers = [api.client.get(f"/v2/{path}") for path in paths]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.json() for answer in answers] == [
        {"live": True},
        {"ready": True},
        {"name": "t1w", "ready": True},
    ]


def test_without_a_worker_kserve_is_told_that_nothing_is_ready(tmp_path: Path) -> None:
    with live_api(tmp_path, workers=InMemoryWorkerRegistry()) as api:
        health, model = api.client.get("/v2/health/ready"), api.client.get("/v2/models/t1w/ready")

    assert (health.status_code, health.json()) == (503, {"ready": False})
    assert (model.status_code, model.json()["code"]) == (503, "no-worker")


class BlockedJobStore(InMemoryJobStore):
    """Answers once it may."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: NOON)
        self.n_held = 0
        self.may_answer = threading.Event()

    def get(self, job_id: str) -> Job:
        self.n_held += 1
        self.may_answer.wait(PATIENCE_S)
        return super().get(job_id)


def test_whoever_waits_for_the_broker_keeps_nobody_from_asking_how_the_service_is(tmp_path: Path) -> None:
    jobs = BlockedJobStore()
    jobs.add(make_job())
    with live_api(tmp_path, jobs=jobs) as api, ThreadPoolExecutor(60) as clients:
        answers = [clients.submit(api.client.get, f"/v1/jobs/{JOB_ID}") for _ in range(60)]
        wait_for(lambda: jobs.n_held >= 40, "all threads for the broker wait")

        ready = api.client.get("/readyz")
        jobs.may_answer.set()

        assert ready.status_code == 200
        assert {answer.result().status_code for answer in answers} == {200}


def test_a_service_without_a_worker_is_not_ready(tmp_path: Path) -> None:
    with live_api(tmp_path, workers=InMemoryWorkerRegistry()) as api:
        response = api.client.get("/readyz")

    assert (response.status_code, response.json()["checks"]["worker"]) == (503, False)


def test_a_service_whose_worker_has_no_model_is_not_ready(tmp_path: Path) -> None:
    with live_api(tmp_path, workers=InMemoryWorkerRegistry(make_worker(models=()))) as api:
        response = api.client.get("/readyz")

    assert (response.status_code, response.json()["checks"]["worker"]) == (503, False)


def test_a_service_without_room_is_not_ready(tmp_path: Path) -> None:
    with live_api(tmp_path, min_free_bytes=2**60) as api:
        response = api.client.get("/readyz")

    assert (response.status_code, response.json()["checks"]["disk"]) == (503, False)


def test_without_its_broker_the_service_lives_and_says_so(tmp_path: Path) -> None:
    client = connect(NOBODY_LISTENS, timeout_s=0.5)
    with live_api(tmp_path, jobs=RedisJobStore(client), workers=RedisWorkerRegistry(client)) as api:
        assert api.client.get("/livez").status_code == 200
        assert api.client.get("/readyz").json()["checks"]["broker"] is False
        metrics = api.client.get("/metrics").text
        assert "disyre_broker_up 0.0" in metrics
        assert not re.search("NaN|disyre_(queue_depth|jobs_running|oldest_queued_seconds)", metrics)
        refusals = [
            api.client.post("/v1/jobs", content=b"scan"),
            api.client.get("/v1/jobs"),
            api.client.get(f"/v1/jobs/{JOB_ID}"),
            api.client.get(f"/v1/jobs/{JOB_ID}/results"),
            api.client.post(f"/v1/jobs/{JOB_ID}/cancel"),
            api.client.delete(f"/v1/jobs/{JOB_ID}"),
            api.client.get("/v1/queue"),
        ]
        assert [(each.status_code, each.json()["code"]) for each in refusals] == [(503, "unavailable")] * 7
        assert all("Retry-After" in each.headers for each in refusals)
        assert api.left_behind() == []


def test_metrics_count_what_became_of_submissions(api: LiveApi, scan: bytes) -> None:
    api.client.post("/v1/jobs", content=scan)
    api.client.post("/v1/jobs", content=b"text")

    metrics = api.client.get("/metrics").text

    assert 'disyre_jobs_total{reason="",state="queued"} 1.0' in metrics
    assert 'disyre_submissions_refused_total{reason="not-an-image"} 1.0' in metrics
    assert undocumented(metrics) == []
    assert "disyre_upload_bytes_count 1.0" in metrics
    assert "disyre_queue_depth 1.0" in metrics


def undocumented(metrics: str) -> list[str]:
    """Names of metrics that the docs do not tell, without what a histogram adds to its own."""
    names = re.findall(r"^(disyre_\w+)", metrics, flags=re.MULTILINE)
    docs = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    return [name for name in names if f"`{re.sub('_(bucket|sum|count)$', '', name)}" not in docs]


def test_metrics_are_those_of_all_programs_and_outlive_them(tmp_path: Path) -> None:
    jobs = InMemoryJobStore(clock=lambda: NOON + timedelta(seconds=40))
    with live_api(tmp_path, jobs=jobs) as first:
        jobs.add(make_job(), make_job(OTHER_ID))
        jobs.update(JOB_ID, lambda job: job.start(at=NOON + timedelta(seconds=2)))
        (first.root / "jobs" / JOB_ID).mkdir()
        succeed(replace(first, jobs=jobs), jobs.get(JOB_ID), {})
        texts = [first.client.get("/metrics").text]
    with live_api(tmp_path, jobs=jobs) as second, live_api(tmp_path, jobs=jobs) as third:
        texts += [api.client.get("/metrics").text for api in (second, third)]

    for line in (
        'disyre_jobs_total{reason="",state="queued"} 2.0',
        'disyre_jobs_total{reason="",state="succeeded"} 1.0',
        'disyre_queue_wait_seconds_bucket{le="1.0"} 0.0',
        'disyre_queue_wait_seconds_bucket{le="5.0"} 1.0',
        'disyre_queue_wait_seconds_bucket{le="+Inf"} 1.0',
        "disyre_queue_wait_seconds_sum 2.0",
        'disyre_stage_duration_seconds_bucket{le="5.0",stage="restoring"} 1.0',
        'disyre_stage_duration_seconds_sum{stage="reading"} 0.25',
        "disyre_upload_bytes_count 1.0",
        "disyre_oldest_queued_seconds 40.0",
    ):
        assert [line in text for text in texts] == [True] * 3, line
    assert not [word for word in (JOB_ID, OTHER_ID, "local", 'total"') if word in "".join(texts)]


@pytest.mark.parametrize(
    ("busy_with", "begun_s", "moves"),
    [(None, None, False), (None, 20, False), (None, 45, True), (OTHER_ID, None, True)],
)
def test_a_queue_from_which_nobody_takes_is_not_ready(
    tmp_path: Path, busy_with: str | None, begun_s: int | None, moves: bool
) -> None:
    jobs = InMemoryJobStore(clock=lambda: NOON + timedelta(seconds=100))
    jobs.add(make_job(), make_job(OTHER_ID))
    if begun_s is not None:
        jobs.update(OTHER_ID, lambda job: job.start(at=NOON + timedelta(seconds=begun_s)))
    with live_api(
        tmp_path, jobs=jobs, workers=InMemoryWorkerRegistry(make_worker(busy_with=busy_with))
    ) as api:
        response = api.client.get("/readyz")

    assert (response.status_code, response.json()["checks"]["queue"]) == (200 if moves else 503, moves)


def test_metrics_show_the_workers_and_their_models(tmp_path: Path) -> None:
    workers = InMemoryWorkerRegistry(make_worker("a"), make_worker("b", busy_with=JOB_ID))
    with live_api(tmp_path, workers=workers) as api:
        api.jobs.add(make_job().start(at=NOON))
        metrics = api.client.get("/metrics").text

    assert 'disyre_workers{state="busy"} 1.0' in metrics
    assert 'disyre_workers{state="idle"} 1.0' in metrics
    assert "disyre_jobs_running 1.0" in metrics
    assert 'disyre_model_info{name="t1w",provider="CPUExecutionProvider",version="1"} 1.0' in metrics


def test_a_request_id_is_given_back(api: LiveApi) -> None:
    response = api.client.get("/livez", headers={"X-Request-ID": "trace-1"})

    assert response.headers["X-Request-ID"] == "trace-1"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a;b"])
def test_a_request_id_that_could_do_harm_is_replaced(api: LiveApi, given: str) -> None:
    response = api.client.get("/livez", headers={"X-Request-ID": given})

    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_a_broken_model_package_is_left_out_and_stands_in_nobodys_way(
    tmp_path: Path, scan: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    make_toy_model(tmp_path / "models")
    package = make_toy_model(tmp_path / "models", name="flair")
    (package.folder / MANIFEST_FILE).write_text("{", encoding="utf-8")
    with live_api(tmp_path) as api:
        models = api.client.get("/v1/models").json()
        of_one = api.client.get("/v1/models/flair").json()
        refused = api.client.post("/v1/jobs?model=flair", content=scan)
        taken = api.client.post("/v1/jobs", content=scan)

    assert [model["name"] for model in models["models"]] == ["t1w"]
    left_out = [{"name": "flair", "version": "1", "code": "misconfigured"}]
    assert (models["left_out"], of_one["left_out"], of_one["models"]) == (left_out, left_out, [])
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown-model")
    assert str(tmp_path) not in refused.text
    assert str(package.folder) in caplog.text
    assert taken.status_code == 202


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_load_balancer_may_ask_for_the_head_alone(api: LiveApi, path: str) -> None:
    response = api.client.head(path)

    assert (response.status_code, response.content) == (200, b"")
