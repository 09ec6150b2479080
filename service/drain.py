"""That the process is to stop: whoever waits for news gives its answer now."""

import asyncio
from contextlib import suppress


class Drain:
    """Whether the process has been told to stop; used by one event loop."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        """Whether no answer may be put off any more."""
        return self._begun.is_set()

    def begin(self) -> None:
        """End all waits, those to come too."""
        self._begun.set()

    async def sleep(self, duration_s: float) -> None:
        """Wait for a time, or until the process is to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._begun.wait(), max(0.0, duration_s))
