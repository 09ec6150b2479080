"""What is counted and measured of jobs, in every job store."""

from datetime import timedelta

import pytest
import redis

from disyre.adapters.job_store import N_DURATIONS, JobStore
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.errors import IllegalTransition, QueueFull
from disyre.job import Job, JobProblem
from disyre.queue_limits import QueueLimits
from tests.builders import make_job
from tests.contracts.stores import IDS, LATER, start


def succeed(job: Job) -> Job:
    ended = job.history[-1].at + timedelta(seconds=1.25)
    return job.succeed(attempt=job.attempt, artifacts=(), summary={}, provider="CPU", at=ended)


def test_how_long_jobs_took_is_kept_of_the_attempt_that_succeeded(jobs: JobStore) -> None:
    for job_id in IDS[:3]:
        jobs.add(make_job(job_id))
        jobs.update(job_id, start)
    jobs.update(IDS[0], lambda job: job.lose_worker(at=LATER + timedelta(hours=1)))
    jobs.update(IDS[0], lambda job: job.start(at=LATER + timedelta(hours=2)))
    jobs.update(IDS[2], lambda job: job.fail(JobProblem(code="x", detail="x"), attempt=1, at=LATER))

    jobs.update(IDS[0], succeed)
    jobs.update(IDS[1], lambda job: succeed(job.model_copy(update={"model": None})))

    assert jobs.durations() == [("toy", 1.25)]
    assert jobs.update(IDS[0], lambda job: job).run_s == 1.25
    assert jobs.durations() == [("toy", 1.25)]


def test_how_long_a_job_took_is_kept_once_also_if_it_is_deleted(jobs: JobStore) -> None:
    jobs.add(make_job(IDS[0]))
    jobs.update(IDS[0], start)
    jobs.update(IDS[0], succeed)
    before = jobs.durations(), jobs.counts()

    let_go = [jobs.update(IDS[0], lambda job: job.let_go(at=LATER)) for _ in range(2)]

    assert (jobs.durations(), jobs.counts()) == before
    assert let_go[0] == let_go[1] == jobs.get(IDS[0])


def test_only_the_last_durations_are_kept(client: redis.Redis) -> None:
    jobs = RedisJobStore(client)
    client.lpush("disyre:durations", *(f"toy {n}" for n in range(N_DURATIONS)))
    jobs.add(make_job())
    jobs.update(make_job().id, start)

    jobs.update(make_job().id, succeed)

    assert len(jobs.durations()) == N_DURATIONS
    assert jobs.durations()[:2] == [("toy", 1.25), ("toy", N_DURATIONS - 1)]


def test_what_happens_to_jobs_is_counted_once(jobs: JobStore) -> None:
    first, second = make_job(IDS[0]), make_job(IDS[1])
    for _ in range(2):
        jobs.add(first, second)
    with pytest.raises(QueueFull):
        jobs.add(make_job(IDS[2]), limits=QueueLimits(most_waiting=1))
    jobs.update(first.id, start)
    jobs.update(first.id, lambda job: job)
    jobs.update(first.id, lambda job: job.lose_worker(at=LATER))
    with pytest.raises(IllegalTransition):
        jobs.update(
            second.id, lambda job: job.succeed(attempt=0, artifacts=(), summary={}, provider="", at=LATER)
        )

    assert jobs.counts() == {
        "jobs queued ": 2,
        "jobs queued worker-lost": 1,
        "jobs running ": 1,
        "upload 1048576.0": 1,
        "upload sum": 1000,
        "wait 60.0": 1,
        "wait sum": 60,
        "begun_at_s": LATER.timestamp(),
    }
    jobs.remove(first.id)
    assert jobs.counts()["jobs queued "] == 2
