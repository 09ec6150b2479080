"""One worker that runs all the time: jobs succeed, fail, are canceled, are lost and come back."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kombu import Connection

from disyre.adapters.queue_names import QUEUE_NAME
from disyre.job import MAX_LOSSES, WORKER_LOST
from disyre.job_state import JobState
from disyre.trace import Trace
from tests.integration.workplace import Workplace
from tests.live import ROOT, LiveBroker, LiveWorker, live_broker, wait_for
from tests.toy_model import SLOW_MODEL


@pytest.fixture(scope="module")
def workplace(shared_broker: LiveBroker, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    workplace = Workplace(shared_broker, models, tmp_path_factory.mktemp("workplace"))
    workplace.client.flushall()
    return workplace


@pytest.fixture(scope="module")
def running_worker(workplace: Workplace) -> Iterator[LiveWorker]:
    with workplace.worker() as worker:
        yield worker


@pytest.fixture
def worker(workplace: Workplace, running_worker: LiveWorker) -> LiveWorker:
    """The worker, ready."""
    wait_for(workplace.registry.workers, "the worker is ready")
    return running_worker


def test_a_job_succeeds(workplace: Workplace, worker: LiveWorker) -> None:
    trace = Trace(request_id="pacs-7", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    job = workplace.wait_until_finished(workplace.submit(trace=trace))

    workplace.assert_one_whole_result(job)
    line = f"[request=pacs-7 trace={'a' * 32}] job {job.id}, attempt 1: now succeeded"
    wait_for(lambda: line in worker.log.read_text(), "the log names the request")
    assert (job.attempt, job.provider) == (1, "CPUExecutionProvider")
    assert job.scan is not None
    assert job.scan.orientation == "RAS"
    assert job.summary is not None
    assert job.summary["anomaly_score"] > 0


def health(environment: dict[str, str]) -> int:
    return subprocess.run(
        [sys.executable, "-m", "worker.health"], env={**os.environ, **environment}, cwd=ROOT, check=False
    ).returncode


@pytest.mark.usefixtures("worker")
def test_the_health_check_finds_the_worker(workplace: Workplace) -> None:
    assert health(workplace.environment()) == 0


def test_the_health_check_misses_a_worker_that_is_not_there(tmp_path: Path, models: Path) -> None:
    with live_broker(tmp_path / "broker") as broker:
        empty = Workplace(broker, models, tmp_path)
        assert health(empty.environment()) == 1
        broker.kill()
        assert health(empty.environment()) == 1


@pytest.mark.usefixtures("worker")
def test_a_file_that_is_no_scan_fails_its_job(workplace: Workplace) -> None:
    job = workplace.wait_until_finished(workplace.submit(content=b"no scan"))

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "not-an-image"
    workplace.assert_nothing_is_left(job.id)


@pytest.mark.usefixtures("worker")
def test_a_running_job_is_canceled(workplace: Workplace) -> None:
    job_id = workplace.submit(model=SLOW_MODEL)
    workplace.wait_until_restoring(job_id)

    workplace.jobs.update(job_id, lambda job: job.request_cancel(at=datetime.now(UTC)))

    assert workplace.wait_until_finished(job_id).state is JobState.CANCELED
    workplace.assert_nothing_is_left(job_id)


@pytest.mark.usefixtures("worker")
def test_a_job_that_is_delivered_three_times_is_run_once(workplace: Workplace) -> None:
    job_id = workplace.submit()
    for _ in range(2):
        workplace.queue.enqueue(workplace.jobs.get(job_id))
    job = workplace.wait_until_finished(job_id)

    workplace.wait_until_finished(workplace.submit())  # after it all messages were delivered

    assert workplace.jobs.get(job_id) == job
    assert job.attempt == 1
    workplace.assert_one_whole_result(job)


@pytest.mark.usefixtures("worker")
def test_a_job_whose_message_was_lost_is_run(workplace: Workplace) -> None:
    job = workplace.wait_until_finished(workplace.submit(enqueue=False))

    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)


class Burglar:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.usefixtures("worker")
def test_a_pickled_message_is_not_opened(workplace: Workplace, tmp_path: Path) -> None:
    with Connection(workplace.broker.url) as connection, connection.Producer() as producer:
        body = pickle.dumps(Burglar(tmp_path / "was here"))
        producer.publish(
            body,
            routing_key=QUEUE_NAME,
            content_type="application/x-python-serialize",
            content_encoding="binary",
        )

    job = workplace.wait_until_finished(workplace.submit())

    assert job.state is JobState.SUCCEEDED
    assert not (tmp_path / "was here").exists()


def test_a_job_whose_process_is_killed_is_run_again(workplace: Workplace, worker: LiveWorker) -> None:
    written = len(worker.text())
    job_id = workplace.submit(model=SLOW_MODEL, trace=Trace(request_id="pacs-9"))
    workplace.wait_until_restoring(job_id)

    os.kill(worker.child_pid(), signal.SIGKILL)

    job = workplace.wait_until_finished(job_id)
    workplace.assert_one_whole_result(job)
    assert job.attempt == 2
    assert worker.process.poll() is None
    ended = f"job {job_id}, attempt 2: now succeeded"
    wait_for(lambda: ended in worker.text(), "the log tells the end")
    told = [line.partition("Z ")[2] for line in worker.text()[written:].splitlines() if job_id in line]
    assert [
        line
        for line in told
        if not line.startswith(("INFO celery.worker.strategy: ", "WARNING worker.lost: "))
        and not line.endswith("nothing to do")  # the broker may have given its first message back as well
    ] == [
        f"ERROR worker.log: [request=pacs-9] job {job_id}: the process that ran it has ended: "
        "signal 9 (SIGKILL)",
        f"INFO worker.tasks: [request=pacs-9] {ended}",
    ]
    assert "Traceback" not in worker.text()[written:]


def test_a_job_whose_process_is_killed_does_not_wait_for_its_lease_to_end(
    own_broker: LiveBroker, models: Path, tmp_path: Path
) -> None:
    workplace = Workplace(own_broker, models, tmp_path)
    job_id = workplace.submit(model=SLOW_MODEL)
    with workplace.worker(DISYRE_LEASE_S="600") as worker:
        workplace.wait_until_restoring(job_id)

        os.kill(worker.child_pid(), signal.SIGKILL)

        assert workplace.wait_until_finished(job_id).attempt == 2


def test_a_job_that_always_loses_its_process_fails(workplace: Workplace, worker: LiveWorker) -> None:
    job_id = workplace.submit(model=SLOW_MODEL)

    for attempt in range(1, MAX_LOSSES + 1):
        workplace.wait_until_restoring(job_id, attempt=attempt)
        os.kill(worker.child_pid(), signal.SIGKILL)

    job = workplace.wait_until_finished(job_id)
    assert (job.state, job.attempt) == (JobState.FAILED, MAX_LOSSES)
    assert job.error is not None
    assert job.error.code == WORKER_LOST
    next_job = workplace.wait_until_finished(workplace.submit())
    assert next_job.state is JobState.SUCCEEDED
