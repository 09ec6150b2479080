"""Ending a run when it is asked to, after the scan or batch in hand, so that what it keeps is whole."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Becomes true when the run is asked to end."""

    asked = False
    number: int = signal.SIGINT
    """The signal by which."""

    def __call__(self) -> bool:
        return self.asked

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        self.asked, self.number = True, number


class Stopped(KeyboardInterrupt):
    """The run was asked to end before there was one."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_status = 128 + number


@contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """Note Ctrl-C and SIGTERM for the length of a block, instead of ending at once."""
    stop = Stop()
    before = {number: signal.signal(number, stop.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
