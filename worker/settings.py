"""What a worker can be told from outside."""

from typing import Literal, TypeAlias

from pydantic import PositiveInt

from disyre.adapters.settings import SharedSettings

Device: TypeAlias = Literal["cpu", "cuda", "tensorrt"]


class WorkerSettings(SharedSettings):
    """Settings of a worker; the defaults are those of a CPU."""

    provider: Device = "cpu"
    """What the network runs on. A worker that cannot have it does not start."""
    threads: PositiveInt | None = None
    """CPU threads of the network; None takes all cores that the process may use."""
    batch_size: PositiveInt = 8
    """Slices, or windows, in one network call."""
    default_model: str = "t1w"
    """Name of the model for scans that are not recognised; loaded, and tried, before the worker is ready."""
    models: str | None = None
    """Names of the models that the worker takes jobs for, with commas; None: of all that are whole."""
    max_models: PositiveInt = 2
    """Models that are held in memory at a time."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the models that the worker is for; None: all."""
        if self.models is None:
            return None
        return tuple(name for name in map(str.strip, self.models.split(",")) if name)
