"""Stopwatch: how long the stages of a piece of work took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Measures stages, one after another."""

    timings_s: dict[str, float] = field(default_factory=dict)
    """Seconds by stage."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what is done inside the block."""
        start = time.perf_counter()
        yield
        self.timings_s[name] = round(time.perf_counter() - start, 4)
