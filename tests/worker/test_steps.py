"""Between two steps: what is saved, and what stops a job."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_store import Change
from disyre.errors import IllegalTransition, JobCanceled, StaleAttempt, TimedOut, Unavailable
from disyre.job import Job
from disyre.job_model import Choice
from disyre.modality import Guess
from disyre.progress import Progress
from tests.builders import NOON, make_job
from tests.live import wait_for
from worker.lease import Lease, hold
from worker.steps import Steps, StopRequest, WorkerStopping

JOB_ID = make_job().id
LIMIT_S = 100.0


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


class CountingJobStore(InMemoryJobStore):
    """Counts what is stored, and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.n_updates = 0
        self.is_away = False

    def update(self, job_id: str, change: Change) -> Job:
        self.n_updates += 1
        if self.is_away:
            raise Unavailable("away")
        return super().update(job_id, change)


@pytest.fixture
def jobs() -> CountingJobStore:
    jobs = CountingJobStore()
    jobs.add(make_job().start(at=NOON))
    return jobs


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lease(jobs: CountingJobStore) -> Lease:
    lease = Lease(jobs, JOB_ID, lease_s=LIMIT_S)
    lease.claim()
    return lease


@pytest.fixture
def stop() -> StopRequest:
    return StopRequest(grace_s=0)


@pytest.fixture
def steps(jobs: CountingJobStore, lease: Lease, stop: StopRequest, clock: Clock) -> Steps:
    return Steps(jobs, jobs.get(JOB_ID), lease, stop=stop, time_limit_s=LIMIT_S, clock=clock)


def restoring(step: int) -> Progress:
    return Progress(stage="restoring", step=step, steps=100, fraction=step / 100)


def test_progress_is_saved(steps: Steps, jobs: CountingJobStore) -> None:
    steps(restoring(1))

    assert jobs.get(JOB_ID).progress == restoring(1)


def test_progress_is_saved_now_and_then(steps: Steps, jobs: CountingJobStore, clock: Clock) -> None:
    for step in range(1, 101):
        clock.now_s = step / 100
        steps(restoring(step))

    assert jobs.n_updates == 4  # at 0.01, 0.31, 0.61 and 0.91 s
    assert jobs.get(JOB_ID).progress == restoring(91)


def test_what_was_saved_is_not_saved_again(steps: Steps, jobs: CountingJobStore, clock: Clock) -> None:
    steps(restoring(1))
    clock.now_s = 1
    steps(restoring(1))

    assert jobs.n_updates == 1


def test_a_new_stage_is_saved_at_once(steps: Steps, jobs: CountingJobStore) -> None:
    steps(restoring(1))
    steps(Progress(stage="scoring", fraction=0.9))

    progress = jobs.get(JOB_ID).progress
    assert progress is not None
    assert progress.stage == "scoring"


CHOICE = Choice(modality=Guess(name="T2w", source="image", reason="so"), model=make_job().model)


def test_what_was_decided_is_stored_at_once(steps: Steps, jobs: CountingJobStore) -> None:
    steps(restoring(1))
    steps.decide(CHOICE)

    assert jobs.get(JOB_ID).modality == CHOICE.modality


def test_a_decision_of_a_canceled_job_stops_it_and_one_without_a_broker_goes_on(
    steps: Steps, jobs: CountingJobStore
) -> None:
    jobs.is_away = True
    steps.decide(CHOICE)
    jobs.is_away = False
    jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))

    with pytest.raises(JobCanceled):
        steps.decide(CHOICE)


def test_a_canceled_job_is_stopped(steps: Steps, jobs: CountingJobStore) -> None:
    jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))

    with pytest.raises(JobCanceled):
        steps(restoring(1))


def test_a_job_that_takes_too_long_is_stopped(steps: Steps, clock: Clock) -> None:
    clock.now_s = LIMIT_S + 1

    with pytest.raises(TimedOut):
        steps(restoring(1))


def test_a_job_of_a_worker_that_shuts_down_is_stopped(steps: Steps, stop: StopRequest) -> None:
    steps(restoring(1))
    stop.request()

    with pytest.raises(WorkerStopping):
        steps(restoring(2))


def test_a_job_may_go_on_for_the_grace_of_a_shutdown() -> None:
    stop = StopRequest(grace_s=LIMIT_S)

    stop.request()

    assert not stop.is_due()


@pytest.mark.parametrize(
    "begin_again", [lambda job: job.lose_worker(at=NOON), lambda job: job.lose_worker(at=NOON).start(at=NOON)]
)
def test_a_job_that_went_to_another_worker_is_stopped(
    steps: Steps, jobs: CountingJobStore, begin_again: Callable[[Job], Job]
) -> None:
    jobs.update(JOB_ID, begin_again)

    with pytest.raises(IllegalTransition):
        steps(restoring(1))


def test_a_job_goes_on_without_the_broker(steps: Steps, jobs: CountingJobStore) -> None:
    jobs.is_away = True

    steps(restoring(1))

    assert jobs.n_updates == 1


def test_a_job_whose_lease_is_lost_is_stopped(jobs: CountingJobStore, stop: StopRequest) -> None:
    lease = Lease(jobs, JOB_ID, lease_s=0.01)
    steps = Steps(jobs, jobs.get(JOB_ID), lease, stop=stop, time_limit_s=LIMIT_S)
    jobs.claim(JOB_ID, "another worker", lease_s=LIMIT_S)

    lease.keep()  # until the first renewal finds the other one

    with pytest.raises(StaleAttempt):
        steps(restoring(1))


def cancel(jobs: InMemoryJobStore) -> None:
    jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))


def delete(jobs: InMemoryJobStore) -> None:
    jobs.remove(JOB_ID)


@pytest.mark.parametrize("lose_interest", [cancel, delete])
def test_a_job_that_nobody_wants_is_stopped_though_it_has_nothing_to_say(
    jobs: CountingJobStore, stop: StopRequest, lose_interest: Callable[[InMemoryJobStore], None]
) -> None:
    with hold(jobs, JOB_ID, lease_s=LIMIT_S) as lease:
        assert lease is not None
        steps = Steps(jobs, jobs.get(JOB_ID), lease, stop=stop, time_limit_s=LIMIT_S)
        steps(restoring(1))
        lose_interest(jobs)

        def is_stopped() -> bool:
            try:
                steps(restoring(1))
            except JobCanceled:
                return True
            return False

        wait_for(is_stopped, "the job is stopped")


def test_a_lease_is_kept_for_the_length_of_a_block(jobs: CountingJobStore) -> None:
    with hold(jobs, JOB_ID, lease_s=LIMIT_S) as lease:
        assert lease is not None
        assert jobs.is_leased(JOB_ID)
        with hold(jobs, JOB_ID, lease_s=LIMIT_S) as other:
            assert other is None
        assert jobs.is_leased(JOB_ID)

    assert not jobs.is_leased(JOB_ID)


def test_a_renewal_under_way_does_not_take_a_lease_again_that_was_given_back() -> None:
    class SlowJobStore(InMemoryJobStore):
        """A renewal takes longer than the job."""

        is_renewing = threading.Event()

        def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
            self.is_renewing.set()
            time.sleep(0.05)
            return super().renew(job_id, holder, lease_s=lease_s)

    jobs = SlowJobStore()

    with hold(jobs, JOB_ID, lease_s=0.2):
        jobs.is_renewing.wait()

    assert not jobs.is_leased(JOB_ID)


class PatchyJobStore(InMemoryJobStore):
    """Away at every other renewal; ends the lease at the last one."""

    lease: Lease
    renewals_left = 4

    def renew(self, job_id: str, holder: str, *, lease_s: float) -> bool:
        self.renewals_left -= 1
        if self.renewals_left == 0:
            self.lease.stop_keeping()
        if self.renewals_left % 2:
            raise Unavailable("away")
        return True


def test_a_lease_is_kept_though_the_broker_is_away_for_a_moment() -> None:
    jobs = PatchyJobStore()
    jobs.add(make_job())
    jobs.lease = Lease(jobs, JOB_ID, lease_s=0.01)

    jobs.lease.keep()

    assert jobs.renewals_left == 0
    jobs.lease.check()
