"""The API offers the models that its workers hold."""

from pathlib import Path
from typing import Any

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.worker_registry import HeldModel, InMemoryWorkerRegistry
from disyre.errors import Unavailable
from disyre.model_package import ModelPackage
from service.offers import OfferedModels, Offers
from tests.service.live_api import live_api, make_worker
from tests.toy_model import make_toy_model


def held(*packages: ModelPackage, **changes: Any) -> tuple[HeldModel, ...]:
    manifests = [package.manifest for package in packages]
    return tuple(
        HeldModel(
            name=each.name,
            version=each.version,
            sha256=changes.get("sha256", each.sha256),
            modality=each.modality,
        )
        for each in manifests
    )


def test_what_no_worker_holds_is_not_offered_and_refused_for_now(tmp_path: Path, scan: bytes) -> None:
    t1w = make_toy_model(tmp_path / "models")
    half = make_toy_model(tmp_path / "models", version="2")
    flair = make_toy_model(tmp_path / "models", name="flair", modality="FLAIR")
    workers = InMemoryWorkerRegistry(make_worker(holds=(*held(t1w), *held(half, sha256="0" * 64))))
    with live_api(tmp_path, workers=workers) as api:
        models = api.client.get("/v1/models").json()
        newest = api.client.post("/v1/jobs?model=t1w", content=scan).json()
        refusals = [
            api.client.post(f"/v1/jobs?{query}", content=scan)
            for query in ("model=t1w&version=2", "model=flair", "modality=FLAIR")
        ]
        refusals.append(api.client.get("/v1/models/flair/versions/1"))
        candidate = api.client.post("/v1/inspect?model=flair", content=scan).json()["volumes"][0]
        assert len(api.queue.job_ids) == 1

    assert [(model["name"], model["version"]) for model in models["models"]] == [("t1w", "1")]
    assert models["left_out"] == [
        {"name": "flair", "version": "1", "code": "no-worker"},
        {"name": "t1w", "version": "2", "code": "no-worker"},
    ]
    assert newest["model"]["version"] == "1"
    assert [(each.status_code, each.json()["code"]) for each in refusals] == [(503, "no-worker")] * 4
    assert all("Retry-After" in each.headers for each in refusals)
    assert (candidate["code"], candidate["model"]) == ("no-worker", None)
    assert flair.name in refusals[1].json()["detail"]


def test_of_a_damaged_package_it_is_said_that_it_is_damaged(tmp_path: Path, scan: bytes) -> None:
    t1w = make_toy_model(tmp_path / "models")
    make_toy_model(tmp_path / "models", version="2")
    make_toy_model(tmp_path / "models", name="flair", modality="FLAIR")
    worker = make_worker(holds=held(t1w), left_out=("flair/1", "t1w/2"))
    others = make_worker("worker-2", holds=held(t1w))
    with live_api(tmp_path, workers=InMemoryWorkerRegistry(worker, others)) as api:
        left_out = api.client.get("/v1/models").json()["left_out"]
        refusals = [
            api.client.post(f"/v1/jobs?{query}", content=scan)
            for query in ("model=t1w&version=2", "model=flair", "modality=FLAIR")
        ]
        refusals.append(api.client.get("/v1/models/flair/versions/1"))
        newest = api.client.post("/v1/jobs?model=t1w", content=scan).json()
        candidate = api.client.post("/v1/inspect?model=flair", content=scan).json()["volumes"][0]

    assert [(each["name"], each["code"]) for each in left_out] == [
        ("flair", "model-damaged"),
        ("t1w", "model-damaged"),
    ]
    assert [(each.status_code, each.json()["code"]) for each in refusals] == [(503, "model-damaged")] * 4
    assert "the model t1w/2 is damaged" in refusals[0].json()["detail"]
    assert newest["model"]["version"] == "1"
    assert candidate["code"] == "model-damaged"


def test_a_model_that_one_worker_finds_damaged_and_another_whole_is_offered(
    tmp_path: Path, scan: bytes
) -> None:
    t1w = make_toy_model(tmp_path / "models")
    workers = (make_worker(holds=(), left_out=("t1w/1",)), make_worker("worker-2", holds=held(t1w)))
    with live_api(tmp_path, workers=InMemoryWorkerRegistry(*workers)) as api:
        assert api.client.post("/v1/jobs?model=t1w", content=scan).status_code == 202


def test_while_no_worker_is_there_jobs_wait_for_one(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, workers=InMemoryWorkerRegistry()) as api:
        assert [model["name"] for model in api.client.get("/v1/models").json()["models"]] == ["t1w"]
        view = api.client.post("/v1/jobs?model=t1w", content=scan).json()

    assert (view["state"], view["queue_position"], view["eta_start_s"]) == ("queued", 1, None)


class SilentRegistry(InMemoryWorkerRegistry):
    """Does not answer."""

    n_asked = 0

    def workers(self) -> list[Any]:
        self.n_asked += 1
        raise Unavailable("away")


class SilentJobStore(InMemoryJobStore):
    """Does not say how many jobs wait."""

    def n_waiting(self) -> int:
        raise Unavailable("away")


def test_nothing_is_refused_for_a_broker_that_is_away(tmp_path: Path) -> None:
    Offers(SilentRegistry())(make_toy_model(tmp_path))


def test_a_list_of_models_waits_once_for_a_broker_that_is_away(tmp_path: Path) -> None:
    names = ("t1w", "t2w", "flair")
    for name in names:
        make_toy_model(tmp_path / "models", name=name)
    workers = SilentRegistry()
    offers = Offers(workers, clock=lambda: 1.0)
    shelf = OfferedModels(tmp_path / "models", offers)

    assert sorted(package.manifest.name for package in shelf.packages()) == sorted(names)
    assert shelf.unusable() == []
    assert workers.n_asked == 1


def test_a_broker_that_was_away_is_asked_again_a_moment_later(tmp_path: Path) -> None:
    package = make_toy_model(tmp_path / "models")
    now_s = [1.0]
    workers = SilentRegistry()
    offers = Offers(workers, clock=lambda: now_s[0])
    offers(package)
    now_s[0] += 0.6
    offers(package)

    assert workers.n_asked == 2


def test_a_submission_is_refused_by_the_first_question_that_a_broker_does_not_answer(
    tmp_path: Path, scan: bytes
) -> None:
    workers = SilentRegistry()
    with live_api(tmp_path, jobs=SilentJobStore(), workers=workers) as api:
        answer = api.client.post("/v1/jobs", content=scan)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert workers.n_asked == 0
