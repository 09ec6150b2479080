"""What is remembered of two clocks; one body for the real one and the one in memory."""

import pytest
import redis

from disyre.adapters.broker import connect
from disyre.adapters.clock_marks import ClockMark, ClockMarks, InMemoryClockMarks, RedisClockMarks
from disyre.errors import Unavailable

MARK = ClockMark(ahead_s=1.75e9, steady_since_s=12.5)


@pytest.fixture(params=["redis", "memory"])
def marks(request: pytest.FixtureRequest) -> ClockMarks:
    if request.param == "memory":
        return InMemoryClockMarks()
    return RedisClockMarks(request.getfixturevalue("client"))


def test_the_last_mark_of_each_start_of_a_machine_is_kept(marks: ClockMarks) -> None:
    later = MARK.model_copy(update={"ahead_s": 1.75e9 + 1})

    marks.set("boot-1", MARK)
    marks.set("boot-1", later)
    marks.set("boot-2", MARK)

    assert [marks.of(boot) for boot in ("boot-1", "boot-2", "boot-3")] == [later, MARK, None]


def test_a_mark_that_nobody_renews_goes_after_a_day(client: redis.Redis) -> None:
    RedisClockMarks(client).set("boot-1", MARK)

    assert 0 < client.ttl("disyre:clock:boot-1") <= 86400


def test_a_broker_that_is_away_is_told() -> None:
    with connect("redis://127.0.0.1:1", timeout_s=1) as nowhere:
        marks = RedisClockMarks(nowhere)
        for call in (lambda: marks.of("boot-1"), lambda: marks.set("boot-1", MARK)):
            with pytest.raises(Unavailable):
                call()
