"""What all idempotency keys do; one body for those in the broker and those in memory."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import redis

from disyre.adapters.idempotency_keys import IdempotencyKeys, InMemoryIdempotencyKeys, RedisIdempotencyKeys
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_store import JobStore
from disyre.errors import QueueFull, StillReceiving
from disyre.queue_limits import QueueLimits
from disyre.receipt import Receipt
from tests.builders import make_job
from tests.live import wait_for

FIRST, SECOND = (f"019b7a00-0000-7000-8000-00000000000{n}" for n in (1, 2))
LONG_S = 60.0


@dataclass
class Place:
    keys: IdempotencyKeys
    jobs: JobStore


@pytest.fixture
def place(jobs: JobStore, client: redis.Redis) -> Place:
    return Place(
        InMemoryIdempotencyKeys(jobs) if isinstance(jobs, InMemoryJobStore) else RedisIdempotencyKeys(client),
        jobs,
    )


def test_a_key_is_held_by_one_request_until_that_lets_go(place: Place) -> None:
    assert place.keys.take("pacs:1", "a", for_s=LONG_S) is None
    assert place.keys.take("pacs:1", "a", for_s=LONG_S) is None

    place.keys.release("pacs:1", "b")
    with pytest.raises(StillReceiving, match="still being received"):
        place.keys.take("pacs:1", "b", for_s=LONG_S)
    assert place.keys.take("ward-3:1", "b", for_s=LONG_S) is None

    place.keys.release("pacs:1", "a")
    assert place.keys.take("pacs:1", "b", for_s=LONG_S) is None


def test_of_many_at_once_one_has_the_key(place: Place) -> None:
    def has_it(n: int) -> bool:
        try:
            return place.keys.take("pacs:1", f"holder-{n}", for_s=LONG_S) is None
        except StillReceiving:
            return False

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(has_it, range(20))) == 1


def test_a_key_whose_holder_is_silent_can_be_had(place: Place) -> None:
    place.keys.take("pacs:1", "a", for_s=0.2)

    def can_be_had() -> bool:
        try:
            return place.keys.take("pacs:1", "b", for_s=LONG_S) is None
        except StillReceiving:
            return False

    wait_for(can_be_had, "the time of the first holder is over")


def test_a_key_stands_for_its_receipt_from_the_moment_that_there_are_jobs(place: Place) -> None:
    place.keys.take("pacs:1", "a", for_s=LONG_S)

    place.jobs.add(make_job(FIRST), receipt=Receipt("pacs:1", "a", "what came of it"))
    place.jobs.add(make_job(FIRST), receipt=Receipt("pacs:1", "a", "what came of it"))

    place.keys.release("pacs:1", "a")
    assert place.keys.take("pacs:1", "b", for_s=LONG_S) == "what came of it"
    assert place.jobs.waiting() == [FIRST]


def test_a_request_that_lost_its_key_to_another_makes_no_job(place: Place) -> None:
    place.keys.take("pacs:1", "b", for_s=LONG_S)

    with pytest.raises(StillReceiving):
        place.jobs.add(make_job(FIRST), receipt=Receipt("pacs:1", "a", "a"))
    place.jobs.add(make_job(SECOND), receipt=Receipt("pacs:1", "b", "b"))
    with pytest.raises(StillReceiving):
        place.jobs.add(make_job(FIRST), receipt=Receipt("pacs:1", "a", "a"))

    assert place.jobs.waiting() == [SECOND]


def test_a_request_whose_key_ran_out_makes_its_job_if_nobody_else_took_it(place: Place) -> None:
    place.jobs.add(make_job(FIRST), receipt=Receipt("pacs:1", "a", "a"))

    assert place.keys.take("pacs:1", "b", for_s=LONG_S) == "a"


def test_jobs_that_are_refused_leave_no_receipt(place: Place) -> None:
    with pytest.raises(QueueFull):
        place.jobs.add(
            make_job(FIRST), limits=QueueLimits(most_waiting=0), receipt=Receipt("pacs:1", "a", "a")
        )

    assert place.keys.take("pacs:1", "b", for_s=LONG_S) is None
