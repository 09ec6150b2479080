"""Since when the broker's clock can be believed: it has gone as fast as this machine's own.

What lasted for less than that, such as the time that a job is kept, is known by it, even if it is wrong. What
began before is believed once it has been steady for an hour: a clock that was set wrongly is mostly set right
by then.

The machine's is the one that counts since it was started, and that nobody sets. All processes on the machine
have the same, so how both stood to each other is kept in the broker: an API that is started again goes on
where the one before it was, and sees a jump that happened in between.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from disyre.adapters.clock_marks import ClockMark, ClockMarks
from disyre.errors import Unavailable

logger = logging.getLogger(__name__)

ALWAYS: Final = datetime.fromtimestamp(0, UTC)
"""Before anything that the broker's clock tells of."""
_STEADY_S: Final = 3600.0
_JUMP_S: Final = 60.0
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def this_boot(path: Path = _BOOT_ID) -> str | None:
    """What Linux calls this start of this machine; None where nobody tells."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None


class SteadyClock:
    """Compares both clocks whenever it is asked."""

    def __init__(
        self, marks: ClockMarks, boot: str | None, *, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock_s` never jumps; without a `boot`, nothing is known from before this process."""
        self._marks = marks
        self._boot = boot
        self._clock_s = clock_s
        self._last: ClockMark | None = None

    def believed_since(self, now: datetime) -> datetime:
        """From which of its own times on the broker's clock, which says that it is now, can be believed.

        Raises Unavailable.
        """
        own_s = self._clock_s()
        if self._last is None and self._boot is not None:
            self._last = self._marks.of(self._boot)
        ahead_s = now.timestamp() - own_s
        self._last = self._look(ahead_s, own_s)
        if self._boot is not None:
            with suppress(Unavailable):  # a broker that is full takes no mark, and has to be relieved
                self._marks.set(self._boot, self._last)
        steady_s = own_s - self._last.steady_since_s
        return ALWAYS if steady_s >= _STEADY_S else now - timedelta(seconds=steady_s)

    def has_jumped_lately(self) -> bool:
        """Whether it was seen within the last hour that the broker's clock jumped; asks nobody."""
        last = self._last
        return last is not None and last.has_jumped and self._clock_s() - last.steady_since_s < _STEADY_S

    def _look(self, ahead_s: float, own_s: float) -> ClockMark:
        if self._last is None:
            return ClockMark(ahead_s=ahead_s, steady_since_s=own_s)
        jump_s = ahead_s - self._last.ahead_s
        if abs(jump_s) <= _JUMP_S:
            return self._last.model_copy(update={"ahead_s": ahead_s})
        logger.error("the broker's clock jumped by %.0f s: no job expires in the next hour", jump_s)
        return ClockMark(ahead_s=ahead_s, steady_since_s=own_s, has_jumped=True)
