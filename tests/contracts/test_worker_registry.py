"""What every registry of workers does; one body for the real one and the one in memory."""

import json
import socket
from typing import cast

import pytest
import redis

from disyre.adapters.worker_registry import (
    HeldModel,
    InMemoryWorkerRegistry,
    RedisWorkerRegistry,
    WorkerInfo,
    WorkerRegistry,
    worker_prefix,
)
from tests.builders import NOON


@pytest.fixture(params=["redis", "memory"])
def registry(request: pytest.FixtureRequest) -> WorkerRegistry:
    if request.param == "memory":
        return InMemoryWorkerRegistry()
    return RedisWorkerRegistry(request.getfixturevalue("client"))


def make_worker(worker_id: str = "host-1", busy_with: str | None = None) -> WorkerInfo:
    return WorkerInfo(
        id=worker_id,
        provider="CPUExecutionProvider",
        models=("t1w/1",),
        started_at=NOON,
        last_seen_at=NOON,
        last_inference_at=NOON,
        busy_with=busy_with,
    )


def test_a_worker_takes_jobs_for_what_it_holds_and_those_of_which_the_model_is_not_decided() -> None:
    model = HeldModel(name="t1w", version="1", sha256="0", modality="T1w")
    worker = make_worker().model_copy(update={"holds": (model,)})

    assert [worker.takes(name) for name in ("t1w", "t2w", "")] == [True, False, True]
    assert make_worker().takes("t2w")  # from before this was said


def test_all_workers_of_a_host_have_its_name_in_front() -> None:
    assert worker_prefix() == f"{socket.gethostname()}-"


def test_nobody_is_there_at_first(registry: WorkerRegistry) -> None:
    assert registry.workers() == []


def test_workers_that_beat_are_listed_by_id(registry: WorkerRegistry) -> None:
    registry.beat(make_worker("host-2"))
    registry.beat(make_worker("host-1"))

    assert registry.workers() == [make_worker("host-1"), make_worker("host-2")]


def test_a_worker_of_a_newer_version_is_listed_with_what_is_known_of_it(client: redis.Redis) -> None:
    registry = RedisWorkerRegistry(client)
    registry.beat(make_worker())
    key = "disyre:worker:host-1"
    document = json.loads(cast(str, client.get(key)))
    client.set(key, json.dumps({**document, "ward": ["t1w/2"]}))

    assert registry.workers() == [make_worker()]


def test_the_last_beat_counts(registry: WorkerRegistry) -> None:
    registry.beat(make_worker())
    registry.beat(make_worker(busy_with="a job"))

    assert registry.workers() == [make_worker(busy_with="a job")]


def test_a_worker_that_left_is_gone(registry: WorkerRegistry) -> None:
    registry.beat(make_worker())

    registry.leave("host-1")
    registry.leave("host-1")

    assert registry.workers() == []


def test_a_worker_that_no_longer_beats_is_forgotten(client: redis.Redis) -> None:
    registry = RedisWorkerRegistry(client)
    registry.beat(make_worker())
    assert client.pttl("disyre:worker:host-1") > 0

    client.delete("disyre:worker:host-1")  # as its time to live does

    assert registry.workers() == []
    assert client.smembers("disyre:workers") == set()
