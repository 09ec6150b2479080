"""A worker that takes nothing, though there are messages for it."""

import threading
from collections.abc import Callable

import pytest

from disyre.errors import Unavailable
from worker.standstill import Watchdog

MOST_S = 60.0


class Watched:
    """A watchdog that looks when a test says so, by a clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.ends = 0
        self.leaves_messages: Callable[[], bool] = lambda: True
        self.watchdog = Watchdog(self.look_around, most_s=MOST_S, end=self.end, clock_s=lambda: self.now_s)

    def look_around(self) -> bool:
        return self.leaves_messages()

    def end(self) -> None:
        self.ends += 1

    def pass_time(self, seconds: float) -> bool:
        """Look every five seconds; whether the worker was told to end."""
        for _ in range(round(seconds / 5)):
            self.now_s += 5
            if self.watchdog.look():
                return True
        return False


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_worker_that_leaves_messages_for_long_ends_once(watched: Watched) -> None:
    assert not watched.pass_time(MOST_S)
    assert watched.pass_time(5)
    assert watched.ends == 1


def test_a_worker_without_messages_or_with_a_job_or_a_child_that_starts_goes_on(watched: Watched) -> None:
    watched.leaves_messages = lambda: False

    assert not watched.pass_time(10 * MOST_S)


def test_a_worker_that_takes_now_and_then_goes_on_though_messages_are_left(watched: Watched) -> None:
    for _ in range(20):
        assert not watched.pass_time(MOST_S / 2)
        watched.watchdog.took()


def test_messages_that_another_worker_takes_begin_no_standstill(watched: Watched) -> None:
    for _ in range(20):
        watched.leaves_messages = lambda: True
        assert not watched.pass_time(MOST_S / 2)
        watched.leaves_messages = lambda: False
        assert not watched.pass_time(5)


def test_a_broker_that_is_away_is_waited_for_and_the_time_before_it_forgotten(watched: Watched) -> None:
    def away() -> bool:
        raise Unavailable("the broker does not answer")

    assert not watched.pass_time(MOST_S - 5)
    watched.leaves_messages = away
    assert not watched.pass_time(10 * MOST_S)
    watched.leaves_messages = lambda: True
    assert not watched.pass_time(MOST_S)
    assert watched.pass_time(5)


def test_a_machine_that_slept_gives_its_worker_time_to_take_something(watched: Watched) -> None:
    assert not watched.pass_time(MOST_S - 5)
    watched.now_s += 8 * 3600

    assert not watched.watchdog.look()
    assert not watched.pass_time(MOST_S - 5)


def test_a_watchdog_looks_by_itself_until_it_is_stopped() -> None:
    ended = threading.Event()
    stopped = Watchdog(lambda: pytest.fail("it looked"), most_s=0.04, end=ended.set)
    watchdog = Watchdog(lambda: True, most_s=0.04, end=ended.set)

    stopped.stop()
    stopped.start()
    watchdog.start()

    assert ended.wait(30)


def test_a_watchdog_outlives_what_it_does_not_understand() -> None:
    ended = threading.Event()
    left = [ValueError("odd")]

    def look() -> bool:
        if left:
            raise left.pop()
        return True

    Watchdog(look, most_s=0.04, end=ended.set).start()

    assert ended.wait(30)
