"""Workers and brokers that die, hang and are told to stop, in the middle of a job."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from disyre.job_state import JobState
from tests.integration.workplace import LEASE_S, Workplace
from tests.live import LiveBroker, LiveWorker, wait_for
from tests.lossy_proxy import lossy_proxy
from tests.shifted_clock import make_shifted_clock
from tests.toy_model import SLOW_MODEL
from worker.__main__ import EX_TEMPFAIL

HOUR_S = 3600


@pytest.fixture
def workplace(own_broker: LiveBroker, models: Path, tmp_path: Path) -> Workplace:
    return Workplace(own_broker, models, tmp_path)


def test_a_job_whose_worker_is_killed_is_finished_by_the_next(workplace: Workplace) -> None:
    job_id = workplace.submit(model=SLOW_MODEL)
    with workplace.worker("first") as first:
        workplace.wait_until_restoring(job_id)
        first.kill_group()
    workplace.assert_nothing_is_left(job_id)

    with workplace.worker("second"):
        job = workplace.wait_until_finished(job_id)

    assert job.attempt == 2
    workplace.assert_one_whole_result(job)


def test_a_job_whose_worker_was_killed_is_begun_before_those_that_came_later(workplace: Workplace) -> None:
    lost = workplace.submit(model=SLOW_MODEL)
    with workplace.worker("first") as first:
        workplace.wait_until_restoring(lost)
        later = [workplace.submit(model=SLOW_MODEL, severities=(0.5,)) for _ in range(2)]
        urgent = workplace.submit(model=SLOW_MODEL, severities=(0.5,), priority="high")
        first.kill_group()

    def is_back() -> bool:
        workplace.reap()
        return workplace.jobs.get(lost).state is JobState.QUEUED

    wait_for(is_back, "the job is back in its queue")
    order = [urgent, lost, *later]
    places = workplace.jobs.places(*order).positions
    assert [places[job_id] for job_id in order] == [1, 2, 3, 4]
    with workplace.worker("second"):
        ended = [workplace.wait_until_finished(job_id) for job_id in order]

    began = [max(each.at for each in job.history if each.state is JobState.RUNNING) for job in ended]
    assert began == sorted(began)
    assert [(job.state, job.attempt) for job in ended[:2]] == [(JobState.SUCCEEDED, n) for n in (1, 2)]


def test_what_is_left_of_a_worker_that_was_killed_writes_nothing_of_another_form(
    workplace: Workplace,
) -> None:
    with workplace.worker() as worker:
        wait_for(workplace.registry.workers, "the worker is ready")

        worker.process.kill()
        worker.process.wait(30)

        wait_for(lambda: not is_there(worker.process.pid), "its child and what looks after it end")
    assert_log_is_ours(worker)


def is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def assert_log_is_ours(worker: LiveWorker) -> None:
    """Each line has its time, and none is a library's word to who programs with it."""
    odd = [
        line
        for line in worker.text().splitlines()
        if not re.match(r"\d{4}-\d\d-\d\dT", line) or "py.warnings" in line
    ]
    assert odd == []


def test_a_worker_that_hung_does_not_disturb_the_one_that_took_over(workplace: Workplace) -> None:
    job_id = workplace.submit(model=SLOW_MODEL)
    with workplace.worker("first") as first:
        workplace.wait_until_restoring(job_id)
        hung = first.child_pid()
        os.kill(hung, signal.SIGSTOP)
        with workplace.worker("second"):
            workplace.wait_until_restoring(job_id, attempt=2)
            os.kill(hung, signal.SIGCONT)
            wait_for(lambda: "went on without this worker" in first.text(), "the first one gives up")

            job = workplace.wait_until_finished(job_id)

    assert job.attempt == 2
    workplace.assert_one_whole_result(job)


def test_a_worker_that_is_told_to_stop_gives_its_job_back(workplace: Workplace) -> None:
    job_id = workplace.submit(model=SLOW_MODEL)
    with workplace.worker("first", DISYRE_SHUTDOWN_GRACE_S="0") as first:
        workplace.wait_until_restoring(job_id)

        first.process.terminate()

        assert first.process.wait(30) == 0
    job = workplace.jobs.get(job_id)
    assert (job.state, job.n_losses) == (JobState.QUEUED, 0), "none of its attempts is used up"
    assert f"job {job_id}, attempt 1: now queued" in first.text()
    assert "succeeded" not in first.text(), "the log does not say what is not so"
    assert not workplace.jobs.is_leased(job_id)
    assert workplace.registry.workers() == []
    workplace.assert_nothing_is_left(job_id)
    assert workplace.queue.pending_ids() == {job_id}, "it does not wait for a reaper"


def test_a_worker_that_is_told_to_stop_may_finish_its_job(workplace: Workplace) -> None:
    job_id = workplace.submit(model=SLOW_MODEL)
    with workplace.worker(DISYRE_SHUTDOWN_GRACE_S="60") as worker:
        workplace.wait_until_restoring(job_id)
        waiting = workplace.submit()

        worker.process.terminate()

        assert worker.process.wait(60) == 0
    workplace.assert_one_whole_result(workplace.jobs.get(job_id))
    assert workplace.jobs.get(waiting).state is JobState.QUEUED


def test_a_job_survives_a_crash_of_the_broker(workplace: Workplace) -> None:
    job_id = workplace.submit(model=SLOW_MODEL)
    with workplace.worker() as worker:
        workplace.wait_until_restoring(job_id)

        workplace.broker.kill()
        workplace.broker.start()

        job = workplace.wait_until_finished(job_id)
        assert job.attempt == 1
        workplace.assert_one_whole_result(job)
        next_job = workplace.wait_until_finished(workplace.submit())
        assert next_job.state is JobState.SUCCEEDED
        assert worker.process.poll() is None


def test_a_worker_takes_more_after_its_broker_went_as_it_acknowledged_a_message(
    workplace: Workplace,
) -> None:
    job_id = workplace.submit()
    with lossy_proxy(workplace.broker.embedded.socket) as proxy:
        proxy.command = b"ZREM\r\n$13\r\nunacked_index"

        def fail_once() -> None:
            proxy.before = lambda: None
            workplace.broker.kill()

        proxy.before = fail_once
        with workplace.worker(DISYRE_BROKER_URL=proxy.url) as worker:
            wait_for(lambda: "Couldn't ack" in worker.text(), "it cannot acknowledge", within_s=60)

            workplace.broker.start()

            assert workplace.wait_until_finished(workplace.submit()).state is JobState.SUCCEEDED
            assert worker.process.poll() is None
    assert workplace.jobs.get(job_id).attempt == 1
    assert "Connection to broker lost" in worker.text()
    assert_log_is_ours(worker)


def test_a_worker_that_takes_nothing_any_more_ends_and_the_next_one_goes_on(
    workplace: Workplace,
) -> None:
    taking = threading.Event()
    with lossy_proxy(workplace.broker.embedded.socket) as proxy:
        proxy.command = b"BRPOP"

        def hold_up() -> None:
            taking.wait(60)

        proxy.before = hold_up
        settings = {"DISYRE_BROKER_URL": proxy.url, "DISYRE_MAX_STANDSTILL_S": "2"}
        with workplace.worker("first", DISYRE_SHUTDOWN_GRACE_S="0", **settings) as worker:
            job_id = workplace.submit()

            wait_for(lambda: "took no job for" in worker.text(), "it notices", within_s=60)
            taking.set()

            assert worker.process.wait(30) == EX_TEMPFAIL
        assert workplace.registry.workers() == []
        assert workplace.jobs.get(job_id).state is JobState.QUEUED
        with workplace.worker("second", **settings) as worker:
            job = workplace.wait_until_finished(job_id)
            assert worker.process.poll() is None
    assert job.attempt == 1
    workplace.assert_one_whole_result(job)


def test_a_job_outlasts_a_broker_that_does_not_answer_for_longer_than_a_lease(workplace: Workplace) -> None:
    job_id = workplace.submit(model=SLOW_MODEL)
    with workplace.worker() as worker:
        workplace.wait_until_restoring(job_id)

        workplace.broker.signal(signal.SIGSTOP)
        time.sleep(3 * LEASE_S)
        workplace.broker.signal(signal.SIGCONT)

        job = workplace.wait_until_finished(job_id)
    assert (job.attempt, job.n_losses) == (1, 0), worker.text()
    workplace.assert_one_whole_result(job)


def test_a_worker_whose_clock_jumps_does_its_job_once_and_says_the_right_time(
    workplace: Workplace, tmp_path: Path
) -> None:
    clock = make_shifted_clock(tmp_path)
    clock.shift(HOUR_S)
    before = workplace.jobs.now()
    job_id = workplace.submit(model=SLOW_MODEL)
    with workplace.worker(**clock.environment) as worker:
        workplace.wait_until_restoring(job_id)
        assert worker_is_ahead(workplace), "its clock is wrong"

        clock.shift(-HOUR_S)

        wait_for(lambda: not worker_is_ahead(workplace), "its clock has jumped")
        job = workplace.wait_until_finished(job_id)
        after = workplace.jobs.now()
    assert (job.attempt, job.n_losses) == (1, 0), worker.text()
    assert all(before <= transition.at <= after for transition in job.history[1:])
    workplace.assert_one_whole_result(job)


def worker_is_ahead(workplace: Workplace) -> bool:
    """Whether the clock by which the worker says when it was seen is fast."""
    (worker,) = workplace.registry.workers()
    return worker.last_seen_at > workplace.jobs.now()


def test_a_worker_waits_for_a_broker_that_is_not_there_yet(workplace: Workplace) -> None:
    job_id = workplace.submit()
    workplace.broker.kill()
    with workplace.worker() as worker:
        wait_for(lambda: "the broker does not answer" in worker.text(), "the worker looks for the broker")

        workplace.broker.start()

        assert workplace.wait_until_finished(job_id).state is JobState.SUCCEEDED


def test_a_job_that_takes_too_long_fails(workplace: Workplace) -> None:
    job_id = workplace.submit(model=SLOW_MODEL)

    with workplace.worker(DISYRE_JOB_TIME_LIMIT_S="1"):
        job = workplace.wait_until_finished(job_id)

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "timeout"
    workplace.assert_nothing_is_left(job_id)
