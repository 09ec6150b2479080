"""What a worker can be told from outside."""

import os
from typing import Final, Literal, TypeAlias

from pydantic import PositiveInt

from disyre.adapters.settings import SharedSettings

Device: TypeAlias = Literal["cpu", "cuda", "tensorrt"]
_FEWEST_AT_ONCE: Final = 2
_MOST_AT_ONCE: Final = 8


class WorkerSettings(SharedSettings):
    """Settings of a worker; the defaults are those of a CPU."""

    provider: Device = "cpu"
    """What the network runs on. A worker that cannot have it does not start."""
    threads: PositiveInt | None = None
    """CPU threads of the network; None takes all cores that the process may use."""
    batch_size: PositiveInt | None = None
    """Slices, or windows, in one network call; None: as many as `slices_at_once` says."""
    default_model: str = "t1w"
    """Name of the model for scans that are not recognised; loaded, and tried, before the worker is ready."""
    models: str | None = None
    """Names of the models that the worker takes jobs for, with commas; None: of all that are whole."""
    max_models: PositiveInt = 2
    """Models that are held in memory at a time."""

    @property
    def slices_at_once(self) -> int:
        """Slices, or windows, in one network call.

        On processors one for each thread, 2 to 8: what a call works on then stays in their caches.
        """
        if self.batch_size is not None:
            return self.batch_size
        if self.provider != "cpu":
            return _MOST_AT_ONCE
        return min(max(self.threads or len(os.sched_getaffinity(0)), _FEWEST_AT_ONCE), _MOST_AT_ONCE)

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the models that the worker is for; None: all."""
        if self.models is None:
            return None
        return tuple(name for name in map(str.strip, self.models.split(",")) if name)
