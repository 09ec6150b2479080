"""Ends a worker that takes nothing though messages lie in its queues: who looks after it starts it again.

A worker that is well takes a message as soon as it has nothing to do. One that does not, for long, will not
do so by itself, whatever has become of its connection. Runs in Celery's parent process, in a thread of its
own, so that it does not depend on what it watches.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from disyre.errors import Unavailable

logger = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 5.0
_LOOKS: Final = 4
"""At least so many within a standstill."""


class Standstill:
    """How long a worker has had nothing to do, and taken nothing, while messages lay in its queues."""

    def __init__(self, *, most_gap_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Nothing is known of a time between two looks above `most_gap_s`: the machine may have slept."""
        self._most_gap_s = most_gap_s
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._since_s: float | None = None
        self._looked_s = 0.0

    def end(self) -> None:
        """The worker took a message, or is at work."""
        with self._lock:
            self._since_s = None

    def look(self, *, leaves_messages: bool) -> float:
        """Seconds that it lasts, with what is seen now."""
        with self._lock:
            now_s = self._clock_s()
            gap_s, self._looked_s = now_s - self._looked_s, now_s
            if not leaves_messages:
                self._since_s = None
                return 0.0
            if self._since_s is None or gap_s > self._most_gap_s:
                self._since_s = now_s
            return now_s - self._since_s


class Watchdog:
    """Looks at a worker now and then, and has it end if it stands still for too long."""

    def __init__(
        self,
        leaves_messages: Callable[[], bool],
        *,
        most_s: float,
        end: Callable[[], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`leaves_messages` says whether it is ready, has nothing to do, and does not take what lies there;
        it raises Unavailable where nobody can tell. `end` is told once, after `most_s` of this.
        """
        self._leaves_messages = leaves_messages
        self._most_s = most_s
        self._end = end
        self._every_s = min(_LOOK_EVERY_S, most_s / _LOOKS)
        # A look may wait for the broker's answers; one that took longer says nothing of the time before.
        self._standstill = Standstill(most_gap_s=self._every_s + _LOOK_EVERY_S, clock_s=clock_s)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more: the worker is told to end, and takes nothing for good."""
        self._done.set()

    def took(self) -> None:
        """A message was taken."""
        self._standstill.end()

    def look(self) -> bool:
        """Look once; whether the worker was told to end."""
        try:
            leaves = self._leaves_messages()
        except Unavailable:
            leaves = False  # a broker that is away is waited for
        stood_s = self._standstill.look(leaves_messages=leaves)
        if stood_s < self._most_s:
            return False
        logger.critical("took no job for %.0f s, though there were some for it: ending", stood_s)
        self._end()
        return True

    def _run(self) -> None:
        while not self._done.wait(self._every_s):
            try:
                if self.look():
                    return
            except Exception:
                logger.exception("nobody knows whether this worker takes jobs")
                self._standstill.end()
