"""Where jobs stand that wait, in every job store."""

import pytest
import redis

from disyre.adapters.job_store import Change, JobStore, Places
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.job import Job
from disyre.job_model import Choice, JobModel
from disyre.modality import Guess
from tests.builders import make_job
from tests.contracts.stores import IDS, LATER, start


def test_jobs_wait_in_the_order_in_which_they_came(jobs: JobStore) -> None:
    came = [IDS[2], IDS[0], IDS[1]]
    for job_id in came:
        jobs.add(make_job(job_id))

    assert jobs.waiting() == came
    assert jobs.places(*came).positions == {job_id: n for n, job_id in enumerate(came, start=1)}


def test_a_job_of_a_higher_priority_goes_first(jobs: JobStore) -> None:
    for job_id, priority in zip(IDS, ("low", "normal", "high", "normal", "high"), strict=True):
        jobs.add(make_job(job_id, priority=priority))

    order = [IDS[2], IDS[4], IDS[1], IDS[3], IDS[0]]
    assert jobs.waiting() == order
    assert jobs.places(*IDS).positions == {job_id: n for n, job_id in enumerate(order, start=1)}
    assert sorted(job.id for job in jobs.heads()) == [IDS[0], IDS[1], IDS[2]]


@pytest.mark.parametrize(
    "go_back", [lambda job: job.give_back(attempt=1, at=LATER), lambda job: job.lose_worker(at=LATER)]
)
def test_a_job_that_was_given_back_or_lost_its_worker_is_the_next_of_its_priority(
    jobs: JobStore, go_back: Change
) -> None:
    jobs.add(make_job(IDS[3], priority="high"))
    for job_id in IDS[:3]:
        jobs.add(make_job(job_id))
    jobs.update(IDS[0], start)

    jobs.update(IDS[0], go_back)

    assert jobs.waiting() == [IDS[3], IDS[0], IDS[1], IDS[2]]
    assert jobs.places(*IDS).positions == {IDS[3]: 1, IDS[0]: 2, IDS[1]: 3, IDS[2]: 4}


def test_jobs_that_lost_their_workers_stand_as_they_came_whichever_was_missed_first(jobs: JobStore) -> None:
    for job_id in IDS[:3]:
        jobs.add(make_job(job_id))
        jobs.update(job_id, start)
    jobs.add(make_job(IDS[3]))

    for job_id in (IDS[1], IDS[0], IDS[2]):
        jobs.update(job_id, lambda job: job.lose_worker(at=LATER))

    assert jobs.waiting() == IDS[:4]


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_job_that_is_retried_comes_last_of_its_priority(jobs: JobStore, is_begun: bool) -> None:
    for job_id in IDS[:3]:
        jobs.add(make_job(job_id))
    if is_begun:
        jobs.update(IDS[0], start)
    jobs.update(IDS[0], lambda job: job.request_cancel(at=LATER))
    if is_begun:
        jobs.update(IDS[0], lambda job: job.cancel(attempt=1, at=LATER))

    jobs.update(IDS[0], lambda job: job.retry(at=LATER))

    assert jobs.waiting() == [IDS[1], IDS[2], IDS[0]]
    assert jobs.places(*IDS[:3]).positions == {IDS[1]: 1, IDS[2]: 2, IDS[0]: 3}


def for_model(job: Job, name: str | None) -> Job:
    model = JobModel(name=name, version="1", sha256="0" * 64) if name else None
    return job.model_copy(update={"model": model})


def test_queues_take_turns(jobs: JobStore) -> None:
    for job_id, name in zip(IDS, ("t1w", "t1w", "t1w", "t2w", None), strict=True):
        jobs.add(for_model(make_job(job_id), name))

    turns = [IDS[0], IDS[3], IDS[4], IDS[1], IDS[2]]
    assert jobs.places(*IDS).positions == {job_id: n for n, job_id in enumerate(turns, start=1)}
    assert sorted(job.id for job in jobs.heads()) == [IDS[0], IDS[3], IDS[4]]


def test_only_queues_with_the_same_workers_take_turns(jobs: JobStore) -> None:
    for job_id, name in zip(IDS, ("t1w", "t1w", "t2w", "t2w", None), strict=True):
        jobs.add(for_model(make_job(job_id), name))

    places = jobs.places(*IDS, rivals={"t1w": {"t1w", ""}, "t2w": ["t2w"]})

    assert places.positions == {IDS[0]: 1, IDS[1]: 3, IDS[2]: 1, IDS[3]: 2, IDS[4]: 3}


def test_a_job_whose_model_was_decided_waits_in_its_queue_among_those_that_came_when_it_did(
    jobs: JobStore,
) -> None:
    jobs.add(for_model(make_job(IDS[2]), "t2w"))
    jobs.add(for_model(make_job(IDS[0]), None), for_model(make_job(IDS[1]), "t2w"))
    jobs.update(IDS[0], start)
    guess = Guess(name="T2w", source="image", reason="so")
    choice = Choice(modality=guess, model=JobModel(name="t2w", version="1", sha256="0" * 64))
    jobs.update(IDS[0], lambda job: job.decide(choice, attempt=1))

    jobs.update(IDS[0], lambda job: job.give_back(attempt=1, at=LATER))

    places = jobs.places(*IDS[:3], rivals={"t2w": ["t2w"]})
    assert places.positions == {IDS[2]: 1, IDS[0]: 2, IDS[1]: 3}


def test_jobs_that_a_program_of_before_there_were_queues_left_go_first_and_are_not_lost(
    client: redis.Redis,
) -> None:
    jobs = RedisJobStore(client)
    for job_id in IDS[:3]:
        jobs.add(make_job(job_id))
    client.delete("disyre:waiting:toy", "disyre:queues")  # such a program has none of these,
    for job_id in IDS[:2]:
        client.zadd("disyre:jobs:waiting", {job_id: 0})  # and wrote this
        client.hdel(f"disyre:job:{job_id}", "queue")
    jobs.add(make_job(IDS[3]))
    client.zrem("disyre:jobs:waiting", IDS[2])  # it took this one

    assert jobs.waiting() == [IDS[0], IDS[1], IDS[3]]
    assert jobs.places(IDS[0], IDS[1]).positions == {IDS[0]: 1, IDS[1]: 2}
    assert [job.id for job in jobs.heads()] == [IDS[0], IDS[3]]
    client.zrem("disyre:waiting:toy", IDS[3])  # it took this one, too, and gave it back
    assert jobs.places(IDS[3]).positions == {IDS[3]: 3}
    assert jobs.places(IDS[3]).ahead == {IDS[3]: {"": 2}}
    jobs.update(IDS[0], start)
    assert jobs.waiting() == [IDS[1], IDS[3]]


def test_what_a_program_of_before_there_were_queues_took_has_no_place(
    jobs: JobStore, request: pytest.FixtureRequest
) -> None:
    jobs.add(make_job(IDS[0]))
    jobs.add(make_job(IDS[1]))
    jobs.update(IDS[0], start)
    if isinstance(jobs, RedisJobStore):
        request.getfixturevalue("client").zadd("disyre:waiting:toy", {IDS[0]: 0})
        assert jobs.places(IDS[0], IDS[1]).positions == {IDS[1]: 2}

    jobs.tidy()

    assert jobs.places(IDS[0], IDS[1]).positions == {IDS[1]: 1}


def test_jobs_that_wait_have_a_place(jobs: JobStore) -> None:
    for job_id in IDS[:4]:
        jobs.add(make_job(job_id))
    jobs.update(IDS[0], start)

    ahead = {IDS[3]: {"toy": 2}, IDS[1]: {}}
    assert jobs.places(IDS[0], IDS[3], IDS[1], IDS[4]) == Places(3, 1, {"toy": 3}, ahead)
    assert jobs.places() == Places(3, 1, {"toy": 3}, {})


def test_of_a_job_it_is_known_how_many_of_each_queue_are_ahead(jobs: JobStore) -> None:
    names = ("t1w", "t1w", "t2w", "t2w", None)
    for job_id, name, priority in zip(
        IDS, names, ("normal", "normal", "high", "normal", "normal"), strict=True
    ):
        jobs.add(for_model(make_job(job_id, priority=priority), name))

    places = jobs.places(*IDS, rivals={"t1w": {"t1w", "t2w"}})

    assert places.waiting == {"t1w": 2, "t2w": 2, "": 1}
    assert places.ahead == {
        IDS[0]: {"t2w": 1},
        IDS[1]: {"t1w": 1, "t2w": 2},
        IDS[2]: {},
        IDS[3]: {"t1w": 1, "t2w": 1},
        IDS[4]: {"t1w": 1, "t2w": 2},
    }


def test_the_next_job_that_waits_is_found(jobs: JobStore) -> None:
    assert jobs.heads() == []
    jobs.add(make_job(IDS[1]), make_job(IDS[0]))
    jobs.update(IDS[0], start)

    assert jobs.heads() == [make_job(IDS[1])]
