"""How jobs end; one body for those in the broker and those in memory."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
import redis

from disyre.adapters.expiry import Expiry, InMemoryExpiry, RedisExpiry
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_store import JobStore
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.errors import JobExpired, JobNotFound
from disyre.job import Job
from service.steady_clock import ALWAYS
from tests.builders import NOON, make_job
from tests.live import wait_for

IDS = [f"019b7a00-0000-7000-8000-00000000000{n}" for n in range(1, 5)]
LONG_S = 60.0


@dataclass
class Place:
    expiry: Expiry
    jobs: JobStore


@pytest.fixture
def place(jobs: JobStore, client: redis.Redis) -> Place:
    return Place(InMemoryExpiry(jobs) if isinstance(jobs, InMemoryJobStore) else RedisExpiry(client), jobs)


def due(place: Place, **after_noon: float) -> list[str]:
    """Whose time is over by then."""
    return place.expiry.due(NOON + timedelta(**after_noon), since=ALWAYS, limit=9)


def cancel(place: Place, job_id: str, *, kept_s: int | None) -> Job:
    """A job that was canceled at noon."""
    place.jobs.add(make_job(job_id).model_copy(update={"retention_s": kept_s}))
    return place.jobs.update(job_id, lambda job: job.request_cancel(at=NOON))


def test_finished_jobs_are_due_when_their_time_is_over_the_first_one_first(place: Place) -> None:
    cancel(place, IDS[0], kept_s=120)
    cancel(place, IDS[1], kept_s=60)
    cancel(place, IDS[2], kept_s=None)
    place.jobs.add(make_job(IDS[3]).model_copy(update={"retention_s": 60}))

    assert due(place, seconds=59) == []
    assert due(place, seconds=60) == [IDS[1]]
    assert due(place, days=9) == [IDS[1], IDS[0]]
    later, latest = NOON + timedelta(seconds=61), NOON + timedelta(days=9)
    assert place.expiry.due(latest, since=later, limit=9) == [IDS[0]]
    assert place.expiry.due(latest, since=ALWAYS, limit=1) == [IDS[1]]


def test_what_is_left_of_an_expired_job_is_that_it_was_and_whose(place: Place) -> None:
    job = cancel(place, IDS[0], kept_s=60)

    assert place.expiry.expire(job, remembered_for_s=LONG_S)

    with pytest.raises(JobExpired, match="time is over") as gone:
        place.jobs.get(job.id)
    assert gone.value.owner == job.owner
    assert due(place, days=9) == []
    assert place.jobs.list(limit=9) == []
    assert not place.expiry.expire(job, remembered_for_s=LONG_S)


def test_a_job_that_changed_meanwhile_does_not_expire(place: Place) -> None:
    job = cancel(place, IDS[0], kept_s=60)
    changed = place.jobs.update(job.id, lambda job: job.model_copy(update={"revision": 9}))

    assert not place.expiry.expire(job, remembered_for_s=LONG_S)

    assert place.jobs.get(job.id) == changed


def test_a_job_that_is_tried_again_is_not_due(place: Place) -> None:
    cancel(place, IDS[0], kept_s=60)

    job = place.jobs.update(IDS[0], lambda job: job.retry(at=NOON))

    assert (job.expires_at, due(place, days=9)) == (None, [])


def test_a_job_that_was_deleted_is_not_due(place: Place) -> None:
    cancel(place, IDS[0], kept_s=60)

    place.jobs.remove(IDS[0])

    assert due(place, days=9) == []


def test_the_broker_forgets_an_expired_job_and_holds_nothing_of_it(client: redis.Redis) -> None:
    place = Place(RedisExpiry(client), RedisJobStore(client))
    job = cancel(place, IDS[0], kept_s=60)

    place.expiry.expire(job, remembered_for_s=0.2)

    def is_forgotten() -> bool:
        try:
            place.jobs.get(job.id)
        except JobExpired:
            return False
        except JobNotFound:
            return True
        return False

    wait_for(is_forgotten, "the time of the tombstone is over")
    assert client.keys("disyre:job*") + client.keys("disyre:expired*") == []
