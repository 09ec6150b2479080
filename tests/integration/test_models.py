"""Workers with different models, jobs of different priority, and models that come and go meanwhile."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from disyre.adapters.queue_names import QUEUE_NAME
from disyre.adapters.task_queue import TASK_NAME, make_celery
from disyre.job import Job
from disyre.job_model import JobModel
from disyre.job_state import JobState
from disyre.modality import Guess
from disyre.model_package import NETWORK_FILE
from tests.integration.workplace import Workplace
from tests.live import LiveBroker, wait_for
from tests.toy_model import SLOW_MODEL, make_slow_model, make_toy_model

FLAIR = Guess(name="FLAIR", source="header", reason="inversion recovery")


@pytest.fixture
def workplace(shared_broker: LiveBroker, tmp_path: Path) -> Iterator[Workplace]:
    models = tmp_path / "models"
    make_toy_model(models)
    make_toy_model(models, name="flair", modality="FLAIR")
    workplace = Workplace(shared_broker, models, tmp_path)
    workplace.client.flushall()
    yield workplace
    workplace.client.flushall()


def waits_for(workplace: Workplace, job_id: str, queue: str) -> None:
    def was_sent_on() -> bool:
        job = workplace.jobs.get(job_id)
        return job.state is JobState.QUEUED and job.queue == queue and job_id in workplace.queue.pending_ids()

    wait_for(was_sent_on, f"the job waits for a worker with {queue}")


def send_as_before_there_were_queues(workplace: Workplace, job: Job) -> None:
    """All jobs were in one queue, whatever their model."""
    celery = make_celery(workplace.broker.url, job_time_limit_s=60, timeout_s=2)
    celery.send_task(TASK_NAME, args=[job.id], task_id=job.id, queue=QUEUE_NAME)
    workplace.client.hdel(f"disyre:job:{job.id}", "queue")
    workplace.client.zrem(f"disyre:waiting:{job.queue}", job.id)
    workplace.client.zadd("disyre:jobs:waiting", {job.id: 0})


def test_a_worker_does_what_it_has_the_model_for_and_leaves_the_rest(workplace: Workplace) -> None:
    damaged = make_toy_model(workplace.models, name="t2w", modality="T2w")
    (damaged.folder / NETWORK_FILE).write_bytes(b"half")  # nobody is told to hold it
    mine, decided, undecided = (
        workplace.submit(),
        workplace.submit(model="flair"),
        workplace.submit(modality=FLAIR),
    )
    old = workplace.submit(model="flair", enqueue=False)
    send_as_before_there_were_queues(workplace, workplace.jobs.get(old))

    with workplace.worker("t1w", DISYRE_MODELS="t1w"):
        assert workplace.wait_until_finished(mine).state is JobState.SUCCEEDED
        for job_id in (undecided, old):
            waits_for(workplace, job_id, "flair")
        assert [workplace.jobs.get(job_id).attempt for job_id in (decided, undecided, old)] == [0, 1, 0]

        with workplace.worker("flair", DISYRE_MODELS="flair", DISYRE_DEFAULT_MODEL="t1w") as worker:
            for job_id in (decided, undecided, old):
                job = workplace.wait_until_finished(job_id)
                workplace.assert_one_whole_result(job)
                assert job.model is not None
                assert (job.model.name, job.n_losses) == ("flair", 0)
            holds = [each.holds for each in workplace.registry.workers()]
            assert sorted(model.name for models in holds for model in models or ()) == ["flair", "t1w"]
            assert "t2w" not in worker.text()


def test_a_job_of_high_priority_overtakes_and_models_come_while_a_worker_runs(workplace: Workplace) -> None:
    make_slow_model(workplace.models)
    half = make_toy_model(workplace.models, version="9")
    (half.folder / NETWORK_FILE).write_bytes(b"half")
    with workplace.worker() as worker:
        wait_for(workplace.registry.workers, "the worker is ready")
        slow = workplace.submit(model=SLOW_MODEL)
        workplace.wait_until_restoring(slow)
        jobs = [workplace.submit(version="1", priority=p) for p in ("low", "normal", "high")]
        workplace.jobs.update(slow, lambda job: job.request_cancel(at=workplace.jobs.now()))
        ended = [workplace.wait_until_finished(job_id) for job_id in jobs]
        assert ended == sorted(ended, key=started_at, reverse=True)
        assert "the model t1w/9 is left out: " in worker.text()

        before = ended[0].model
        shutil.rmtree(workplace.models / "t1w" / "1")
        after = JobModel.of(make_toy_model(workplace.models, gain=0.75).manifest)
        make_toy_model(workplace.models, version="10")
        make_toy_model(workplace.models, name="t2w", modality="T2w")
        wait_for(lambda: len(held(workplace)) == 5, "the worker has seen the new packages")

        late = workplace.submit(version="1")
        workplace.jobs.update(late, lambda job: job.model_copy(update={"model": before, "revision": 2}))
        for job_id, model in (
            (late, before),
            (workplace.submit(version="1"), after),
            (workplace.submit(version="10"), None),
            (workplace.submit(model="t2w"), None),
        ):
            job = workplace.wait_until_finished(job_id)
            workplace.assert_one_whole_result(job)
            assert model in (None, job.model)
        assert "now taking from the queue disyre.t2w" in worker.text()
        shutil.rmtree(workplace.models / "t2w")
        wait_for(lambda: "no longer taking from the queue disyre.t2w" in worker.text(), "it is let go")


def started_at(job: Job) -> Any:
    return job.started_at


def held(workplace: Workplace) -> set[str]:
    workers = workplace.registry.workers()
    return {f"{model.name}/{model.version}" for worker in workers for model in worker.holds or ()}
