"""What is wanted by several at a time is done once; what fails, fails for all of them, and is tried anew."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from disyre.single_flight import SingleFlight

N_THREADS = 8


def all_at_once(flights: SingleFlight[int], work: Callable[[], int], keys: list[str]) -> list[Future[int]]:
    """What each thread gets that asks while the first one's work is under way."""
    released = threading.Event()

    def held() -> int:
        released.wait(30)
        return work()

    with ThreadPoolExecutor(len(keys)) as threads:
        asked = [threads.submit(flights.do, key, held) for key in keys]
        time.sleep(0.2)  # all of them have come
        released.set()
    return asked


def test_who_comes_while_it_is_under_way_gets_what_comes_of_it() -> None:
    flights, numbers = SingleFlight[int](), itertools.count(1)

    asked = all_at_once(flights, lambda: next(numbers), ["key"] * N_THREADS)

    assert [each.result() for each in asked] == [1] * N_THREADS


def test_what_has_another_key_is_done_for_itself() -> None:
    flights, numbers = SingleFlight[int](), itertools.count(1)

    asked = all_at_once(flights, lambda: next(numbers), ["key", "other"])

    assert sorted(each.result() for each in asked) == [1, 2]


def test_an_error_comes_to_all_who_wait_and_the_next_tries_anew() -> None:
    flights, tries = SingleFlight[int](), []

    def fail() -> int:
        tries.append(1)
        raise OSError("away")

    asked = all_at_once(flights, fail, ["key"] * N_THREADS)

    assert [str(each.exception()) for each in asked] == ["away"] * N_THREADS
    assert len(tries) == 1
    with pytest.raises(OSError, match="away"):
        flights.do("key", fail)
    assert flights.do("key", lambda: 7) == 7
    assert len(tries) == 2
