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
from disyre.adapters.due_calls import DueCall
from disyre.adapters.job_store import JobStore
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.errors import IllegalTransition, JobNotFound
from disyre.job import JobProblem
from disyre.job_state import JobState
from disyre.progress import Progress
from disyre.queue_limits import QueueLimits
from disyre.series_mark import SeriesMark
from disyre.store_mark import StoreMark
from tests.builders import make_job
from tests.contracts.stores import IDS, LATER, LONG_S, start
from tests.live import live_broker, wait_for


def test_the_store_tells_the_time_of_day(jobs: JobStore) -> None:
    first, then = jobs.now(), jobs.now()

    assert abs(first - datetime.now(UTC)) < timedelta(seconds=10)  # the broker is on this machine
    assert first.tzinfo is UTC
    assert timedelta(0) <= then - first < timedelta(seconds=10)


def test_a_job_comes_back_as_it_was_stored(jobs: JobStore) -> None:
    job = make_job(severities=(0.5, 0.25), labels={"site": "ß"})

    jobs.add(job)

    assert jobs.get(job.id) == job


def test_the_series_of_a_job_and_the_job_that_it_supersedes_stay_as_it_changes(jobs: JobStore) -> None:
    mark = SeriesMark(id="1" * 32, content="2" * 32)
    job = make_job().model_copy(update={"series": mark, "supersedes": IDS[0]})
    jobs.add(job)

    jobs.update(job.id, start)

    stored = jobs.get(job.id)
    assert (stored.series, stored.supersedes) == (mark, IDS[0])


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


def test_a_record_that_cannot_be_read_is_told_of_once_and_hides_no_other_job(
    client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = RedisJobStore(client)
    for job_id in IDS[:4]:
        jobs.add(make_job(job_id))
    for job_id in IDS[:2]:
        jobs.update(job_id, start)
    for job_id in (IDS[0], IDS[2]):
        client.hset(f"disyre:job:{job_id}", "doc", '{"x": 1}')

    for _ in range(2):
        assert [job.id for job in jobs.list(limit=9)] == [IDS[3], IDS[1]]
        assert [job.id for job in jobs.begun()] == [IDS[1]]
        assert jobs.heads() == []
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"the record of job {job_id} cannot be read: the job is left out of lists"
        for job_id in (IDS[0], IDS[2])
    ]


def test_a_job_that_is_removed_while_jobs_are_listed_is_left_out(
    client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = RedisJobStore(client)
    for job_id in IDS[:2]:
        jobs.add(make_job(job_id))
    client.delete(f"disyre:job:{IDS[1]}")

    assert [job.id for job in jobs.list(limit=9)] == [IDS[0]]
    assert caplog.records == []


def test_an_unknown_id_is_not_found(jobs: JobStore) -> None:
    with pytest.raises(JobNotFound):
        jobs.get(IDS[0])
    with pytest.raises(JobNotFound):
        jobs.update(IDS[0], start)


def test_adding_a_job_twice_is_adding_it_once(jobs: JobStore) -> None:
    jobs.add(make_job(IDS[0]), make_job(IDS[1]))
    jobs.update(IDS[0], start)

    jobs.add(make_job(IDS[0]), make_job(IDS[1]), limits=QueueLimits(most_waiting=1))

    assert jobs.get(IDS[0]).state is JobState.RUNNING
    assert [job.id for job in jobs.list(limit=5)] == [IDS[1], IDS[0]]


def test_another_job_of_the_same_id_is_not_added(jobs: JobStore) -> None:
    jobs.add(make_job())

    with pytest.raises(ValueError, match="already"):
        jobs.add(make_job(severities=(0.5,)))

    assert jobs.get(make_job().id) == make_job()


def test_a_job_is_withdrawn_unless_a_worker_has_begun_it(jobs: JobStore) -> None:
    jobs.add(make_job(IDS[0]))
    jobs.add(make_job(IDS[1]))
    jobs.update(IDS[1], start)

    assert [jobs.withdraw(job_id) for job_id in IDS[:3]] == [True, False, True]

    assert [job.id for job in jobs.list(limit=5)] == [IDS[1]]
    assert (jobs.waiting(), jobs.running()) == ([], [IDS[1]])
    assert jobs.begun() == [jobs.get(IDS[1])]


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


def test_jobs_survive_a_crash_of_the_broker(tmp_path: Path) -> None:
    with live_broker(tmp_path) as broker, connect(broker.url, timeout_s=2) as client:
        jobs = RedisJobStore(client)
        jobs.add(make_job())
        broker.kill()

        broker.start()

        assert jobs.get(make_job().id) == make_job()
        assert jobs.waiting() == [make_job().id]


def test_a_callback_is_due_at_the_end_of_its_job_until_it_has_ended(jobs: JobStore) -> None:
    jobs.add(make_job(IDS[0], callback="https://a.example/"), make_job(IDS[1]))
    for job_id in IDS[:2]:
        jobs.update(job_id, start)
    assert jobs.take_call(lease_s=LONG_S) is None
    for job_id in IDS[:2]:
        jobs.update(job_id, lambda job: job.fail(JobProblem(code="a", detail=""), attempt=1, at=LATER))

    first = taken(jobs)
    assert (first.job_id, first.n_tries) == (IDS[0], 1)
    assert jobs.take_call(lease_s=LONG_S) is None
    jobs.put_off_call(first, after_s=0.001)
    second = wait_for(lambda: jobs.take_call(lease_s=0.001), "it is due")
    third = wait_for(lambda: jobs.take_call(lease_s=LONG_S), "the lease is over")
    assert [(due.job_id, due.n_tries) for due in (second, third) if due] == [(IDS[0], 2), (IDS[0], 3)]
    assert third is not None
    jobs.end_call(third)
    assert jobs.take_call(lease_s=LONG_S) is None


def taken(jobs: JobStore) -> DueCall:
    """A callback that is due now."""
    due = jobs.take_call(lease_s=LONG_S)
    assert due is not None
    return due


def test_a_job_that_ends_anew_while_it_is_called_is_due_again_as_if_never_tried(jobs: JobStore) -> None:
    jobs.add(make_job(IDS[0], callback="https://a.example/"))
    jobs.update(IDS[0], lambda job: job.request_cancel(at=LATER))
    early = taken(jobs)

    jobs.update(IDS[0], lambda job: job.retry(at=LATER))
    jobs.update(IDS[0], lambda job: job.request_cancel(at=LATER))
    jobs.end_call(early)

    anew = taken(jobs)
    assert (anew.job_id, anew.n_tries) == (IDS[0], 1)
    jobs.put_off_call(early, after_s=0)
    assert jobs.take_call(lease_s=LONG_S) is None
