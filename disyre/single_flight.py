"""What several threads want at the same time is done once, for all of them."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Work that is known by a key: who comes while it is under way waits for what comes of it."""

    def __init__(self) -> None:
        self._under_way: dict[str, Future[T]] = {}
        self._guard = threading.Lock()

    def do(self, key: str, work: Callable[[], T]) -> T:
        """Do the work, or wait for who does it. Raises what it raises, in all who wait."""
        with self._guard:
            flight = self._under_way.get(key)
            if is_first := flight is None:
                flight = self._under_way[key] = Future()
        if is_first:
            try:
                flight.set_result(work())
            except BaseException as error:
                flight.set_exception(error)
            finally:
                with self._guard:
                    del self._under_way[key]
        return flight.result()
