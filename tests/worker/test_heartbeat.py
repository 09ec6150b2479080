"""What a worker says of itself, and when it stops saying it."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from disyre.adapters.worker_registry import InMemoryWorkerRegistry, WorkerInfo, worker_prefix
from disyre.errors import Misconfigured, Unavailable
from disyre.model_package import NETWORK_FILE
from tests.live import wait_for
from tests.toy_model import make_toy_model
from worker.heartbeat import Heartbeat
from worker.holdings import Holdings
from worker.onnx_restorer import OnnxRestorer
from worker.restorers import Restorers

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class BrokenLater(OnnxRestorer):
    """A network whose device can be lost."""

    is_lost = False

    def probe(self) -> None:
        if self.is_lost:
            raise Misconfigured("the device is lost")
        super().probe()


@pytest.fixture
def holdings(tmp_path: Path) -> Holdings:
    make_toy_model(tmp_path)
    return Holdings(tmp_path)


@pytest.fixture
def restorers(holdings: Holdings) -> Restorers:
    return Restorers(holdings, lambda p: BrokenLater(p, device="cpu", threads=1), most=1)


@pytest.fixture
def restorer(restorers: Restorers) -> BrokenLater:
    restorer = restorers.newest("t1w")
    assert isinstance(restorer, BrokenLater)
    return restorer


class PatchyRegistry(InMemoryWorkerRegistry):
    """Away for the first beat."""

    n_beats = 0

    def beat(self, worker: WorkerInfo) -> None:
        self.n_beats += 1
        if self.n_beats == 1:
            raise Unavailable("away")
        super().beat(worker)


@pytest.fixture
def registry() -> PatchyRegistry:
    return PatchyRegistry()


@pytest.fixture
def deaths() -> list[Exception]:
    return []


@pytest.fixture
def heartbeat(
    registry: PatchyRegistry,
    holdings: Holdings,
    restorers: Restorers,
    restorer: BrokenLater,
    deaths: list[Exception],
) -> Iterator[Heartbeat]:
    heartbeat = Heartbeat(registry, holdings, restorers, restorer, every_s=0.01, on_dead=deaths.append)
    yield heartbeat
    heartbeat.stop()


def test_a_worker_says_what_it_is(heartbeat: Heartbeat, registry: PatchyRegistry) -> None:
    heartbeat.start()

    (worker,) = wait_for(registry.workers, "the worker is listed")
    assert worker.id.startswith(worker_prefix())
    assert (worker.provider, worker.models) == ("CPUExecutionProvider", ("t1w/1",))


def test_a_worker_says_which_models_it_is_for(heartbeat: Heartbeat, tmp_path: Path) -> None:
    flair = make_toy_model(tmp_path, name="flair", version="2", modality="FLAIR")
    (make_toy_model(tmp_path, version="3").folder / NETWORK_FILE).write_bytes(b"half")

    worker = heartbeat.describe()

    assert worker.holds is not None
    assert [(each.name, each.version) for each in worker.holds] == [("flair", "2"), ("t1w", "1")]
    assert worker.holds[0].sha256 == flair.manifest.sha256
    assert worker.left_out == ("t1w/3",)
    assert [worker.takes(name) for name in ("flair", "t2w", "")] == [True, False, True]


def test_a_broker_that_is_away_is_tried_again(heartbeat: Heartbeat, registry: PatchyRegistry) -> None:
    heartbeat.start()

    wait_for(registry.workers, "the worker is listed")

    assert registry.n_beats >= 2


def test_a_worker_says_at_once_which_job_it_runs(
    holdings: Holdings, restorers: Restorers, restorer: BrokenLater
) -> None:
    registry = InMemoryWorkerRegistry()
    never = Heartbeat(registry, holdings, restorers, restorer, every_s=3600, on_dead=lambda error: None)

    with never.busy("a job"):
        assert [worker.busy_with for worker in registry.workers()] == ["a job"]

    assert [worker.busy_with for worker in registry.workers()] == [None]


def test_a_job_runs_although_the_broker_does_not_hear_of_it(
    heartbeat: Heartbeat, registry: PatchyRegistry
) -> None:
    with heartbeat.busy("a job"):
        assert registry.workers() == []

    assert [worker.busy_with for worker in registry.workers()] == [None]


@pytest.mark.parametrize("at", [LONG_AGO, datetime(9999, 1, 1, tzinfo=UTC)])
def test_an_idle_network_is_tried_again_whatever_the_clock_says(
    heartbeat: Heartbeat, restorer: BrokenLater, at: datetime
) -> None:
    restorer.last_inference_at = at
    heartbeat.start()

    wait_for(lambda: restorer.last_inference_at != at, "the network was tried")


def test_a_network_that_has_just_worked_is_left_alone(heartbeat: Heartbeat, restorer: BrokenLater) -> None:
    restorer.is_lost = True
    restorer.last_inference_at = datetime.now(UTC)

    heartbeat.prove()


def test_the_network_of_a_running_job_is_left_alone(heartbeat: Heartbeat, restorer: BrokenLater) -> None:
    restorer.is_lost = True
    restorer.last_inference_at = LONG_AGO

    with heartbeat.busy("a job"):
        heartbeat.prove()


def test_a_worker_whose_network_no_longer_works_says_no_more(
    heartbeat: Heartbeat, registry: PatchyRegistry, restorer: BrokenLater, deaths: list[Exception]
) -> None:
    restorer.is_lost = True
    restorer.last_inference_at = LONG_AGO

    heartbeat.start()

    (death,) = wait_for(lambda: deaths, "the worker is told to die")
    assert isinstance(death, Misconfigured)
    wait_for(lambda: "heartbeat" not in {thread.name for thread in threading.enumerate()}, "the thread ends")
    assert registry.workers() == []


def test_a_worker_that_stops_leaves(heartbeat: Heartbeat, registry: PatchyRegistry) -> None:
    heartbeat.start()
    wait_for(registry.workers, "the worker is listed")

    heartbeat.stop()

    assert registry.workers() == []
