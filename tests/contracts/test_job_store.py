"""What every job store does; one body for the real one and the one in memory."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
import redis

from disyre.adapters.broker import connect
from disyre.adapters.job_store import N_DURATIONS, InMemoryJobStore, JobStore, Places
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.errors import IllegalTransition, JobNotFound, QueueFull
from disyre.job import Choice, Job, JobModel, JobProblem, JobState
from disyre.modality import Guess
from disyre.progress import Progress
from disyre.store_mark import StoreMark
from tests.builders import NOON, make_job
from tests.live import live_broker, wait_for

LATER = NOON + timedelta(minutes=1)
IDS = [f"019b7a00-0000-7000-8000-00000000000{n}" for n in range(1, 6)]
LONG_S = 60.0


@pytest.fixture(params=["redis", "memory"])
def jobs(request: pytest.FixtureRequest) -> JobStore:
    return (
        InMemoryJobStore() if request.param == "memory" else RedisJobStore(request.getfixturevalue("client"))
    )


def start(job: Job) -> Job:
    return job.start(at=LATER)


def test_the_store_tells_the_time_of_day(jobs: JobStore) -> None:
    first, then = jobs.now(), jobs.now()

    assert abs(first - datetime.now(UTC)) < timedelta(seconds=10)  # the broker is on this machine
    assert first.tzinfo is UTC
    assert timedelta(0) <= then - first < timedelta(seconds=10)


def test_a_job_comes_back_as_it_was_stored(jobs: JobStore) -> None:
    job = make_job(severities=(0.5, 0.25), labels={"site": "ß"})

    jobs.add(job)

    assert jobs.get(job.id) == job


def test_what_a_newer_program_added_to_a_job_is_ignored_by_an_older_one_and_stays(
    client: redis.Redis,
) -> None:
    jobs = RedisJobStore(client)
    jobs.add(make_job())
    key = f"disyre:job:{make_job().id}"
    document = json.loads(cast(str, client.hget(key, "doc")))
    client.hset(key, "doc", json.dumps({**document, "ward": "3", "params": {**document["params"], "new": 1}}))

    assert jobs.get(make_job().id) == make_job()
    assert jobs.list(limit=1) == [make_job()]
    started = jobs.update(make_job().id, start)

    assert jobs.get(started.id) == started
    stored = json.loads(cast(str, client.hget(key, "doc")))
    assert stored["ward"] == "3"
    assert stored["state"] == "running"


def test_an_unknown_id_is_not_found(jobs: JobStore) -> None:
    with pytest.raises(JobNotFound):
        jobs.get(IDS[0])
    with pytest.raises(JobNotFound):
        jobs.update(IDS[0], start)


def test_adding_a_job_twice_is_adding_it_once(jobs: JobStore) -> None:
    jobs.add(make_job(IDS[0]), make_job(IDS[1]))
    jobs.update(IDS[0], start)

    jobs.add(make_job(IDS[0]), make_job(IDS[1]), most_waiting=1)

    assert jobs.get(IDS[0]).state is JobState.RUNNING
    assert [job.id for job in jobs.list(limit=5)] == [IDS[1], IDS[0]]


def test_another_job_of_the_same_id_is_not_added(jobs: JobStore) -> None:
    jobs.add(make_job())

    with pytest.raises(ValueError, match="already"):
        jobs.add(make_job(severities=(0.5,)))

    assert jobs.get(make_job().id) == make_job()


def test_jobs_are_added_together_or_not_at_all(jobs: JobStore) -> None:
    jobs.add(make_job(IDS[1]))

    with pytest.raises(ValueError, match="already"):
        jobs.add(make_job(IDS[0]), make_job(IDS[1]))
    with pytest.raises(QueueFull, match="fewer than 2 waiting jobs"):
        jobs.add(make_job(IDS[0]), make_job(IDS[2]), most_waiting=2)
    assert jobs.waiting() == [IDS[1]]

    jobs.add(make_job(IDS[0]), make_job(IDS[2]), most_waiting=3)
    assert jobs.waiting() == [IDS[1], IDS[0], IDS[2]]
    assert jobs.n_waiting() == 3


def test_jobs_that_are_added_at_once_do_not_overfill_the_queue(jobs: JobStore) -> None:
    together = threading.Barrier(20)

    def add(n: int) -> bool:
        together.wait()
        try:
            jobs.add(make_job(f"019b7a00-0000-7000-8000-0000000001{n:02d}"), most_waiting=5)
        except QueueFull:
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        added = list(threads.map(add, range(20)))

    assert (sum(added), jobs.n_waiting(), len(jobs.list(limit=20))) == (5, 5, 5)


def test_the_voxels_of_jobs_that_wait_or_run_are_known(jobs: JobStore) -> None:
    def scan(job_id: str, n_voxels: int | None) -> Job:
        job = make_job(job_id, labels={'a "n_voxels":7': '"n_voxels":7', "n_voxels": "7"})
        return job.model_copy(update={"input": job.input.model_copy(update={"n_voxels": n_voxels})})

    assert jobs.n_voxels() == 0
    jobs.add(scan(IDS[0], 90_000_000), scan(IDS[1], 3_000_000_000))
    jobs.add(scan(IDS[2], None))
    assert jobs.n_voxels() == 3_090_000_000

    jobs.update(IDS[1], start)
    assert jobs.n_voxels() == 3_090_000_000
    failed = JobProblem(code="not-3d", detail="")
    jobs.update(IDS[1], lambda job: job.fail(failed, attempt=1, at=LATER))
    assert jobs.n_voxels() == 90_000_000
    jobs.update(IDS[1], lambda job: job.retry(at=LATER))
    assert jobs.n_voxels() == 3_090_000_000
    jobs.remove(IDS[1])
    assert jobs.n_voxels() == 90_000_000


def scan_of(job_id: str, n_voxels: int) -> Job:
    job = make_job(job_id)
    return job.model_copy(update={"input": job.input.model_copy(update={"n_voxels": n_voxels})})


def test_scans_that_are_added_at_once_have_no_more_voxels_than_may_wait(jobs: JobStore) -> None:
    together = threading.Barrier(20)

    def add(n: int) -> bool:
        together.wait()
        job = scan_of(f"019b7a00-0000-7000-8000-0000000001{n:02d}", 3_000_000_000)
        try:
            jobs.add(job, most_voxels=10_000_000_000)
        except QueueFull:
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        added = list(threads.map(add, range(20)))

    assert (sum(added), jobs.n_waiting(), jobs.n_voxels()) == (3, 3, 9_000_000_000)


def test_one_call_is_taken_whatever_voxels_it_has_while_there_are_no_others(jobs: JobStore) -> None:
    jobs.add(scan_of(IDS[0], 60), scan_of(IDS[1], 60), most_voxels=100)

    with pytest.raises(QueueFull, match=r"expected at most 100 voxels .* got 120 and 1 more"):
        jobs.add(scan_of(IDS[2], 1), most_voxels=100)
    assert jobs.n_waiting() == 2


def test_a_job_is_withdrawn_unless_a_worker_has_begun_it(jobs: JobStore) -> None:
    jobs.add(make_job(IDS[0]))
    jobs.add(make_job(IDS[1]))
    jobs.update(IDS[1], start)

    assert [jobs.withdraw(job_id) for job_id in IDS[:3]] == [True, False, True]

    assert [job.id for job in jobs.list(limit=5)] == [IDS[1]]
    assert (jobs.waiting(), jobs.running()) == ([], [IDS[1]])


def test_a_change_is_stored_and_given_back(jobs: JobStore) -> None:
    jobs.add(make_job())

    changed = jobs.update(make_job().id, start)

    assert changed.state is JobState.RUNNING
    assert jobs.get(changed.id) == changed


def test_a_change_that_raises_changes_nothing(jobs: JobStore) -> None:
    job = make_job()
    jobs.add(job)

    with pytest.raises(IllegalTransition):
        jobs.update(job.id, lambda job: job.fail(JobProblem(code="x", detail="x"), attempt=0, at=LATER))

    assert jobs.get(job.id) == job


def test_a_change_that_gives_its_argument_back_changes_nothing(jobs: JobStore) -> None:
    job = make_job()
    jobs.add(job)

    assert jobs.update(job.id, lambda job: job) == job
    assert jobs.get(job.id) == job


def test_changes_at_the_same_time_are_all_stored(jobs: JobStore) -> None:
    job = make_job()
    jobs.add(job)
    jobs.update(job.id, start)
    progress = Progress(stage="restoring", fraction=0.5)
    together = threading.Barrier(4)

    def report(_: int) -> None:
        together.wait()
        for _ in range(5):
            jobs.update(job.id, lambda job: job.report(progress, attempt=1))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(report, range(4)))

    assert jobs.get(job.id).revision == 1 + 1 + 4 * 5


def test_a_job_is_waiting_then_running_then_neither(jobs: JobStore) -> None:
    job = make_job()
    jobs.add(job)
    assert (jobs.waiting(), jobs.running()) == ([job.id], [])

    jobs.update(job.id, start)
    assert (jobs.waiting(), jobs.running()) == ([], [job.id])

    jobs.update(job.id, lambda job: job.request_cancel(at=LATER))
    assert (jobs.waiting(), jobs.running()) == ([], [job.id])

    jobs.update(job.id, lambda job: job.cancel(attempt=1, at=LATER))
    assert (jobs.waiting(), jobs.running()) == ([], [])


def test_a_job_whose_worker_was_lost_is_waiting_again(jobs: JobStore) -> None:
    job = make_job()
    jobs.add(job)
    jobs.update(job.id, start)

    jobs.update(job.id, lambda job: job.lose_worker(at=LATER))

    assert (jobs.waiting(), jobs.running()) == ([job.id], [])


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


def test_a_job_that_was_returned_comes_last_of_its_priority(jobs: JobStore) -> None:
    for job_id in IDS[:3]:
        jobs.add(make_job(job_id))
    jobs.add(make_job(IDS[3], priority="low"))
    jobs.update(IDS[0], start)

    jobs.update(IDS[0], lambda job: job.give_back(attempt=1, at=LATER))

    assert jobs.waiting() == [IDS[1], IDS[2], IDS[0], IDS[3]]
    assert jobs.places(*IDS).positions == {IDS[1]: 1, IDS[2]: 2, IDS[0]: 3, IDS[3]: 4}


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


def test_a_job_whose_model_was_decided_waits_in_its_queue(jobs: JobStore) -> None:
    jobs.add(for_model(make_job(IDS[0]), None), for_model(make_job(IDS[1]), "t2w"))
    jobs.update(IDS[0], start)
    guess = Guess(name="T2w", source="image", reason="so")
    choice = Choice(modality=guess, model=JobModel(name="t2w", version="1", sha256="0" * 64))
    jobs.update(IDS[0], lambda job: job.decide(choice, attempt=1))

    jobs.update(IDS[0], lambda job: job.give_back(attempt=1, at=LATER))

    assert jobs.places(*IDS[:2], rivals={"t2w": ["t2w"]}).positions == {IDS[1]: 1, IDS[0]: 2}


def test_a_job_that_is_sent_again_comes_last_of_its_priority(jobs: JobStore) -> None:
    for job_id in IDS[:3]:
        jobs.add(make_job(job_id))
    jobs.update(IDS[2], start)

    jobs.wait_anew(make_job(IDS[0]))
    jobs.wait_anew(make_job(IDS[2]))  # it has begun meanwhile

    assert jobs.waiting() == [IDS[1], IDS[0]]
    assert jobs.places(*IDS[:3]).positions == {IDS[1]: 1, IDS[0]: 2}


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

    assert jobs.places(IDS[0], IDS[3], IDS[1], IDS[4]) == Places(3, 1, {IDS[3]: 3, IDS[1]: 1})
    assert jobs.places() == Places(3, 1, {})


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


def test_only_the_last_durations_are_kept(client: redis.Redis) -> None:
    jobs = RedisJobStore(client)
    client.lpush("disyre:durations", *(f"toy {n}" for n in range(N_DURATIONS)))
    jobs.add(make_job())
    jobs.update(make_job().id, start)

    jobs.update(make_job().id, succeed)

    assert len(jobs.durations()) == N_DURATIONS
    assert jobs.durations()[:2] == [("toy", 1.25), ("toy", N_DURATIONS - 1)]


def test_the_list_has_the_newest_first_and_goes_on_after_an_id(jobs: JobStore) -> None:
    for job_id in IDS:
        jobs.add(make_job(job_id))

    first = jobs.list(limit=2)
    rest = jobs.list(limit=10, before=first[-1].id)

    assert [job.id for job in first] == [IDS[4], IDS[3]]
    assert [job.id for job in rest] == [IDS[2], IDS[1], IDS[0]]


def test_a_removed_job_is_gone_from_everywhere(jobs: JobStore) -> None:
    job = make_job()
    jobs.add(job)
    jobs.claim(job.id, "a", lease_s=LONG_S)

    jobs.remove(job.id)
    jobs.remove(job.id)

    with pytest.raises(JobNotFound):
        jobs.get(job.id)
    assert (jobs.list(limit=10), jobs.waiting(), jobs.running()) == ([], [], [])
    assert not jobs.is_leased(job.id)


def test_the_store_says_which_ids_are_of_jobs(jobs: JobStore) -> None:
    jobs.add(make_job(IDS[1]))

    assert jobs.known(IDS) == {IDS[1]}
    assert jobs.known([]) == set()


def test_the_store_carries_the_mark_of_its_files(jobs: JobStore) -> None:
    assert jobs.mark() is None

    for count in (0, 1):
        jobs.set_mark(StoreMark(id=IDS[0], count=count))

    assert jobs.mark() == StoreMark(id=IDS[0], count=1)


def test_one_holder_at_a_time_has_the_lease(jobs: JobStore) -> None:
    assert jobs.claim(IDS[0], "a", lease_s=LONG_S)

    assert not jobs.claim(IDS[0], "b", lease_s=LONG_S)
    assert jobs.claim(IDS[1], "b", lease_s=LONG_S)
    assert jobs.is_leased(IDS[0])


def test_a_lease_ends_by_itself(jobs: JobStore) -> None:
    jobs.claim(IDS[0], "a", lease_s=0.01)

    wait_for(lambda: not jobs.is_leased(IDS[0]), "the lease is over")

    assert jobs.claim(IDS[0], "b", lease_s=LONG_S)
    assert not jobs.renew(IDS[0], "a", lease_s=LONG_S)


def test_a_lease_that_ended_is_taken_again_by_its_holder_if_nobody_else_has_it(jobs: JobStore) -> None:
    jobs.claim(IDS[0], "a", lease_s=0.01)
    wait_for(lambda: not jobs.is_leased(IDS[0]), "the lease is over")

    assert jobs.renew(IDS[0], "a", lease_s=LONG_S)

    assert not jobs.claim(IDS[0], "b", lease_s=LONG_S)


def test_a_renewed_lease_goes_on(jobs: JobStore) -> None:
    jobs.claim(IDS[0], "a", lease_s=0.5)

    assert jobs.renew(IDS[0], "a", lease_s=LONG_S)

    with pytest.raises(AssertionError):
        wait_for(lambda: not jobs.is_leased(IDS[0]), "the lease is over", within_s=0.7)


def test_only_its_holder_renews_and_releases_a_lease(jobs: JobStore) -> None:
    jobs.claim(IDS[0], "a", lease_s=LONG_S)

    jobs.release(IDS[0], "b")

    assert not jobs.renew(IDS[0], "b", lease_s=LONG_S)
    assert jobs.is_leased(IDS[0])
    jobs.release(IDS[0], "a")
    assert not jobs.is_leased(IDS[0])


def test_jobs_survive_a_crash_of_the_broker(tmp_path: Path) -> None:
    with live_broker(tmp_path) as broker, connect(broker.url, timeout_s=2) as client:
        jobs = RedisJobStore(client)
        jobs.add(make_job())
        broker.kill()

        broker.start()

        assert jobs.get(make_job().id) == make_job()
        assert jobs.waiting() == [make_job().id]


def test_what_happens_to_jobs_is_counted_once(jobs: JobStore) -> None:
    first, second = make_job(IDS[0]), make_job(IDS[1])
    for _ in range(2):
        jobs.add(first, second)
    with pytest.raises(QueueFull):
        jobs.add(make_job(IDS[2]), most_waiting=1)
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


def test_the_next_job_that_waits_is_found(jobs: JobStore) -> None:
    assert jobs.heads() == []
    jobs.add(make_job(IDS[1]), make_job(IDS[0]))
    jobs.update(IDS[0], start)

    assert jobs.heads() == [make_job(IDS[1])]


def test_a_callback_is_due_at_the_end_of_its_job_until_it_has_ended(jobs: JobStore) -> None:
    jobs.add(make_job(IDS[0], callback="https://a.example/"), make_job(IDS[1]))
    for job_id in IDS[:2]:
        jobs.update(job_id, start)
    assert jobs.take_call(lease_s=LONG_S) is None
    for job_id in IDS[:2]:
        jobs.update(job_id, lambda job: job.fail(JobProblem(code="a", detail=""), attempt=1, at=LATER))

    assert jobs.take_call(lease_s=LONG_S) == (IDS[0], 1)
    assert jobs.take_call(lease_s=LONG_S) is None
    jobs.put_off_call(IDS[0], after_s=0.001)
    assert wait_for(lambda: jobs.take_call(lease_s=0.001), "it is due") == (IDS[0], 2)
    assert wait_for(lambda: jobs.take_call(lease_s=0.001), "the lease is over") == (IDS[0], 3)
    jobs.end_call(IDS[0])
    assert jobs.take_call(lease_s=LONG_S) is None
