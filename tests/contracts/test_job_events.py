"""What is told of jobs, by the real store and the one in memory alike."""

import threading
from dataclasses import dataclass

import pytest
import redis

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_events import JobEvents
from disyre.adapters.job_store import JobStore
from disyre.adapters.redis_job_events import RedisJobEvents
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.job import Job
from disyre.job_event import JobEvent
from disyre.job_model import Choice
from disyre.job_state import JobState
from disyre.modality import SILENT
from disyre.progress import Progress
from tests.builders import NOON, make_job

FIRST, SECOND = (f"019b7a00-0000-7000-8000-00000000000{n}" for n in (1, 2))


@dataclass
class Told:
    """A job store, and what is told of it."""

    jobs: JobStore
    events: JobEvents


@pytest.fixture(params=["redis", "memory"])
def told(request: pytest.FixtureRequest) -> Told:
    if request.param == "memory":
        jobs = InMemoryJobStore()
        return Told(jobs, jobs.events)
    client = request.getfixturevalue("client")
    return Told(RedisJobStore(client), RedisJobEvents(client))


def start(job: Job) -> Job:
    return job.start(at=NOON)


def report(job: Job) -> Job:
    return job.report(Progress(stage="restoring", step=1, steps=5, fraction=0.5), attempt=1)


def test_each_change_of_a_job_is_told_once_and_in_order(told: Told) -> None:
    told.jobs.add(make_job(FIRST))
    for change in (start, report, lambda job: job, lambda job: job.request_cancel(at=NOON)):
        told.jobs.update(FIRST, change)

    events = told.events.of(FIRST, after=0)

    assert [(event.revision, event.kind, event.state) for event in events] == [
        (1, "state", "queued"),
        (2, "state", "running"),
        (3, "progress", "running"),
        (4, "state", "canceling"),
    ]
    assert events[2].progress == told.jobs.get(FIRST).progress
    assert {(event.job_id, event.attempt) for event in events[1:]} == {(FIRST, 1)}
    assert told.events.of(FIRST, after=2) == events[2:]
    assert told.events.of(FIRST, after=4) == []


def test_that_a_model_is_decided_is_more_than_progress() -> None:
    job = report(start(make_job()))

    event = JobEvent.of(job.decide(Choice(modality=SILENT, model=None), attempt=1), before=job)

    assert (event.kind, event.state) == ("state", JobState.RUNNING)


def test_who_follows_all_jobs_hears_of_what_came_after_a_position(told: Told) -> None:
    told.jobs.add(make_job(FIRST))
    before = told.events.position()
    told.jobs.add(make_job(SECOND))
    told.jobs.update(FIRST, start)

    after, events = told.events.read(before, wait_s=0.01)

    assert [(event.job_id, event.revision) for event in events] == [(SECOND, 1), (FIRST, 2)]
    assert after == told.events.position()
    assert told.events.read(after, wait_s=0.01) == (after, [])


def test_who_follows_from_the_beginning_hears_of_the_first_job(told: Told) -> None:
    beginning = told.events.position()
    told.jobs.add(make_job(FIRST))

    _, events = told.events.read(beginning, wait_s=0.01)

    assert events == [JobEvent.of(make_job(FIRST))]


def test_who_waits_hears_of_a_change_when_it_comes(told: Told) -> None:
    position = told.events.position()
    adding = threading.Timer(0.05, lambda: told.jobs.add(make_job(FIRST)))
    adding.start()

    _, events = told.events.read(position, wait_s=1.5)

    adding.join()
    assert [event.job_id for event in events] == [FIRST]


@pytest.mark.parametrize("way", ["remove", "withdraw"])
def test_nothing_is_told_of_a_job_that_is_gone(told: Told, way: str) -> None:
    told.jobs.add(make_job(FIRST))

    getattr(told.jobs, way)(FIRST)

    assert told.events.of(FIRST, after=0) == []


def test_a_job_that_is_gone_leaves_no_stream(client: redis.Redis) -> None:
    jobs = RedisJobStore(client)
    jobs.add(make_job(FIRST), make_job(SECOND))
    jobs.remove(FIRST)
    jobs.withdraw(SECOND)

    assert client.keys("disyre:job:*") == []


def test_a_stream_has_an_end_to_its_length(client: redis.Redis) -> None:
    jobs = RedisJobStore(client)
    jobs.add(make_job(FIRST))
    jobs.update(FIRST, start)
    for _ in range(800):
        jobs.update(FIRST, report)

    events = RedisJobEvents(client).of(FIRST, after=0)

    assert 500 <= len(events) <= 600
    assert events[-1].revision == jobs.get(FIRST).revision
