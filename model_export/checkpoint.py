"""Save and resume a run, atomically: a crash while saving leaves the checkpoint before it whole."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

import torch

from disyre.errors import Misconfigured

CHECKPOINT_FILE: Final = "checkpoint.pt"


@dataclass
class Checkpoint:
    """All that a run needs to go on as if it had never stopped."""

    network: dict[str, Any]
    ema: dict[str, Any]
    optimizer: dict[str, Any]
    """Empty if the moments did not travel with the weights."""
    generator: torch.Tensor
    """State of the one generator that all draws of the run come from."""
    patches: int
    """Seen so far."""
    elapsed_s: float
    """Spent in training so far, over all sessions."""
    losses: torch.Tensor
    """Of the batches since the last report."""

    def save(self, folder: Path) -> None:
        """Write into a run folder."""
        path = folder / CHECKPOINT_FILE
        beside = path.with_suffix(".partial")
        with beside.open("wb") as file:
            torch.save(vars(self), file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)

    def weights_alone(self) -> "Checkpoint":
        """Averaged weights for a run that has seen nothing yet."""
        return replace(
            self,
            network=self.ema,
            optimizer={},
            generator=torch.empty(0, dtype=torch.uint8),
            patches=0,
            elapsed_s=0.0,
            losses=torch.empty(0),
        )

    @classmethod
    def load(cls, folder: Path, device: str) -> Self:
        """Read from a run folder.

        Raises Misconfigured if there is none that can be used.
        """
        path = folder / CHECKPOINT_FILE
        try:
            values = torch.load(path, map_location=device, weights_only=True)
            values["generator"] = values["generator"].cpu()
            return cls(**values)
        except (OSError, RuntimeError, TypeError, KeyError, EOFError) as error:
            raise Misconfigured(f"no usable checkpoint at {path}") from error
