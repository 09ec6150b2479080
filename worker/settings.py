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
    """Name of the model that is loaded, and tried, before the worker says that it is ready."""
    max_models: PositiveInt = 2
    """Models that are held in memory at a time."""
