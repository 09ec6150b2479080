"""What every rate limiter does; one body for the real one and the one in memory."""

from pathlib import Path

import pytest
import redis

from disyre.adapters.broker import connect
from disyre.adapters.rate_limiter import InMemoryRateLimiter, RateLimiter, RedisRateLimiter
from disyre.errors import Unavailable
from tests.live import wait_for


@pytest.fixture(params=["redis", "memory"])
def rates(request: pytest.FixtureRequest) -> RateLimiter:
    if request.param == "memory":
        return InMemoryRateLimiter()
    return RedisRateLimiter(request.getfixturevalue("client"))


def test_a_minutes_worth_may_be_done_at_once_and_then_one_has_to_wait(rates: RateLimiter) -> None:
    waits = [rates.take("pacs", per_minute=3) for _ in range(5)]

    assert waits[:3] == [0, 0, 0]
    assert 10 < waits[3] <= 20
    assert waits[4] <= waits[3]


def test_each_has_a_bucket_of_its_own(rates: RateLimiter) -> None:
    rates.take("pacs", per_minute=1)

    assert rates.take("pacs", per_minute=1) > 0
    assert rates.take("ward-3", per_minute=1) == 0


def test_who_has_waited_may_go_on(rates: RateLimiter) -> None:
    per_minute = 600  # one in 100 ms
    while not (wait_s := rates.take("pacs", per_minute=per_minute)):
        pass

    assert wait_s <= 0.1
    wait_for(lambda: rates.take("pacs", per_minute=per_minute) == 0, "there is room again")


def test_a_full_bucket_takes_no_room_in_the_broker(client: redis.Redis) -> None:
    RedisRateLimiter(client).take("pacs", per_minute=1)

    (key,) = client.keys("*")
    assert key == "disyre:rate:pacs"
    assert 0 < client.ttl(key) <= 60


def test_a_clock_that_was_set_back_takes_nothing_away(client: redis.Redis) -> None:
    rates = RedisRateLimiter(client)
    rates.take("pacs", per_minute=3)
    client.hincrby("disyre:rate:pacs", "at_ms", 3_600_000)

    assert [rates.take("pacs", per_minute=3) for _ in range(2)] == [0, 0]
    assert 0 < rates.take("pacs", per_minute=3) <= 20


def test_a_broker_that_is_away_is_told(tmp_path: Path) -> None:
    with connect("redis://127.0.0.1:1", timeout_s=1) as nowhere, pytest.raises(Unavailable):
        RedisRateLimiter(nowhere).take("pacs", per_minute=1)
